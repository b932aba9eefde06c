"""The reward terms for an evaluation of a CV. Pure.

Every term takes the text and the case and gives a score in [0, 1]: 1 for the gold text, 0 for text that is no
evaluation. Terms score what was recognised (:func:`.form.scan`), so that careless prose earns what its sound parts are
worth. A section stated twice scores as absent, and a requirement that the job does not have counts as one more error:
contradicting oneself, repeating and listing everything do not pay.
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


def read(prose: str, _inputs: Mapping[str, Input]) -> Verdict:
    """The whole-schema JSON that an evaluation states, or the first reason why it is none; see :func:`.form.read`."""
    return form.read(prose)


def accuracy(prose: str, case: Case) -> float:
    """The share of verdicts that are right: each requirement, the experience, the score and the recommendation."""
    scanned, gold = _scan(prose), case.answer
    claims = _claims(scanned)
    right = sum(_agree(claims.get(_key(item)), item, "importance", "verdict") for item in gold["requirements"])
    experience = scanned.only("experience")
    right += experience is not None and experience[0]["verdict"] == gold["experience"]["verdict"]
    right += sum(scanned.only(name) == gold[name] for name in ("score", "recommendation"))
    return float(right / (len(gold["requirements"]) + 3 + _surplus(scanned, case)))


def explanation(prose: str, case: Case) -> float:
    """How well the verdicts are supported: evidence on each line, and a summary that follows from the lines.

    Half of a line's score is for what the job asks for, half for what the CV shows, quoted word for word. The summary
    (strengths, gaps, counts, and score with recommendation) is compared with the evaluation's own lines, true or not,
    and weighs as much as the share of the requirements that have a line. A strength or gap that contradicts its line
    counts as one more error.
    """
    scanned, gold = _scan(prose), case.answer
    claims = _claims(scanned)
    evidence = sum(_grounded(claims.get(_key(item)), item, case) for item in gold["requirements"])
    experience = scanned.only("experience")
    if experience is not None:
        claim, periods = experience
        truth = gold["experience"]
        evidence += 0.5 * (claim["required_years"] == truth["required_years"])
        evidence += 0.5 * (
            (claim["years"], claim["months"], periods) == (truth["years"], truth["months"], gold["periods"])
        )
    items = len(gold["requirements"]) + 1
    covered = (sum(_key(item) in claims for item in gold["requirements"]) + (experience is not None)) / items
    return (evidence + covered * _consistency(scanned)) / (
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
    """The share of the required parts that are present: candidate and role, each requirement, each section."""
    scanned, gold = _scan(prose), case.answer
    claims = {_key(item) for item in scanned.claims["requirements"]}
    present = _named(scanned, case) + sum(_key(item) in claims for item in gold["requirements"])
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


def _key(item: Mapping[str, Any]) -> str:
    """What identifies the requirement that a claim is about."""
    return str(item["skill"])


def _claims(scanned: form.Scan) -> dict[str, Mapping[str, Any]]:
    """The requirement lines by skill; a skill with two lines has none."""
    lines = scanned.claims["requirements"]
    keys = [_key(item) for item in lines]
    return {key: item for key, item in zip(keys, lines, strict=True) if keys.count(key) == 1}


def _agree(claim: Mapping[str, Any] | None, truth: Mapping[str, Any], *names: str) -> bool:
    """Whether there is a claim, and it equals the truth in all of these fields."""
    return claim is not None and all(claim[name] == truth[name] for name in names)


def _surplus(scanned: form.Scan, case: Case) -> int:
    """Requirement lines beyond one for each requirement of the job."""
    asked = {_key(item) for item in case.answer["requirements"]}
    claims = [_key(item) for item in scanned.claims["requirements"]]
    return len(claims) - len(asked & {*claims})


def _named(scanned: form.Scan, case: Case) -> bool:
    """Whether the evaluation is of this candidate for this role."""
    return bool(scanned.only("header") == (case.answer["candidate"], case.answer["role"]))


def _grounded(claim: Mapping[str, Any] | None, truth: Mapping[str, Any], case: Case) -> float:
    """Half for what the job asks for, half for what the CV shows."""
    if claim is None:
        return 0.0
    wider = bool(truth["quote"]) and truth["quote"] in claim["quote"] and claim["quote"] in case.inputs["cv"]
    shown = claim["found"] == truth["found"] and (claim["quote"] == truth["quote"] or wider)
    return 0.5 * _agree(claim, truth, "importance", "needed") + 0.5 * shown


def _unfounded(scanned: form.Scan) -> int:
    """Entries of strengths and gaps that contradict their line or have none, counted as often as they are listed."""
    verdicts = {skill: item["verdict"] for skill, item in _claims(scanned).items()}
    if (experience := scanned.only("experience")) is not None:
        verdicts[form.EXPERIENCE] = experience[0]["verdict"]
    strengths, gaps = (
        [name for listed in scanned.claims[section] for name in listed] for section in ("strengths", "gaps")
    )
    return len([name for name in strengths if verdicts.get(name) != "met"]) + len(
        [name for name in gaps if verdicts.get(name, "met") == "met"]
    )


def _consistency(scanned: form.Scan) -> int:
    """How many parts of the summary follow from the evaluation's own lines, 0 to :data:`_SUMMARY`."""
    experience = scanned.only("experience")
    lines = scanned.claims["requirements"]
    if experience is None or not lines:
        return 0
    due = judgement.summary(
        [(item["skill"], item["importance"], item["verdict"]) for item in lines], experience[0]["verdict"]
    )
    points = scanned.only("score")
    pieces = (
        scanned.only("strengths") == due["strengths"],
        scanned.only("gaps") == due["gaps"],
        scanned.only("met") == (due["met"], due["total"]),
        points == due["score"] and scanned.only("recommendation") == due["recommendation"],
    )
    return sum(pieces)
