"""Outcomes: what became of one text, as one row of ``outcomes.jsonl``.

:func:`judged` is for an evaluation in prose, :func:`answered` for JSON end to end, :func:`formatted` for the formatter
alone; :mod:`proseform.report` counts the rows. Pure, and nothing is judged here anew: texts go through
:mod:`proseform.verify`, scores through :mod:`proseform.reward`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from proseform import reward, verify

if TYPE_CHECKING:
    from proseform.case import Case
    from proseform.rubric import Rubric
    from proseform.schema import Schema
    from proseform.task import Task
    from proseform.verdict import Verdict

Row = dict[str, Any]


def headline(task: Task) -> str:
    """The field that people read first: the smallest format's first field that is an enum; empty where none is."""
    fields = next(iter(task.formats.values()), ())
    return next((name for name in fields if "enum" in task.schema.document["properties"][name]), "")


def judged(
    case: Case, task: Task, rubric: Rubric, text: str, *, variant: str, mode: Literal["greedy", "sampled"] = "greedy"
) -> Row:
    """The outcome of one evaluation in prose.

    Args:
        case: With its gold.
        task: Reads and scores the prose.
        rubric: Weighs the terms.
        text: What the evaluator wrote.
        variant: Who wrote it: ``base``, ``sft``, ``grpo`` or any other.
        mode: How it was decoded.
    """
    verdict = verify.prose(text, task, case.inputs)
    terms = reward.prose_terms(text, case, task, rubric)
    cover = task.terms.get("coverage")
    return {
        "kind": "evaluator", "id": case.id, "level": case.level, "variant": variant, "mode": mode, "terms": terms,
        "reward": reward.composite(terms, rubric), "complete": None if cover is None else cover(text, case) == 1.0,
        **_content(verdict, dict(case.answer), headline(task)), "text": text,
    }  # fmt: skip


def answered(case: Case, task: Task, schema: Schema, text: str, *, variant: str, constrained: bool) -> Row:
    """The outcome of one JSON answer end to end, compared with the gold answer in the fields of ``schema``."""
    gold = {name: case.answer[name] for name in schema.fields if name in case.answer}
    content = _content(verify.answer(text, schema), gold, headline(task))
    return {
        "kind": "answer",
        "id": case.id,
        "level": case.level,
        "variant": variant,
        "constrained": constrained,
        **content,
        "text": text,
    }


def formatted(
    name: str, schema: Schema, text: str, gold: Any, *, of: Literal["gold", "own", "schemas"], constrained: bool
) -> Row:  # fmt: skip
    """The outcome of the formatter on one piece of prose.

    Args:
        name: The case's id.
        schema: What was asked for.
        text: What the formatter wrote.
        gold: What the prose says, in the fields of ``schema``; None where the prose says nothing readable (then only
            validity counts).
        of: Whose prose: ``gold``, the evaluator's ``own``, or that of random ``schemas``.
        constrained: Whether the engine was held to the schema.
    """
    content = _content(verify.answer(text, schema), gold if isinstance(gold, Mapping) else {}, "")
    known = gold is not None
    return {
        "kind": "formatter", "id": name, "of": of, "constrained": constrained, "ok": content["ok"], "reason": content["reason"],
        "verdict": content["verdict"], "exact": content["whole_right"] if known else None,
        "share": content["share"] if known else None, "fields": content["fields"], "text": text,
    }  # fmt: skip


def _content(verdict: Verdict, gold: Mapping[str, Any], head: str) -> Row:
    """What a verdict's value says beside the gold."""
    value = verdict.value if verdict.ok else None
    said = value if isinstance(value, Mapping) else {}
    right = {name: name in said and reward.content_share(said[name], gold[name]) == 1.0 for name in gold}
    share = reward.content_share(value, dict(gold)) if verdict.ok else 0.0
    return {
        "ok": verdict.ok, "reason": verdict.reason and str(verdict.reason), "verdict": str(verdict),
        "share": share, "whole_right": share == 1.0, "headline_right": right.get(head),
        "said": said.get(head), "gold": gold.get(head), "fields": right,
    }  # fmt: skip
