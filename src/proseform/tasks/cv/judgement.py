"""The rule of judgement: from what a job asks for and a CV shows to the exact answer. Deterministic.

Score: ``100 x (2 x required met + preferred met) / (2 x required + preferred)``, half rounded up, where the years of
experience count as one required item and what is only ``below`` counts as unmet. From :data:`INTERVIEW` on the
recommendation is ``interview``, from :data:`CONSIDER` on ``consider``, else ``reject``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from proseform.tasks.cv.form import EXPERIENCE, SKILL_LEVELS

INTERVIEW = 75
"""Lowest score that is recommended for an interview."""
CONSIDER = 50
"""Lowest score that is recommended for consideration."""
REQUIRED_WEIGHT = 2
"""What a required item weighs against a preferred one."""


def score(met: Mapping[str, int], total: Mapping[str, int]) -> int:
    """The score of counts of required and preferred items, 0 to 100.

    >>> score({"required": 2, "preferred": 1}, {"required": 3, "preferred": 1})
    71
    """
    got, most = (REQUIRED_WEIGHT * counts["required"] + counts["preferred"] for counts in (met, total))
    return (200 * got + most) // (2 * most) if most else 0


def recommendation(points: int) -> str:
    """The recommendation that a score earns."""
    return "interview" if points >= INTERVIEW else "consider" if points >= CONSIDER else "reject"


def skill_verdict(needed: str, shown: str) -> str:
    """``met``, ``below`` or ``missing``; ``found`` may be ``none``."""
    if shown == "none":
        return "missing"
    return "met" if SKILL_LEVELS.index(shown) >= SKILL_LEVELS.index(needed) else "below"


def judge(
    *,
    candidate: str,
    role: str,
    requirements: Sequence[Mapping[str, str]],
    required_years: int,
    months: int,
    periods: Sequence[str],
) -> dict[str, Any]:
    """The exact answer of the whole schema.

    Args:
        candidate: Full name.
        role: The job's title.
        requirements: Each with ``skill``, ``importance``, ``needed``, ``found`` and ``quote``.
        required_years: Minimum years.
        months: Months that the CV shows.
        periods: The CV's words for them.
    """
    items = [{**item, "verdict": skill_verdict(item["needed"], item["found"])} for item in requirements]
    verdict = "missing" if months == 0 else "met" if months >= 12 * required_years else "below"
    return {
        "candidate": candidate,
        "role": role,
        "requirements": items,
        "experience": {
            "required_years": required_years,
            "years": months // 12,
            "months": months % 12,
            "verdict": verdict,
        },
        "periods": list(periods),
        **summary([(item["skill"], item["importance"], item["verdict"]) for item in items], verdict),
    }


def summary(items: Iterable[tuple[str, str, str]], experience: str) -> dict[str, Any]:
    """Everything that follows from verdicts alone: strengths, gaps, missing, met, total, score, recommendation.

    Args:
        items: Skill, importance and verdict of each requirement.
        experience: The verdict on experience.
    """
    rows = [*items, (EXPERIENCE, "required", experience)]
    kinds = ("required", "preferred")
    met = {kind: sum(importance == kind and verdict == "met" for _, importance, verdict in rows) for kind in kinds}
    total = {kind: sum(importance == kind for _, importance, _ in rows) for kind in kinds}
    points = score(met, total)
    return {
        "strengths": [name for name, _, verdict in rows if verdict == "met"],
        "gaps": [name for name, _, verdict in rows if verdict != "met"],
        "missing": [name for name, _, verdict in rows if verdict == "missing"],
        "met": met,
        "total": total,
        "score": points,
        "recommendation": recommendation(points),
    }
