"""What an evaluation of a CV is rewarded for. Pure.

Every term takes the text and the case and gives [0, 1]: 1 for the gold text, 0 for text that is no evaluation. Terms
look at what was recognised (:func:`.form.scan`), so that careless prose earns what its sound parts are worth.
A section that is said twice is said not at all, and a requirement that the job does not have counts as one more
thing got wrong: contradiction, repetition and listing everything do not pay.
"""

from __future__ import annotations

import json
from functools import cache
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


def read(prose: str, _inputs: Mapping[str, Input]) -> Verdict:
    """The whole-schema JSON that an evaluation states, or the first reason why it is none; see :func:`.form.read`."""
    return form.read(prose)


def accuracy(prose: str, case: Case) -> float:
    """The share of verdicts that are right: each requirement, the experience, the score and the recommendation."""
    found, gold = form.scan(prose), case.answer
    claims = _claims(found)
    right = sum(_agree(claims.get(_key(item)), item, "importance", "verdict") for item in gold["requirements"])
    experience = found.only("experience")
    right += experience is not None and experience[0]["verdict"] == gold["experience"]["verdict"]
    right += sum(found.only(name) == gold[name] for name in ("score", "recommendation"))
    return float(right / (len(gold["requirements"]) + 3 + _surplus(found, case)))


def explanation(prose: str, case: Case) -> float:
    """How well the verdicts are grounded: evidence for each line, and a summary that follows from the lines.

    A line of evidence is worth half for what the job wants and half for what the CV shows, quoted as it stands there.
    The summary (strengths, gaps, counts, and score with recommendation) is held against the evaluation's
    own lines, true or not, and is worth the share of the requirements that have a line. A strength or gap that its own
    line does not bear out counts as one more thing got wrong.
    """
    found, gold = form.scan(prose), case.answer
    claims = _claims(found)
    evidence = sum(_grounded(claims.get(_key(item)), item, case) for item in gold["requirements"])
    experience = found.only("experience")
    if experience is not None:
        claim, periods = experience
        truth = gold["experience"]
        evidence += 0.5 * (claim["required_years"] == truth["required_years"])
        evidence += 0.5 * (
            (claim["years"], claim["months"], periods) == (truth["years"], truth["months"], gold["periods"])
        )
    items = len(gold["requirements"]) + 1
    covered = (sum(_key(item) in claims for item in gold["requirements"]) + (experience is not None)) / items
    return (evidence + covered * _consistency(found)) / (items + _SUMMARY + _surplus(found, case) + _unfounded(found))


def format(prose: str, case: Case) -> float:  # noqa: A001 - the rubric's word
    """1 where the verifier accepts the text; else at most :data:`ATTEMPT`, by the share of sections said once."""
    verdict = form.read(prose)
    if verdict.ok and _schema().fault(verdict.value) is None:
        return 1.0
    found = form.scan(prose)
    once = sum(found.only(name) is not None for name in form.SECTIONS[2:]) + _named(found, case) + bool(_claims(found))
    repeats = len(found.kinds) - len({*found.kinds}) - max(0, len(found.said["requirements"]) - 1)
    return ATTEMPT * once / (len(form.SECTIONS) + len(found.strange) + repeats + _surplus(found, case))


def coverage(prose: str, case: Case) -> float:
    """The share of what an evaluation owes that is there: this candidate and role, each requirement, each section."""
    found, gold = form.scan(prose), case.answer
    said = {_key(item) for item in found.said["requirements"]}
    there = _named(found, case) + sum(_key(item) in said for item in gold["requirements"])
    there += sum(bool(found.said[name]) for name in form.SECTIONS[2:])
    return there / (len(gold["requirements"]) + len(form.SECTIONS) - 1)


def concision(prose: str, case: Case) -> float:
    """Coverage, times the share of the text that is sections said for the first time, times how well it keeps the budget.

    The budget is full up to :data:`SLACK` times the gold's length and 0 from twice its length on.
    """
    found = form.scan(prose)
    lines = [line.strip() for line in prose.split("\n") if line.strip()]
    if not lines:
        return 0.0
    fresh = len({*lines}) - len({number for number, _ in found.strange})
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
"""Pieces of the summary that :func:`explanation` holds against the evidence."""


@cache
def _schema() -> Schema:
    """The task's schema, whose bounds the form alone does not know."""
    return Schema(json.loads((resources.files(__package__) / "schema.json").read_text()), "cv/schema.json")


def _key(item: Mapping[str, Any]) -> str:
    """What makes two claims speak of the same requirement."""
    return str(item["skill"])


def _claims(found: form.Scan) -> dict[str, Mapping[str, Any]]:
    """The requirement lines that speak of their skill alone; a skill with two lines has none."""
    lines = found.said["requirements"]
    keys = [_key(item) for item in lines]
    return {key: item for key, item in zip(keys, lines, strict=True) if keys.count(key) == 1}


def _agree(claim: Mapping[str, Any] | None, truth: Mapping[str, Any], *names: str) -> bool:
    """Whether a claim exists and says the truth in all of these fields."""
    return claim is not None and all(claim[name] == truth[name] for name in names)


def _surplus(found: form.Scan, case: Case) -> int:
    """Requirement lines beyond one for each requirement of the job."""
    wanted = {_key(item) for item in case.answer["requirements"]}
    said = [_key(item) for item in found.said["requirements"]]
    return len(said) - len(wanted & {*said})


def _named(found: form.Scan, case: Case) -> bool:
    """Whether the evaluation is of this candidate for this role."""
    return bool(found.only("header") == (case.answer["candidate"], case.answer["role"]))


def _grounded(claim: Mapping[str, Any] | None, truth: Mapping[str, Any], case: Case) -> float:
    """Half for the job's side, half for the CV's."""
    if claim is None:
        return 0.0
    wider = bool(truth["quote"]) and truth["quote"] in claim["quote"] and claim["quote"] in case.inputs["cv"]
    shown = claim["found"] == truth["found"] and (claim["quote"] == truth["quote"] or wider)
    return 0.5 * _agree(claim, truth, "importance", "needed") + 0.5 * shown


def _unfounded(found: form.Scan) -> int:
    """Strengths whose lines do not say met, gaps whose lines do, and those without a line, each time they are listed."""
    verdicts = {skill: item["verdict"] for skill, item in _claims(found).items()}
    if (experience := found.only("experience")) is not None:
        verdicts[form.EXPERIENCE] = experience[0]["verdict"]
    strengths, gaps = ([name for listed in found.said[section] for name in listed] for section in ("strengths", "gaps"))
    return len([name for name in strengths if verdicts.get(name) != "met"]) + len(
        [name for name in gaps if verdicts.get(name, "met") == "met"]
    )


def _consistency(found: form.Scan) -> int:
    """How many pieces of the summary follow from the evaluation's own lines, 0 to :data:`_SUMMARY`."""
    experience = found.only("experience")
    lines = found.said["requirements"]
    if experience is None or not lines:
        return 0
    due = judgement.summary(
        [(item["skill"], item["importance"], item["verdict"]) for item in lines], experience[0]["verdict"]
    )
    points = found.only("score")
    pieces = (
        found.only("strengths") == due["strengths"],
        found.only("gaps") == due["gaps"],
        found.only("met") == (due["met"], due["total"]),
        points == due["score"] and found.only("recommendation") == due["recommendation"],
    )
    return sum(pieces)
