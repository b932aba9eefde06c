"""The form of an evaluation: one writer, one reader, so that they cannot drift apart.

An evaluation is evidence first, requirement by requirement, then the verdict::

    Amina Okafor for Data Engineer.
    Requires advanced skill Python: "advanced Python", met.
    Requires 3 years skill Kafka: "Streams in Kafka" from "2019-03 to 2021-02", 2 years, partly.
    Requires 3 years experience: "5 years", met.
    Prefers B2 language German: "German", unclear.
    Requires permit work permit: no evidence, unclear.
    Strengths: Python, experience.
    Gaps: Kafka, German, work permit.
    Met 2 and partly 1 of 4, 0 and 0 of 1 preferred. Score: 56. Recommendation: consider.

What stands before the colon are the job's words, what stands in quotes are the CV's. Time that counts is quoted as
periods, with their sum unless the only one is a duration itself. Where the CV says when it was written, the first line
does too, "for Data Engineer as of May 2025": that is what "present" means. What the reader knowingly leaves out:
whether any of it is true (:mod:`.rewards` compares with the case).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from proseform.claims.dates import duration
from proseform.tasks.cv.judgement import EXPERIENCE
from proseform.verdict import Reason, Verdict

SECTIONS = ("header", "requirements", "strengths", "gaps", "met", "score", "recommendation")
"""The sections of an evaluation, in order; ``requirements`` is one line for each, the last three share a line."""
ONE_LINE = SECTIONS.index("met")
"""The first of the sections that share the last line."""
LONGEST = 20_000
"""Characters beyond which a text is not read at all."""

_TEXT, _NAME, _QUOTE, _PERIOD = r'[^",:\n]{1,90}?', r'[^":\n]{1,60}', r'"[^"\n]{1,120}"', r'"[^"\n]{1,40}"'
_QUOTES, _PERIODS = rf"{_QUOTE}(?: and {_QUOTE}){{0,3}}", rf"{_PERIOD}(?: and {_PERIOD}){{0,11}}"
_NEEDS = r'(?:(?P<needs>[^",:\n]{1,40}?) )??'
_VERDICT = r"(?P<verdict>met|partly|missing|unclear)\."
_SUM = r"(?:, (?P<sum>[0-9a-z ]{6,20}))?"
_HEADER = re.compile(rf"({_NAME}?) for ({_NAME}?)(?: as of ({_NAME}))?\.")
_REQUIREMENT = re.compile(
    rf"(?P<verb>Requires|Prefers) {_NEEDS}(?P<kind>skill|degree|language|certificate|permit|place) "
    rf"(?P<subject>{_TEXT}): "
    rf"(?:(?P<quotes>{_QUOTES})(?: from (?P<periods>{_PERIODS}){_SUM})?|no evidence), {_VERDICT}"
)
_EXPERIENCE = re.compile(
    rf"(?P<verb>Requires|Prefers) {_NEEDS}(?P<kind>experience): "
    rf"(?:(?P<periods>{_PERIODS}){_SUM}|no evidence), {_VERDICT}"
)
_LIST = re.compile(r'(Strengths|Gaps): ([^":\n]{1,1000})\.')
_COUNTS = r"([0-9]{1,2}) and (?:partly )?([0-9]{1,2}) of ([0-9]{1,2})"
_MET = re.compile(rf"Met {_COUNTS}(?:, {_COUNTS} preferred)?\.")
_SCORE = re.compile(r"Score: ([0-9]{1,3})\.")
_RECOMMENDATION = re.compile(r"Recommendation: (reject|consider|interview)\.")
_CLOSE = ("Met ", "Score: ", "Recommendation: ")
_SENTENCE = re.compile(rf" (?={'|'.join(_CLOSE)})")
_QUOTED = re.compile(r'"([^"]*)"')


@dataclass(slots=True)
class Scan:
    """What was recognised in a text, section by section; a section may stand several times, or never.

    Attributes:
        claims: Section name to everything that it states, in order; values are parts of the answer.
        kinds: The sections in the order in which they stand.
        numbers: The number of each requirement's line, from 1.
        strange: Lines, and parts of the last line, that are no section, with the line's number from 1.
        lines: Lines that are not blank.
    """

    claims: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in SECTIONS})
    kinds: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
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


def key(requirement: Mapping[str, Any]) -> tuple[str, str]:
    """What a requirement is about: its kind and subject; an evaluation has one line for each."""
    return requirement["kind"], requirement.get("subject", EXPERIENCE)


def sections(answer: Mapping[str, Any]) -> dict[str, str]:
    """An answer of the whole schema as the text of each section, in order; see :data:`SECTIONS`."""
    required, preferred = answer["required"], answer["preferred"]
    wished = f", {preferred['met']} and {preferred['partly']} of {preferred['of']} preferred" if preferred["of"] else ""
    date = f" as of {answer['as_of']}" if answer["as_of"] else ""
    return {
        "header": f"{answer['candidate']} for {answer['role']}{date}.",
        "requirements": "\n".join(map(_line, answer["requirements"])),
        "strengths": f"Strengths: {', '.join(answer['strengths']) or 'none'}.",
        "gaps": f"Gaps: {', '.join(answer['gaps']) or 'none'}.",
        "met": f"Met {required['met']} and partly {required['partly']} of {required['of']}{wished}.",
        "score": f"Score: {answer['score']}.",
        "recommendation": f"Recommendation: {answer['recommendation']}.",
    }


def layout(parts: Mapping[str, str]) -> str:
    """Sections as one text: a line each, the last three on one; what is absent is left out."""
    lines = [parts[name] for name in SECTIONS[:ONE_LINE] if name in parts]
    close = " ".join(parts[name] for name in SECTIONS[ONE_LINE:] if name in parts)
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
            elif scanned.kinds[-1] == "requirements":
                scanned.numbers.append(number)
    return scanned


def read(text: str, scanned: Scan | None = None) -> Verdict:
    """Read an evaluation strictly: the verdict's value is the JSON that it states, of the whole schema, true or not.

    Args:
        text: What is read.
        scanned: What is recognised in it, where that is known; the verdict's value shares its lists.

    >>> str(read("Gaps: SQL."))
    'form at header: the section is missing'
    """
    text = text.strip()
    if not text:
        return Verdict(reason=Reason.EMPTY, detail="no text")
    scanned = scanned or scan(text)
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
    """Everything that keeps a scan from being one complete evaluation, as (section or line, fault)."""
    for number, line in scanned.strange:
        yield f"line {number}", f'"{line[:40]}" is no sentence of an evaluation'
    for name in SECTIONS:
        if not scanned.claims[name]:
            yield name, "the section is missing"
        elif name != "requirements" and len(scanned.claims[name]) > 1:
            yield name, "the section stands twice"
    seen: set[tuple[str, str]] = set()
    for number, requirement in zip(scanned.numbers, scanned.claims["requirements"], strict=True):
        if key(requirement) in seen:
            yield f"line {number}", f"{' '.join(key(requirement))} stands twice"
        if requirement["months"] < 0:
            yield f"line {number}", f"the sum of the periods for {key(requirement)[1]} is missing"
        seen.add(key(requirement))


def _value(scanned: Scan) -> dict[str, Any]:
    """The answer that a complete scan states."""
    claims = {name: values[0] for name, values in scanned.claims.items()}
    requirements = scanned.claims["requirements"]
    required, preferred = claims["met"]
    return {
        "candidate": claims["header"][0],
        "role": claims["header"][1],
        "as_of": claims["header"][2],
        "requirements": requirements,
        "strengths": claims["strengths"],
        "gaps": claims["gaps"],
        "unclear": [key(one)[1] for one in requirements if one["verdict"] == "unclear"],
        "required": required,
        "preferred": preferred,
        "score": claims["score"],
        "recommendation": claims["recommendation"],
    }


def _line(requirement: Mapping[str, Any]) -> str:
    """One requirement with its evidence."""
    verb = "Requires" if requirement["importance"] == "required" else "Prefers"
    asks = " ".join(filter(None, (verb, requirement["needs"], requirement["kind"], requirement.get("subject", ""))))
    quotes, periods = (" and ".join(f'"{text}"' for text in requirement[name]) for name in ("quotes", "periods"))
    stated = len(requirement["periods"]) == 1 and duration(requirement["periods"][0]) is not None
    total = f", {span(requirement['months'])}" if periods and not stated else ""
    evidence = " from ".join(filter(None, (quotes, periods))) + total
    return f"{asks}: {evidence or 'no evidence'}, {requirement['verdict']}."


def _requirement(match: re.Match[str]) -> dict[str, Any]:
    """What a line states; months below 0 where the sum of its periods is missing."""
    parts = match.groupdict()
    periods = _QUOTED.findall(parts["periods"] or "")
    total = parts["sum"] or (periods[0] if len(periods) == 1 else "")
    months = duration(total) if periods else 0
    return {
        "kind": parts["kind"],
        "importance": "required" if parts["verb"] == "Requires" else "preferred",
        **({"subject": parts["subject"]} if "subject" in parts else {}),
        "needs": parts["needs"] or "",
        "quotes": _QUOTED.findall(parts.get("quotes") or ""),
        "periods": periods,
        "months": -1 if months is None else months,
        "verdict": parts["verdict"],
    }


def _recognise(line: str, scanned: Scan) -> bool:
    """Add the section that a piece of text is; False where it is none."""
    if match := _REQUIREMENT.fullmatch(line) or _EXPERIENCE.fullmatch(line):
        scanned.add("requirements", _requirement(match))
    elif match := _LIST.fullmatch(line):
        scanned.add(match[1].lower(), [] if match[2] == "none" else match[2].split(", "))
    elif match := _MET.fullmatch(line):
        counts = [int(count or 0) for count in match.groups()]
        scanned.add("met", tuple(dict(zip(("met", "partly", "of"), counts[at : at + 3], strict=True)) for at in (0, 3)))
    elif match := _SCORE.fullmatch(line):
        scanned.add("score", int(match[1]))
    elif match := _RECOMMENDATION.fullmatch(line):
        scanned.add("recommendation", match[1])
    elif match := _HEADER.fullmatch(line):
        scanned.add("header", (match[1], match[2], match[3] or ""))
    else:
        return False
    return True
