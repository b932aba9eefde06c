"""Whether a reward keeps its contract with a trainer: each a function from a subject to one row of the table."""

from __future__ import annotations

import time
from statistics import median

from proseform import hostile
from proseform.checklist.subject import Check, Subject, number
from proseform.reward import Score

_TIMED = 200
"""Gold completions that are timed."""


def signature(subject: Subject) -> Check:
    """It can be called the way a trainer calls it."""
    fault = subject.signature()
    return Check.of("signature", "the reward takes what a trainer gives it", [fault] if fault else [])


def laws(subject: Subject) -> Check:
    """The laws that every task owes; see :mod:`proseform.laws`."""
    faults = subject.laws() if subject.laws else []
    return Check.of("laws", "schema, prompts, rubric, gold cases, terms and generator keep the laws of a task", faults)


def corpus(subject: Subject) -> Check:
    """Each hostile completion gets a finite number in range, by itself."""
    rows = hostile.texts(subject.golds[0])
    scores = [(row, subject.one(row.text, 0)) for row in rows]
    faults = [f"for {row.name} ({row.why}) it {_told(score)}" for row, score in scores if score.fault]
    values = [score.composite for _, score in scores if score.composite is not None]
    span = f"; {number(min(values))} to {number(max(values))}" if values else ""
    return Check.of("corpus", f"{len(rows)} hostile completions: each gets a finite number in range{span}", faults)


def batch(subject: Subject) -> Check:
    """As many rewards as completions; alone, together, in reverse, and beside other cases: the same."""
    pairs = subject.mixed()
    alone = [subject.one(*pair) for pair in pairs]
    faults = []
    for words, order in (
        ("together", range(len(pairs))),
        ("in reverse", range(len(pairs) - 1, -1, -1)),
        ("case by case", sorted(range(len(pairs)), key=lambda place: pairs[place][1])),
    ):
        scores = subject.score([pairs[place][0] for place in order], [pairs[place][1] for place in order])
        moved = [(alone[place], score) for place, score in zip(order, scores, strict=True) if score != alone[place]]
        if moved:
            before, after = (score.fault or number(score.composite) for score in moved[0])
            faults.append(f"{words}, {len(moved)} of {len(pairs)} change; one alone: {before}, {words}: {after}")
    what = f"{len(pairs)} completions get as many rewards, the same ones in any order and any batch"
    return Check.of("batch", what, faults)


def fingerprint(subject: Subject) -> list[list[float | None]]:
    """What completions of all kinds earn, in all and term by term: what two processes must agree on."""
    pairs = subject.mixed()
    scores = subject.score([text for text, _ in pairs], [case for _, case in pairs])
    return [[score.composite, *score.terms.values()] for score in scores]


def stopwatch(subject: Subject) -> Check:
    """How long a completion takes, in processor time; shown, never a failure."""
    places = [place % len(subject.golds) for place in range(_TIMED)]
    began = time.process_time()
    subject.score([subject.golds[place] for place in places], places)
    gold = (time.process_time() - began) / _TIMED
    took = []
    for row in hostile.texts(subject.golds[0]):
        began = time.process_time()
        subject.one(row.text, 0)
        took.append((time.process_time() - began, row.name))
    longest, name = max(took)
    middle = median(seconds for seconds, _ in took)
    what = f"a gold completion takes {gold * 1e6:.0f} µs, a hostile one {middle * 1e6:.0f} µs (median)"
    return Check("time", "shown", what, f"the longest is {name}, {longest * 1e3:.1f} ms")


def _told(score: Score) -> str:
    """A fault as the rest of a sentence."""
    return score.fault if score.fault.startswith(("gave ", "raised ")) else f"fails: {score.fault}"
