"""Evaluations that can be written from the job alone: what the report's blind baseline measures for this task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proseform.case import Case
from proseform.claims.dates import duration
from proseform.tasks.cv import form, judgement


def unread(case: Case) -> Sequence[str]:
    """Two evaluations by somebody who knows the candidate's name and the job, and has not read the CV.

    The first finds no evidence for anything; the second takes it that the CV shows just what the job asks for.
    """
    return _written(case, shown=False), _written(case, shown=True)


def _written(case: Case, *, shown: bool) -> str:
    """The evaluation, by the task's own rule; only what the job says is taken from the gold answer."""
    gold = case.answer
    rows = [_row(item, shown=shown) for item in gold["requirements"]]
    answer = {**{name: gold[name] for name in ("candidate", "role", "as_of")}, "requirements": rows}
    return form.write({**answer, **judgement.summary(rows)})


def _row(item: dict[str, Any], *, shown: bool) -> dict[str, Any]:
    """A requirement as the job has it: nothing shown for it, or just what it asks for, in its own words."""
    words = " ".join(filter(None, (item["needs"], item.get("subject", ""))))
    timed = item["kind"] == judgement.EXPERIENCE
    guess = {
        "quotes": [] if timed else [words],
        "periods": [item["needs"]] if timed else [],
        "months": duration(item["needs"]) or 0 if timed else 0,
        "verdict": "met",
    }
    unsaid = "unclear" if item["kind"] in judgement.UNSAID else "missing"
    absent = {"quotes": [], "periods": [], "months": 0, "verdict": unsaid}
    return {**item, **(guess if shown else absent)}
