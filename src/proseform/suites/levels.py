"""Levels that were not trained on: greedy prose, and constrained JSON out of it, of the shipped subject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proseform.outcome import Outcome, headline, judged_json, judged_prose
from proseform.suites import Ask, Study, Subject, answers, evaluations, figures, where

SUITE = "levels"


def plan(study: Study, subject: Subject) -> list[Ask]:
    """Prose of every case of every other level, then its JSON; nothing of a subject that is not shipped."""
    cases = [case for level in study.harder.values() for case in level] if subject.shipped else []
    records = [Outcome(SUITE, subject.name, "greedy", case.id, case.level) for case in cases]
    shown = [study.task.shown(case.inputs) for case in cases]
    prose = [Ask(record, "evaluator", values) for record, values in zip(records, shown, strict=True)]
    values = {"schema": study.task.formatter.shown(study.schema)}
    return prose + [
        Ask(
            Outcome(SUITE, subject.name, "constrained", record.case, record.level),
            "formatter",
            values,
            schema=study.schema,
            constrained=True,
            after=record.id,
        )
        for record in records
    ]


def judge(outcome: Outcome, study: Study) -> Outcome:
    """The outcome with verdict and scores."""
    case = study.by_id[outcome.case]
    if outcome.decoding == "greedy":
        return judged_prose(outcome, case, study.task, study.rubric)
    return judged_json(outcome, study.schema, case.answer, headline(study.task))


def summarise(outcomes: Sequence[Outcome], study: Study) -> dict[str, Any]:
    """``levels``: the figures of each other level, in the order of the task's levels."""
    measured = {row.level for row in outcomes}
    return {
        "levels": [
            {
                "level": level,
                "greedy": figures(where(outcomes, level=level, decoding="greedy"), evaluations.SCORES),
                "constrained": figures(where(outcomes, level=level, decoding="constrained"), answers.SCORES),
            }
            for level in study.task.levels
            if level in measured
        ]
    }
