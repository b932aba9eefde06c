"""The form of an evaluation: one writer, one reader, so that they cannot drift apart.

An evaluation is evidence first, requirement by requirement, then the verdict::

    Amina Okafor for Data Engineer.
    Requires advanced Python: "advanced Python", met.
    Requires advanced SQL: "basic SQL", below.
    Prefers basic Docker: no evidence, missing.
    Requires 3 years: "5 years", met.
    Strengths: Python, experience.
    Gaps: SQL, Docker.
    Met 2 of 3 and 0 of 1 preferred. Score: 57. Recommendation: consider.

The words after ``Requires`` are the job's; the words in quotes are the CV's. Dated experience gives its periods, then
their sum: ``Requires 2 years: "2015-03 to 2016-02" and "2016-01 to 2017-06", 2 years 4 months, met.``
What it knowingly leaves out: whether any of it is true (:mod:`.rewards` compares with the case).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from proseform.verdict import Reason, Verdict

SKILL_LEVELS = ("basic", "intermediate", "advanced")
SECTIONS = ("header", "requirements", "experience", "strengths", "gaps", "met", "score", "recommendation")
"""The sections of an evaluation, in order; ``requirements`` is one line for each skill, the last three share a line."""
EXPERIENCE = "experience"
"""What the experience requirement is called among strengths and gaps."""
LONGEST = 20_000
"""Characters beyond which a text is not read at all."""

_LEVEL = re.compile(rf"\b({'|'.join(SKILL_LEVELS)})\b")
_HEADER = re.compile(r'([^":\n]{1,60}?) for ([^":\n]{1,60})\.')
_REQUIREMENT = re.compile(
    rf'(Requires|Prefers) ({"|".join(SKILL_LEVELS)}) ([^",:\n]{{1,40}}): '
    r'(?:"([^"\n]{1,120})"|no evidence), (met|below|missing)\.'
)
_EXPERIENCE = re.compile(
    r"Requires ([0-9]{1,2}) years?: "
    r'(?:("[^"\n]{1,40}"(?: and "[^"\n]{1,40}"){0,11})(?:, ([0-9a-z ]{6,20}))?|no evidence), (met|below|missing)\.'
)
_LIST = re.compile(r'(Strengths|Gaps): ([^":\n]{1,600})\.')
_MET = re.compile(r"Met ([0-9]{1,2}) of ([0-9]{1,2})(?: and ([0-9]{1,2}) of ([0-9]{1,2}) preferred)?\.")
_SCORE = re.compile(r"Score: ([0-9]{1,3})\.")
_RECOMMENDATION = re.compile(r"Recommendation: (reject|consider|interview)\.")
_CLOSE = ("Met ", "Score: ", "Recommendation: ")
_SENTENCE = re.compile(rf" (?={'|'.join(_CLOSE)})")
_SPAN = re.compile(r"(?:([0-9]{1,2}) years?)?(?:(?:^| )([0-9]{1,2}) months?)?")
_QUOTED = re.compile(r'"([^"]*)"')


@dataclass(slots=True)
class Scan:
    """What was recognised in a text, section by section; a section may stand several times, or never.

    Attributes:
        claims: Section name to everything that it states, in order; values are parts of the answer.
        kinds: The sections in the order in which they stand.
        strange: Lines, and parts of the last line, that are no section, with the line's number from 1.
        lines: Lines that are not blank.
    """

    claims: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in SECTIONS})
    kinds: list[str] = field(default_factory=list)
    strange: list[tuple[int, str]] = field(default_factory=list)
    lines: int = 0

    def only(self, section: str) -> Any:
        """What a section states where it stands once, else None: two statements count as none."""
        claims = self.claims[section]
        return claims[0] if len(claims) == 1 else None

    def add(self, section: str, value: Any) -> None:
        """Add a section and what it states."""
        self.claims[section].append(value)
        self.kinds.append(section)


def span(months: int) -> str:
    """A duration in words.

    >>> span(64), span(12), span(7)
    ('5 years 4 months', '1 year', '7 months')
    """
    years, rest = divmod(months, 12)
    parts = [
        f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in ((years, "year"), (rest, "month")) if number
    ]
    return " ".join(parts) or "0 months"


def sections(answer: Mapping[str, Any]) -> dict[str, str]:
    """An answer of the whole schema as the text of each section, in order; see :data:`SECTIONS`."""
    met, total = answer["met"], answer["total"]
    preferred = f" and {met['preferred']} of {total['preferred']} preferred" if total["preferred"] else ""
    return {
        "header": f"{answer['candidate']} for {answer['role']}.",
        "requirements": "\n".join(map(_requirement_line, answer["requirements"])),
        "experience": _experience_line(answer["experience"], answer["periods"]),
        "strengths": f"Strengths: {', '.join(answer['strengths']) or 'none'}.",
        "gaps": f"Gaps: {', '.join(answer['gaps']) or 'none'}.",
        "met": f"Met {met['required']} of {total['required']}{preferred}.",
        "score": f"Score: {answer['score']}.",
        "recommendation": f"Recommendation: {answer['recommendation']}.",
    }


def layout(parts: Mapping[str, str]) -> str:
    """Sections as one text: a line each, the last three on one; what is absent is left out."""
    lines = [parts[name] for name in SECTIONS[:5] if name in parts]
    close = " ".join(parts[name] for name in SECTIONS[5:] if name in parts)
    return "\n".join([*lines, close] if close else lines)


def write(answer: Mapping[str, Any]) -> str:
    """The evaluation that states an answer: what :func:`read` reads back."""
    return layout(sections(answer))


def scan(text: str) -> Scan:
    r"""Every section in a text, whatever else the text holds; never raises.

    >>> scanned = scan("Well, hello.\nGaps: SQL.\nScore: 50. Recommendation: consider.")
    >>> scanned.kinds, scanned.only("gaps"), scanned.strange
    (['gaps', 'score', 'recommendation'], ['SQL'], [(1, 'Well, hello.')])
    """
    scanned = Scan()
    if len(text) > LONGEST:
        scanned.strange.append((1, text[:40]))
        scanned.lines = text.count("\n") + 1
        return scanned
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line:
            continue
        scanned.lines += 1
        for piece in _SENTENCE.split(line) if line.startswith(_CLOSE) else (line,):
            if not _recognise(piece, scanned):
                scanned.strange.append((number, piece))
    return scanned


def read(text: str) -> Verdict:
    """Read an evaluation strictly: the verdict's value is the JSON that it states, of the whole schema, true or not.

    >>> str(read("Gaps: SQL."))
    'form at header: the section is missing'
    """
    text = text.strip()
    if not text:
        return Verdict(reason=Reason.EMPTY, detail="no text")
    scanned = scan(text)
    for where, detail in _faults(scanned):
        return Verdict(reason=Reason.FORM, where=where, detail=detail)
    value = _value(scanned)
    if write(value) != text:
        return Verdict(
            reason=Reason.FORM,
            where="layout",
            detail="the sections are not in order, or not laid out as an evaluation is",
        )
    return Verdict(value)


def _faults(scanned: Scan) -> Iterator[tuple[str, str]]:
    """Everything that keeps a scan from being one complete evaluation, as (section, fault)."""
    for number, line in scanned.strange:
        yield f"line {number}", f'"{line[:40]}" is no sentence of an evaluation'
    for name in SECTIONS:
        if not scanned.claims[name]:
            yield name, "the section is missing"
        elif name != "requirements" and len(scanned.claims[name]) > 1:
            yield name, "the section stands twice"
    seen: set[str] = set()
    for item in scanned.claims["requirements"]:
        if item["skill"] in seen:
            yield "requirements", f"{item['skill']} stands twice"
        if item["quote"] and item["found"] == "none":
            yield "requirements", f"the quote for {item['skill']} shows no level, or several"
        seen.add(item["skill"])
    if any(experience["years"] < 0 for experience, _ in scanned.claims["experience"]):
        yield "experience", "the sum of the periods is missing"


def _value(scanned: Scan) -> dict[str, Any]:
    """The answer that a complete scan states."""
    claims = {name: values[0] for name, values in scanned.claims.items()}
    requirements = scanned.claims["requirements"]
    experience, periods = claims["experience"]
    missing = [item["skill"] for item in requirements if item["verdict"] == "missing"]
    if experience["verdict"] == "missing":
        missing.append(EXPERIENCE)
    met, total = claims["met"]
    return {
        "candidate": claims["header"][0],
        "role": claims["header"][1],
        "requirements": requirements,
        "experience": experience,
        "periods": periods,
        "strengths": claims["strengths"],
        "gaps": claims["gaps"],
        "missing": missing,
        "met": met,
        "total": total,
        "score": claims["score"],
        "recommendation": claims["recommendation"],
    }


def _requirement_line(item: Mapping[str, Any]) -> str:
    """One line of evidence."""
    verb = "Requires" if item["importance"] == "required" else "Prefers"
    evidence = f'"{item["quote"]}"' if item["quote"] else "no evidence"
    return f"{verb} {item['needed']} {item['skill']}: {evidence}, {item['verdict']}."


def _experience_line(experience: Mapping[str, Any], periods: list[str]) -> str:
    """The line on experience; a single period that is a duration needs no sum."""
    months = 12 * experience["years"] + experience["months"]
    needs = span(12 * experience["required_years"]) if experience["required_years"] else "0 years"
    if not periods:
        return f"Requires {needs}: no evidence, {experience['verdict']}."
    quotes = " and ".join(f'"{period}"' for period in periods)
    total = "" if _months(periods[0]) is not None and len(periods) == 1 else f", {span(months)}"
    return f"Requires {needs}: {quotes}{total}, {experience['verdict']}."


def _months(text: str) -> int | None:
    """The months in a duration, or None where the text is none."""
    match = _SPAN.fullmatch(text)
    return 12 * int(match[1] or 0) + int(match[2] or 0) if match and text else None


def _recognise(line: str, scanned: Scan) -> bool:
    """Add the section that a piece of text is; False where it is none."""
    if match := _REQUIREMENT.fullmatch(line):
        verb, needed, skill, quote, verdict = match.groups()
        levels = _LEVEL.findall(quote or "")
        importance = "required" if verb == "Requires" else "preferred"
        level = levels[0] if len(levels) == 1 else "none"
        item = {
            "skill": skill,
            "importance": importance,
            "needed": needed,
            "found": level,
            "quote": quote or "",
            "verdict": verdict,
        }
        scanned.add("requirements", item)
    elif match := _EXPERIENCE.fullmatch(line):
        years, quotes, total, verdict = match.groups()
        periods = _QUOTED.findall(quotes or "")
        months = _months(total or (periods[0] if len(periods) == 1 else "")) if periods else 0
        whole, rest = (-1, 0) if months is None else divmod(months, 12)
        scanned.add(
            "experience", ({"required_years": int(years), "years": whole, "months": rest, "verdict": verdict}, periods)
        )
    elif match := _LIST.fullmatch(line):
        scanned.add(match[1].lower(), [] if match[2] == "none" else match[2].split(", "))
    elif match := _MET.fullmatch(line):
        met, of, preferred_met, preferred = (int(count or 0) for count in match.groups())
        scanned.add("met", ({"required": met, "preferred": preferred_met}, {"required": of, "preferred": preferred}))
    elif match := _SCORE.fullmatch(line):
        scanned.add("score", int(match[1]))
    elif match := _RECOMMENDATION.fullmatch(line):
        scanned.add("recommendation", match[1])
    elif match := _HEADER.fullmatch(line):
        scanned.add("header", (match[1], match[2]))
    else:
        return False
    return True
