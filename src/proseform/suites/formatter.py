"""The formatter by itself: it may only transcribe. On gold prose, on the evaluator's own, and on random schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from proseform import verify
from proseform.outcome import Outcome, judged_json
from proseform.schema import Schema
from proseform.suites import Ask, Study, Subject, evaluations, figures, where

SUITE = "formatter"
GOLD, OWN, SCHEMAS = "gold", "own", "schemas"
"""Whose prose it is given: the variants of this suite."""


def plan(study: Study, subject: Subject) -> list[Ask]:
    """Every source of prose, free and constrained; nothing of a subject that is not shipped."""
    if not subject.shipped:
        return []
    greedy = [ask.record for ask in evaluations.plan(study, subject) if ask.record.decoding == "greedy"]
    asks = []
    for decoding in ("free", "constrained"):
        base = Outcome(SUITE, subject.name, decoding, "")
        asks += [
            _ask(study, replace(base, case=case.id, level=case.level, variant=GOLD), study.schema, prose=case.prose)
            for case in study.cases
        ]
        asks += [
            _ask(study, replace(base, case=prose.case, level=prose.level, variant=OWN), study.schema, after=prose.id)
            for prose in greedy
        ]
        asks += [
            _ask(study, replace(base, case=row.id, variant=SCHEMAS), row.schema, prose=row.prose)
            for row in study.strange
        ]
    return asks


def judge(outcome: Outcome, study: Study) -> Outcome:
    """The outcome with verdict and scores; ``exact`` where it says just what the prose says.

    Prose that cannot be read counts for validity alone; of free prose it is the formatter itself that reads it.
    """
    schema, gold = _expected(outcome, study)
    judged = judged_json(outcome, schema, gold)
    exact = None if gold is None else judged.scores["whole_right"]
    return replace(judged, scores={**judged.scores, "exact": exact})


def summarise(outcomes: Sequence[Outcome], study: Study) -> dict[str, Any]:
    """``formatter``: figures for each source of prose and decoding."""
    del study
    return {
        "formatter": [
            {"of": of, "constrained": decoding == "constrained", **figures(rows, ("ok", "exact", "share"))}
            for of in (GOLD, OWN, SCHEMAS)
            for decoding in ("free", "constrained")
            if (rows := where(outcomes, variant=of, decoding=decoding))
        ]
    }


def _expected(outcome: Outcome, study: Study) -> tuple[Schema, Mapping[str, Any] | None]:
    """The schema that was asked for, and what the prose says; None where it says nothing readable."""
    if outcome.variant == SCHEMAS:
        row = study.strange_by_id[outcome.case]
        return row.schema, row.answer
    if outcome.variant == GOLD:
        return study.schema, study.by_id[outcome.case].answer
    if study.task.free:
        return study.schema, None
    verdict = verify.form(outcome.texts.get("given", ""), study.task, study.by_id[outcome.case].inputs)
    return study.schema, verdict.value if verdict.ok else None


def _ask(study: Study, record: Outcome, schema: Schema, *, prose: str = "", after: str = "") -> Ask:
    """The request for one document of a schema, from given prose or from the text of another request."""
    values = {"schema": study.task.formatter.shown(schema), **({} if after else {"prose": prose})}
    held = record.decoding == "constrained"
    return Ask(record, "formatter", values, schema=schema, constrained=held, after=after)
