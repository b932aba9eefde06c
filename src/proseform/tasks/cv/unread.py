"""Evaluations that can be written from the job alone: what the report's blind baseline measures for this task."""

from __future__ import annotations

from collections.abc import Sequence

from proseform.case import Case
from proseform.tasks.cv import form, judgement


def unread(case: Case) -> Sequence[str]:
    """Two evaluations by somebody who knows the candidate's name and the job, and has not read the CV.

    The first finds no evidence for anything; the second takes it that the CV shows just what the job asks for.
    """
    return _written(case, shown=False), _written(case, shown=True)


def _written(case: Case, *, shown: bool) -> str:
    """The evaluation, by the task's own rule; only what the job says is taken from the gold answer."""
    gold = case.answer
    items = [
        {
            **{name: item[name] for name in ("skill", "importance", "needed")},
            "found": item["needed"] if shown else "none",
            "quote": f"{item['needed']} {item['skill']}" if shown else "",
        }
        for item in gold["requirements"]
    ]
    years = gold["experience"]["required_years"]
    answer = judgement.judge(
        candidate=gold["candidate"],
        role=gold["role"],
        requirements=items,
        required_years=years,
        months=12 * years if shown else 0,
        periods=(form.span(12 * years),) if shown else (),
    )
    return form.write(answer)
