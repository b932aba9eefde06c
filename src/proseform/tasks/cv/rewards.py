"""The reward terms for an evaluation of a CV. Pure.

Every term takes the text and the case and gives a score in [0, 1]: 1 for the gold text, 0 for text that is no
evaluation. Terms score what was recognised (:func:`.form.scan`), so that careless prose earns what its sound parts are
worth. A section stated twice scores as absent, and a requirement that the job does not have counts as one more error:
contradicting oneself, repeating and listing everything do not pay.

Nor does judging unread. A line counts only with its evidence, quoted as it stands in the CV, or rightly with none
(:func:`_worths`); that there is none counts as far as the evaluation has found what is there, since who looks for
nothing finds nothing. What follows from the lines counts as far as they do, and a quote that stands nowhere in the CV
is one more error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from proseform.schema import Schema
from proseform.tasks.cv import form, judgement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proseform.case import Case
    from proseform.input import Input
    from proseform.verdict import Verdict

ATTEMPT = 0.5
"""The most that ``format`` gives to a text which the strict reader refuses."""
SLACK = 1.15
"""Length, against the gold text, up to which ``concision`` is full; at twice the gold it is 0."""
ASKED = 0.25
"""What the job's words weigh in a line's evidence; the rest is for the CV's."""


def read(prose: str, _inputs: Mapping[str, Input]) -> Verdict:
    """The whole-schema JSON that an evaluation states, or the first reason why it is none; see :func:`.form.read`."""
    return form.read(prose)


def accuracy(prose: str, case: Case) -> float:
    """The share of verdicts that are right, each with its evidence.

    Score and recommendation count as one each, as far as the lines that they follow from have their evidence.
    """
    held, gold = _held(prose, case), case.answer
    right = sum(
        worth
        for worth, line, item in zip(held.worths, held.lines, gold["requirements"], strict=True)
        if _agree(line, item, "importance", "verdict")
    )
    right += held.share * sum(held.scanned.only(name) == gold[name] for name in ("score", "recommendation"))
    return float(right / (len(held.lines) + 2 + held.errors))


def explanation(prose: str, case: Case) -> float:
    """How well the verdicts are supported: evidence on each line, and a summary that follows from the lines.

    Of a line with the right evidence (:func:`_worths`), :data:`ASKED` is for the job's words. The summary (strengths,
    gaps, counts, and score with recommendation) is compared with the evaluation's own lines, true or not, and weighs
    as much as the square of the share of lines with the right evidence: that a text follows from itself says little.
    A strength or gap that contradicts its line counts as one more error.
    """
    held = _held(prose, case)
    evidence = sum(
        worth * (1.0 if _agree(line, item, "importance", "needs") else 1 - ASKED)
        for worth, line, item in zip(held.worths, held.lines, case.answer["requirements"], strict=True)
    )
    summary = held.share**2 * _consistency(held.scanned) if held.share else 0.0
    return (evidence + summary) / (len(held.lines) + _SUMMARY + held.errors + _unfounded(held.scanned))


def format(prose: str, case: Case) -> float:  # noqa: A001 - the rubric's word
    """1 where the verifier accepts the text; else at most :data:`ATTEMPT`, by the share of sections stated once."""
    held = _held(prose, case)
    scanned = held.scanned
    verdict = form.read(prose, scanned)
    if verdict.ok and _schema().fault(verdict.value) is None:
        return 1.0
    once = sum(scanned.only(name) is not None for name in form.SECTIONS[2:]) + held.named + bool(_claims(scanned))
    repeats = len(scanned.kinds) - len({*scanned.kinds}) - max(0, len(scanned.claims["requirements"]) - 1)
    return ATTEMPT * once / (len(form.SECTIONS) + len(scanned.strange) + repeats + held.errors)


def coverage(prose: str, case: Case) -> float:
    """The share of the due parts that are present: candidate and role, requirements with their evidence, sections.

    Names are copied, and sections sum the requirements up: both count as far as those have their evidence.
    """
    held = _held(prose, case)
    sections = sum(bool(held.scanned.claims[name]) for name in form.SECTIONS[2:])
    present = sum(held.worths) + held.share * (held.named + sections)
    return present / (len(held.lines) + len(form.SECTIONS) - 1 + held.invented)


def concision(prose: str, case: Case) -> float:
    """Coverage, times the share of lines that are sections stated for the first time, times a factor for length.

    The factor is 1 up to :data:`SLACK` times the gold's length and falls to 0 at twice that length.
    """
    lines = [line.strip() for line in prose.split("\n") if line.strip()]
    if not lines:
        return 0.0
    fresh = len({*lines}) - len({number for number, _ in _held(prose, case).scanned.strange})
    ratio = len(prose.strip()) / len(case.prose)
    within = min(1.0, max(0.0, (2 - ratio) / (2 - SLACK)))
    return coverage(prose, case) * max(0.0, fresh / len(lines)) * within


TERMS: Mapping[str, Callable[[str, Case], float]] = {
    "accuracy": accuracy,
    "explanation": explanation,
    "format": format,
    "coverage": coverage,
    "concision": concision,
}

_SUMMARY = 4
"""Parts of the summary that :func:`explanation` compares with the evidence."""


@cache
def _schema() -> Schema:
    """The task's schema: its bounds are not part of the form."""
    return Schema(json.loads((resources.files(__package__) / "schema.json").read_text()), "cv/schema.json")


@dataclass(frozen=True, slots=True)
class _Held:
    """An evaluation held against its case.

    Attributes:
        scanned: What it states.
        lines: The line of each of the job's requirements, where there is one.
        worths: What each is worth; see :func:`_worths`.
        share: Their mean.
        named: Whether it is of this candidate for this role.
        invented: Requirement lines with a quote that stands nowhere in the CV; gold quotes may be folded.
        errors: Those, and lines of what the job does not ask for, or twice.
    """

    scanned: form.Scan
    lines: list[Mapping[str, Any] | None]
    worths: list[float]
    share: float
    named: bool
    invented: int
    errors: int


class _Same:
    """A case, equal to itself alone; it can be a key of a cache, as a case cannot."""

    __slots__ = ("case",)

    def __init__(self, case: Case) -> None:
        self.case = case

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.case is other.case

    def __hash__(self) -> int:
        return id(self.case)


def _held(prose: str, case: Case) -> _Held:
    """An evaluation held against its case, once for all terms: they ask one after the other, and change nothing."""
    return _held_once(prose, _Same(case))


@lru_cache(maxsize=1)
def _held_once(prose: str, same: _Same) -> _Held:
    case, scanned = same.case, form.scan(prose)
    claims, due, cv = _claims(scanned), case.answer["requirements"], case.inputs["cv"]
    lines = [claims.get(form.key(item)) for item in due]
    stated = scanned.claims["requirements"]
    surplus = len(stated) - len({*map(form.key, due)} & {*map(form.key, stated)})
    known = {quote for item in due for quote in (*item["quotes"], *item["periods"])}
    invented = sum(
        any(quote not in known and quote not in cv for quote in (*line["quotes"], *line["periods"])) for line in stated
    )
    shown = [_shown(line, item, cv) for line, item in zip(lines, due, strict=True)]
    worths = _worths(shown, [bool(item["quotes"] or item["periods"]) for item in due])
    named = scanned.only("header") == tuple(case.answer[name] for name in ("candidate", "role", "as_of"))
    return _Held(scanned, lines, worths, sum(worths) / len(worths), named, invented, surplus + invented)


def _claims(scanned: form.Scan) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The requirement lines by what they are about; what has two lines has none."""
    lines = scanned.claims["requirements"]
    keys = [form.key(item) for item in lines]
    return {key: item for key, item in zip(keys, lines, strict=True) if keys.count(key) == 1}


def _agree(claim: Mapping[str, Any] | None, truth: Mapping[str, Any], *names: str) -> bool:
    """Whether there is a claim, and it equals the truth in all of these fields."""
    return claim is not None and all(claim[name] == truth[name] for name in names)


def _shown(line: Mapping[str, Any] | None, truth: Mapping[str, Any], cv: str) -> bool:
    """Whether a line has the evidence of the CV: the same quotes, or wider ones that stand there, and the same time."""
    if line is None or not _agree(line, truth, "periods", "months"):
        return False
    pairs = zip(line["quotes"], truth["quotes"], strict=False)
    return len(line["quotes"]) == len(truth["quotes"]) and all(
        quote == gold or (gold in quote and quote in cv) for quote, gold in pairs
    )


def _worths(shown: Sequence[bool], there: Sequence[bool]) -> list[float]:
    """What each line's evidence is worth, 0 to 1.

    Args:
        shown: Whether each line has the evidence that is due, which may be none.
        there: Whether the CV has any for it.

    >>> _worths([True, False, True, True], there=[True, True, False, False])
    [1.0, 0.0, 0.5, 0.5]
    """
    found = [one for one, any_ in zip(shown, there, strict=True) if any_]
    share = sum(found) / len(found) if found else 1.0
    return [one * (1.0 if any_ else share) for one, any_ in zip(shown, there, strict=True)]


def _unfounded(scanned: form.Scan) -> int:
    """Entries of strengths and gaps that contradict their line or have none, counted as often as they are listed."""
    verdicts = {subject: item["verdict"] for (_, subject), item in _claims(scanned).items()}
    strengths, gaps = (
        [name for listed in scanned.claims[section] for name in listed] for section in ("strengths", "gaps")
    )
    return len([name for name in strengths if verdicts.get(name) != "met"]) + len(
        [name for name in gaps if verdicts.get(name, "met") == "met"]
    )


def _consistency(scanned: form.Scan) -> int:
    """How many parts of the summary follow from the evaluation's own lines, 0 to :data:`_SUMMARY`."""
    lines = scanned.claims["requirements"]
    if not lines:
        return 0
    due = judgement.summary(lines)
    pieces = (
        scanned.only("strengths") == due["strengths"],
        scanned.only("gaps") == due["gaps"],
        scanned.only("met") == (due["required"], due["preferred"]),
        scanned.only("score") == due["score"] and scanned.only("recommendation") == due["recommendation"],
    )
    return sum(pieces)
