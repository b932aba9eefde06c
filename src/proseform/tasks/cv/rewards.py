"""The reward terms for an evaluation of a CV. Pure.

Every term takes the text and the case and gives a score in [0, 1]: 1 for the gold text, 0 for text that is no
evaluation. Terms score what was recognised (:func:`.form.scan`), so that careless prose earns what its sound parts are
worth. A section stated twice scores as absent, and a requirement that the job does not have counts as one more error:
contradicting oneself, repeating and listing everything do not pay. Nor does judging unread: a verdict counts only with
its evidence, quoted as it stands in the CV, or rightly with none.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from proseform.schema import Schema
from proseform.tasks.cv import form, judgement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    """The share of verdicts that are right, each with its evidence; score and recommendation count as one each."""
    scanned, gold = _scan(prose), case.answer
    claims = _claims(scanned)
    right = sum(
        _agree(claim := claims.get(form.key(item)), item, "importance", "verdict") and _shown(claim, item, case)
        for item in gold["requirements"]
    )
    right += sum(scanned.only(name) == gold[name] for name in ("score", "recommendation"))
    return float(right / (len(gold["requirements"]) + 2 + _surplus(scanned, case)))


def explanation(prose: str, case: Case) -> float:
    """How well the verdicts are supported: evidence on each line, and a summary that follows from the lines.

    A line's evidence is :data:`ASKED` for what the job asks for, the rest for what the CV shows, quoted word for word.
    The summary (strengths, gaps, counts, and score with recommendation) is compared with the evaluation's own lines,
    true or not, and weighs as much as the share of lines with the right evidence. A strength or gap that contradicts
    its line counts as one more error.
    """
    scanned, gold = _scan(prose), case.answer
    claims = _claims(scanned)
    evidence, supported = 0.0, 0
    for item in gold["requirements"]:
        claim = claims.get(form.key(item))
        shown = _shown(claim, item, case)
        evidence += ASKED * _agree(claim, item, "importance", "needs") + (1 - ASKED) * shown
        supported += shown
    items = len(gold["requirements"])
    return (evidence + supported / items * _consistency(scanned)) / (
        items + _SUMMARY + _surplus(scanned, case) + _unfounded(scanned)
    )


def format(prose: str, case: Case) -> float:  # noqa: A001 - the rubric's word
    """1 where the verifier accepts the text; else at most :data:`ATTEMPT`, by the share of sections stated once."""
    verdict = form.read(prose)
    if verdict.ok and _schema().fault(verdict.value) is None:
        return 1.0
    scanned = _scan(prose)
    once = (
        sum(scanned.only(name) is not None for name in form.SECTIONS[2:])
        + _named(scanned, case)
        + bool(_claims(scanned))
    )
    repeats = len(scanned.kinds) - len({*scanned.kinds}) - max(0, len(scanned.claims["requirements"]) - 1)
    return ATTEMPT * once / (len(form.SECTIONS) + len(scanned.strange) + repeats + _surplus(scanned, case))


def coverage(prose: str, case: Case) -> float:
    """The share of the due parts that are present: candidate and role, requirements with their evidence, sections."""
    scanned, gold = _scan(prose), case.answer
    claims = _claims(scanned)
    present = _named(scanned, case) + sum(
        _shown(claims.get(form.key(item)), item, case) for item in gold["requirements"]
    )
    present += sum(bool(scanned.claims[name]) for name in form.SECTIONS[2:])
    return present / (len(gold["requirements"]) + len(form.SECTIONS) - 1)


def concision(prose: str, case: Case) -> float:
    """Coverage, times the share of lines that are sections stated for the first time, times a factor for length.

    The factor is 1 up to :data:`SLACK` times the gold's length and falls to 0 at twice that length.
    """
    scanned = _scan(prose)
    lines = [line.strip() for line in prose.split("\n") if line.strip()]
    if not lines:
        return 0.0
    fresh = len({*lines}) - len({number for number, _ in scanned.strange})
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


@lru_cache(maxsize=1)
def _scan(prose: str) -> form.Scan:
    """What a text states; scanned once for all terms, which ask one after the other and change nothing in it."""
    return form.scan(prose)


def _claims(scanned: form.Scan) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The requirement lines by what they are about; what has two lines has none."""
    lines = scanned.claims["requirements"]
    keys = [form.key(item) for item in lines]
    return {key: item for key, item in zip(keys, lines, strict=True) if keys.count(key) == 1}


def _agree(claim: Mapping[str, Any] | None, truth: Mapping[str, Any], *names: str) -> bool:
    """Whether there is a claim, and it equals the truth in all of these fields."""
    return claim is not None and all(claim[name] == truth[name] for name in names)


def _surplus(scanned: form.Scan, case: Case) -> int:
    """Requirement lines beyond one for each requirement of the job."""
    asked = {form.key(item) for item in case.answer["requirements"]}
    claims = [form.key(item) for item in scanned.claims["requirements"]]
    return len(claims) - len(asked & {*claims})


def _named(scanned: form.Scan, case: Case) -> bool:
    """Whether the evaluation is of this candidate for this role."""
    return bool(scanned.only("header") == tuple(case.answer[name] for name in ("candidate", "role", "as_of")))


def _shown(claim: Mapping[str, Any] | None, truth: Mapping[str, Any], case: Case) -> bool:
    """Whether a line has the evidence of the CV: the same quotes, or wider ones that stand there, and the same time."""
    if claim is None or not _agree(claim, truth, "periods", "months"):
        return False
    pairs = zip(claim["quotes"], truth["quotes"], strict=False)
    return len(claim["quotes"]) == len(truth["quotes"]) and all(
        quote == gold or (gold in quote and quote in case.inputs["cv"]) for quote, gold in pairs
    )


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
