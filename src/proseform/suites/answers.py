"""JSON from end to end: out of each subject's own greedy prose, constrained as serving is, and free."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from proseform import verify
from proseform.case import Case
from proseform.input import of_each
from proseform.outcome import Outcome, headline, judged_json
from proseform.schema import Schema
from proseform.suites import Ask, Study, Subject, evaluations, figures, where

SUITE = "answers"
SCORES = ("ok", "share", "whole_right", "headline_right")
NO_LABEL = "(none)"
"""The headline of a text that states none."""


def plan(study: Study, subject: Subject) -> list[Ask]:
    """Constrained answers of every subject, and free ones of the shipped and of untrained ones."""
    prose = [ask for ask in evaluations.plan(study, subject) if ask.record.decoding == "greedy"]
    decodings = ("constrained", "free") if subject.shipped or not subject.trained else ("constrained",)
    return [_ask(study, ask.record, decoding) for decoding in decodings for ask in prose]


def judge(outcome: Outcome, study: Study) -> Outcome:
    """The outcome with verdict and scores; ``verified`` says whether it would leave the product at the first try."""
    judged = judged_json(outcome, study.schema, study.by_id[outcome.case].answer, headline(study.task))
    return replace(judged, scores={**judged.scores, "verified": float(_verified(outcome, study))})


def summarise(outcomes: Sequence[Outcome], study: Study) -> dict[str, Any]:
    """``answers``: variant to decoding to figures; ``confusion`` of the shipped subject is :func:`confusion`'s."""
    del study
    variants = dict.fromkeys((row.subject, row.variant) for row in outcomes)
    return {
        "answers": {
            evaluations.name(key): {
                decoding: figures(where(outcomes, subject=key[0], variant=key[1], decoding=decoding), SCORES)
                for decoding in ("free", "constrained")
            }
            for key in variants
        }
    }


def confusion(outcomes: Sequence[Outcome], study: Study) -> dict[str, Any] | None:
    """Gold (rows) against the stated label (columns) of the headline; what states none is the last column."""
    head = headline(study.task)
    if not head or not outcomes:
        return None
    labels = list(study.task.schema.document["properties"][head]["enum"])
    columns = [*labels, NO_LABEL]
    stated = ((row.verdicts["gold"], row.verdicts["label"]) for row in outcomes)
    counts = Counter((gold, label if label in labels else NO_LABEL) for gold, label in stated)
    table = [[counts[gold, label] for label in columns] for gold in labels]
    return {"field": head, "labels": labels, "columns": columns, "counts": table}


def _verified(outcome: Outcome, study: Study) -> bool:
    """Whether evaluation and JSON are verified, as in serving."""
    task, inputs = study.task, of_each(study.by_id[outcome.case].inputs)
    given = outcome.texts.get("given", "")  # recomputed already, if at all
    prose = verify.evaluation(given, task, inputs).verdict
    document = verify.answer(outcome.text, study.schema)
    if not (prose.ok and document.ok):
        return False
    return verify.stated(document.value, prose, task, verify.stating(study.schema, task), inputs).ok


def _ask(study: Study, prose: Outcome, decoding: str) -> Ask:
    """The JSON of one evaluation; where that was asked for with examples, so is this."""
    record = replace(prose, suite=SUITE, decoding=decoding)
    signature = study.task.formatter.shown(study.schema)
    ask = Ask(
        record,
        "formatter",
        {"schema": signature},
        schema=study.schema,
        constrained=decoding == "constrained",
        after=prose.id,
    )
    if prose.variant != evaluations.FEW_SHOT:
        return ask
    shown = evaluations.examples(study)
    prompt, values = evaluations.few_shot(
        study.task.formatter,
        "",
        [({"prose": case.prose, "schema": signature}, _gold(case, study.schema)) for case in shown],
    )
    return replace(ask, prompt=prompt, values={**values, **ask.values})


def _gold(case: Case, schema: Schema) -> str:
    """The gold answer of a case in the fields of a schema, as a formatter should write it."""
    return json.dumps(case.narrowed(schema.fields).answer, ensure_ascii=False)
