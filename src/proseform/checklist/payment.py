"""What a reward pays for: each a function from a subject to one row of the table."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from statistics import fmean

from proseform import hostile
from proseform.checklist import exploits, restate
from proseform.checklist.exploits import Exploit
from proseform.checklist.material import Material
from proseform.checklist.subject import EXACT, Check, Subject, number


def gold(subject: Subject) -> Check:
    """On no case does anything that was tried earn more than gold, or an empty text as much."""
    faults, tried = [], 0
    for case, text in enumerate(subject.golds):
        others = [(row.name, row.text) for row in hostile.texts(text)]
        others += [
            (f"the gold of case {place + 1}", other) for place, other in enumerate(subject.golds) if place != case
        ]
        tried += len(others)
        faults += [f"on case {case + 1} {fault}" for fault in [_gold_fault(subject, case, others)] if fault]
    return Check.of("gold", f"gold earns the most: {len(subject.golds)} cases, {tried} other texts", faults)


def meaning(subject: Subject) -> Check:
    """Spellings that the reader takes for the same value earn the same."""
    faults, tried = [], 0
    for case, text in enumerate(subject.golds):
        value, own = subject.read(text, case), subject.earned(text, case)
        for words, other in _spellings(text):
            if other == text or value is None or subject.read(other, case) != value:
                continue
            tried += 1
            earned = subject.earned(other, case)
            if abs(earned - own) > EXACT:
                faults.append(f"case {case + 1} with {words} earns {number(earned)} instead of {number(own)}")
    return Check.of("meaning", f"{tried} other spellings of gold that mean the same earn the same", faults)


def separates(subject: Subject) -> Check:
    """Each term tells texts apart; one that never varies is named."""
    count = len(subject.golds)
    grid = [[subject.one(text, case).terms for text in subject.golds] for case in range(count)]
    damaged = [subject.one(*pair).terms for pair in subject.mixed()]
    counts, faults = {}, []
    for term in dict.fromkeys(name for row in grid for terms in row for name in terms):
        counts[term] = sum(
            row[case].get(term) != terms.get(term)
            for case, row in enumerate(grid)
            for place, terms in enumerate(row)
            if subject.golds[place] != subject.golds[case]
        )
        values = {terms[term] for terms in (*(terms for row in grid for terms in row), *damaged) if term in terms}
        if len(values) == 1:
            faults.append(f"'{term}' never varies: it gives {number(values.pop())} to every text, and no group learns")
    pairs = sum(one != other for one in subject.golds for other in subject.golds)
    told = ", ".join(f"{term} {count}" for term, count in counts.items())
    blind = ", ".join(term for term, count in counts.items() if count == 0)
    what = f"of {pairs} pairs, a case's gold and another's, are told apart by {told or 'no term'}"
    return Check.of("separates", what, faults, f"{blind}: form alone, varies over damaged texts" if blind else "")


def planted(subject: Subject) -> Check:
    """Exploits earn less than honest mediocrity on the mean of the cases, and additions to it earn nothing more."""
    rows = mediocrity(subject)
    names = [(one.name, one.why, one.beside) for one in rows[0][1]]
    count = range(len(rows))
    bar = fmean(subject.earned(rows[case][0], case) for case in count)
    floor = fmean(subject.earned("", case) for case in count)
    faults, earned = [], []
    for place, (name, why, beside) in enumerate(names):
        value = fmean(subject.earned(rows[case][1][place].text, case) for case in count)
        earned += [] if beside else [(value, name)]
        as_much = value > bar - EXACT and value > floor + EXACT and not beside
        if value > bar + EXACT or as_much:
            faults.append((value, f"'{name}' earns {value:.3f}: {why}"))
    most, name = max(earned)
    whole = all(mediocre == gold for (mediocre, _), gold in zip(rows, subject.golds, strict=True))
    what = f"{len(names)} exploits on {len(rows)} cases earn less than honest mediocrity, {bar:.3f}"
    what += " (gold itself, of which no half can be made wrong)" if whole else ""
    return Check.of(
        "exploits", what, [words for _, words in sorted(faults, reverse=True)], f"the most, {most:.3f}: {name}"
    )


def mediocrity(subject: Subject) -> list[tuple[str, list[Exploit]]]:
    """Honest mediocrity on each case, and the exploits that must earn less."""
    stated = [subject.read(text, case) for case, text in enumerate(subject.golds)]
    pool = restate.values(value for value in stated if value is not None)
    rows = []
    for case, text in enumerate(subject.golds):
        other = (case + 1) % len(subject.golds)
        mediocre = restate.half_right(text, lambda words, case=case: subject.read(words, case), pool)  # type: ignore[misc]
        material = Material(
            inputs=subject.inputs[case],
            asked=subject.asked[case],
            other=subject.golds[other],
            other_inputs=subject.inputs[other],
            golds=[gold for place, gold in enumerate(subject.golds) if place != case],
            pool=pool,
            words=subject.words,
            read=lambda words, other=other: subject.read(words, other),  # type: ignore[misc]
            mediocre=mediocre,
        )
        rows.append((mediocre, [*exploits.planted(material), *(subject.own[case] if subject.own else ())]))
    return rows


def _gold_fault(subject: Subject, case: int, others: Sequence[tuple[str, str]]) -> str:
    """What is wrong with what the gold of a case earns; empty where nothing is."""
    score = subject.one(subject.golds[case], case)
    own = score.composite
    if own is None:
        return f"gold cannot be scored: {score.fault}"
    if subject.best is not None and abs(own - subject.best) > EXACT:
        return f"gold earns {number(own)}, expected {number(subject.best)}"
    scores = subject.score([text for _, text in others], [case] * len(others))
    earned = [(one.composite, name) for one, (name, _) in zip(scores, others, strict=True) if one.composite is not None]
    most, name = max(earned, default=(own, ""))
    if most > own + EXACT:
        return f"gold earns {number(own)}, and {name} {number(most)}"
    empty = subject.earned("", case)
    return f"gold earns {number(own)}, and an empty text {number(empty)}" if empty > own - EXACT else ""


def _spellings(text: str) -> Iterator[tuple[str, str]]:
    """Other spellings of a text, most of which mean the same to a reader."""
    yield "a line feed behind it", f"{text}\n"
    yield "blanks around it", f" \n{text} \n\n"
    yield "line ends of Windows", text.replace("\n", "\r\n")
    yield "blanks at the ends of its lines", text.replace("\n", "  \n")
    yield "blank lines in it", text.replace("\n", "\n\n")
    yield "composed characters", unicodedata.normalize("NFC", text)
    yield "decomposed characters", unicodedata.normalize("NFD", text)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    yield "no blanks in its JSON", json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    yield "its JSON on several lines", json.dumps(value, ensure_ascii=False, indent=2)
    yield "escapes in its JSON", json.dumps(value, ensure_ascii=True)
    if isinstance(value, dict):
        yield "its keys in another order", json.dumps(dict(reversed(value.items())), ensure_ascii=False)
