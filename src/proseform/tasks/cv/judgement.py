"""The rule of judgement: from what a job asks for and a CV shows to the exact answer. Deterministic, on one page.

A requirement is ``met`` where the CV shows all that is asked; ``partly`` where it shows the thing, but less of it: a
lower level, fewer years, a lower degree; ``unclear`` where it speaks of the thing and does not say how much of it, and
for a permit or a place that it does not speak of; else ``missing``. Time is counted in calendar months, overlaps once.

A required item weighs :data:`REQUIRED_WEIGHT`, a preferred one 1; ``partly`` earns half. The score is the share that is
earned, in percent, half rounded up. From :data:`INTERVIEW` on the recommendation is ``interview``, from
:data:`CONSIDER` on ``consider``, else ``reject``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["skill", "experience", "degree", "language", "certificate", "permit", "place"]
Importance = Literal["required", "preferred"]
Verdict = Literal["met", "partly", "missing", "unclear"]

INTERVIEW = 75
"""Lowest score that is recommended for an interview."""
CONSIDER = 50
"""Lowest score that is recommended for consideration."""
REQUIRED_WEIGHT = 2
"""What a required item weighs against a preferred one."""
HALVES = {"met": 2, "partly": 1}
"""How many halves of its weight a verdict earns; none unless it stands here."""
EXPERIENCE = "experience"
"""What the requirement of experience is called among strengths and gaps."""
UNSAID: frozenset[Kind] = frozenset({"permit", "place"})
"""What CVs need not speak of: where they do not, nothing is known."""
SKILL_LEVELS = ("basic", "intermediate", "advanced")
LANGUAGE_LEVELS = ("A1", "A2", "B1", "B2", "C1", "C2")
DEGREE_LEVELS = ("vocational", "bachelor", "master", "doctorate")
SCALES: dict[Kind, tuple[str, ...]] = {
    "skill": SKILL_LEVELS,
    "language": LANGUAGE_LEVELS,
    "degree": DEGREE_LEVELS,
}
"""The levels of each kind that has any, lowest first."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a job asks for.

    Attributes:
        kind: Of what kind it is.
        importance: Required or preferred.
        subject: What it is about, in the job's words, "Kubernetes or Nomad"; empty for experience.
        needs: How much of it, in the job's words; empty where it says nothing of that.
        level: The level of the kind's scale; empty where none is asked.
        months: Months of use, or of experience; 0 where none are asked.
    """

    kind: Kind
    importance: Importance
    subject: str
    needs: str = ""
    level: str = ""
    months: int = 0

    @property
    def alternatives(self) -> list[str]:
        """The things of which any will do; the subject alone where it names one."""
        return self.subject.split(" or ")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a CV shows of it.

    Attributes:
        quotes: The CV's words for it; empty where it does not speak of it. Experience has periods alone.
        level: The level of the kind's scale; empty where the CV states none.
        periods: The CV's words for the time that counts.
        months: Months of it, overlaps once.
        whole: Whether what is shown is the thing itself: held, not expired nor begun; of the field that is asked.
    """

    quotes: tuple[str, ...] = ()
    level: str = ""
    periods: tuple[str, ...] = ()
    months: int = 0
    whole: bool = True


def verdict(need: Need, shown: Shown) -> Verdict:
    """The verdict on one requirement.

    >>> python = Need("skill", "required", "Python", "advanced", "advanced")
    >>> [verdict(python, shown) for shown in (Shown(("Python",)), Shown(("basic Python",), "basic"), Shown())]
    ['unclear', 'partly', 'missing']
    """
    if not shown.quotes and not shown.periods:
        return "unclear" if need.kind in UNSAID else "missing"
    if (need.level and not shown.level) or (need.months and not shown.months):
        return "unclear"
    scale = SCALES.get(need.kind, ())
    enough = shown.months >= need.months and (not need.level or scale.index(shown.level) >= scale.index(need.level))
    return "met" if enough and shown.whole else "partly"


def score(verdicts: Iterable[tuple[Importance, Verdict]]) -> int:
    """The score of importance and verdict of each requirement, 0 to 100.

    >>> score([("required", "met"), ("required", "partly"), ("preferred", "missing")])
    60
    """
    halves = whole = 0
    for importance, one in verdicts:
        weight = REQUIRED_WEIGHT if importance == "required" else 1
        whole += weight
        halves += weight * HALVES.get(one, 0)
    return (100 * halves + whole) // (2 * whole) if whole else 0


def recommendation(points: int) -> str:
    """The recommendation that a score earns."""
    return "interview" if points >= INTERVIEW else "consider" if points >= CONSIDER else "reject"


def judge(candidate: str, role: str, requirements: Sequence[tuple[Need, Shown]], as_of: str = "") -> dict[str, Any]:
    """The exact answer of the whole schema.

    Args:
        candidate: Full name.
        role: The job's title.
        requirements: Each with what the CV shows of it, in the job's order.
        as_of: When the CV was written, in its own words; empty where it does not say.
    """
    rows = [row(need, shown, verdict(need, shown)) for need, shown in requirements]
    return {"candidate": candidate, "role": role, "as_of": as_of, "requirements": rows, **summary(rows)}


def row(need: Need, shown: Shown, judged: Verdict) -> dict[str, Any]:
    """One requirement of the answer."""
    return {
        "kind": need.kind,
        "importance": need.importance,
        **({} if need.kind == EXPERIENCE else {"subject": need.subject}),
        "needs": need.needs,
        "quotes": list(shown.quotes),
        "periods": list(shown.periods),
        "months": shown.months,
        "verdict": judged,
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Everything that follows from the requirements: three lists of names, two counts, score and recommendation.

    Args:
        rows: The requirements of an answer.
    """
    named = [(str(one.get("subject", EXPERIENCE)), one["importance"], one["verdict"]) for one in rows]
    points = score((importance, judged) for _, importance, judged in named)
    counts = {kind: {"met": 0, "partly": 0, "of": 0} for kind in ("required", "preferred")}
    for _, importance, judged in named:
        counts[importance]["of"] += 1
        if judged in HALVES:
            counts[importance][judged] += 1
    return {
        "strengths": [name for name, _, judged in named if judged == "met"],
        "gaps": [name for name, _, judged in named if judged != "met"],
        "unclear": [name for name, _, judged in named if judged == "unclear"],
        **counts,
        "score": points,
        "recommendation": recommendation(points),
    }
