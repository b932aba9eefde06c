"""Records become figures, and figures a page.

Judged outcomes come in; :func:`summarise` makes ``report.json`` of them and :func:`render` one self-contained HTML
page. Pure. Which subjects and variants there are is read from the records. Left out: comparison across runs, which is
``make bench``'s.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2

from proseform import curves, histogram, verify
from proseform.claims import marked
from proseform.outcome import FIELD, Outcome, headline
from proseform.suites import (
    Study,
    answers,
    blind,
    evaluations,
    figure,
    foreign,
    formatter,
    levels,
    lift,
    readings,
    where,
)

FIGURES = ("schema_valid", "formatter_exact", "evaluator_reward", "recommendation_right", "verified_right", "lift")
"""The figures that a gate can check."""


def summarise(
    outcomes: Sequence[Outcome],
    study: Study,
    *,
    meta: Mapping[str, Any],
    shipped: str = "grpo",
    metrics: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
    texts: bool = True,
) -> dict[str, Any]:
    """The report as JSON.

    Args:
        outcomes: Judged, of all suites, in any order; variants appear in the order in which they first occur.
        study: What they were judged by.
        meta: Passed through: run, machine, digests (a table of name to digest), whatever identifies the report.
        shipped: The subject that goes into the bundle.
        metrics: Step name to the rows of its ``metrics.jsonl``.
        texts: Whether the page may show cases and what was written of them; not where they are a user's own.

    Returns:
        ``meta figures baseline variants lifts answers formatter fields confusion levels blind abstention training
        examples``, and ``round_trip`` of free prose, whose ``figures`` have ``agreement`` too. ``figures`` has the
        names of :data:`FIGURES`, and ``baseline`` those of them that could be earned without reading an input
        (``recommendation_right`` is the headline's, or the whole answer's where a task has none; ``verified_right`` is
        the whole answer's, of those first answers alone that are verified). An estimate is ``{"value", "low",
        "high", "n"}``, or None where nothing was measured.
    """
    by_suite = {
        suite.SUITE: where(outcomes, suite=suite.SUITE)
        for suite in (evaluations, answers, formatter, levels, blind, readings)
    }
    study = readings.applied(by_suite["readings"], study)
    read = readings.summarise(by_suite["readings"], study)
    prose = where(by_suite["evaluations"], subject=shipped, variant="", decoding="greedy")
    ends = where(by_suite["answers"], subject=shipped, decoding="constrained")
    unread = blind.summarise(by_suite["blind"], study)
    right = "headline_right" if headline(study.task) else "whole_right"
    best = unread["blind"]["best"]
    own = {
        "task": study.task.name,
        "title": study.task.title,
        "task_contract": study.task.contract,
        "task_data": study.task.data,
        "split": study.split,
        "level": study.level,
        "shipped": shipped,
        "headline": headline(study.task),
        **({"prose": "free"} if study.task.free else {}),
    }
    return {
        "meta": {**own, **meta},
        "figures": {
            **_figures(outcomes, by_suite, shipped, right),
            **({"agreement": read["round_trip"]["agreement"]} if read else {}),
        },
        "baseline": {"evaluator_reward": best.get("reward"), "recommendation_right": best.get(right)},
        **evaluations.summarise(by_suite["evaluations"], study),
        **answers.summarise(by_suite["answers"], study),
        **formatter.summarise(by_suite["formatter"], study),
        "fields": _fields(study, prose, ends, where(by_suite["formatter"], variant=formatter.GOLD, decoding="free")),
        "confusion": answers.confusion(ends or prose, study),
        **levels.summarise(by_suite["levels"], study),
        **unread,
        **read,
        **foreign.summarise(ends, study),
        "training": {name: [_finite(row) for row in rows] for name, rows in (metrics or {}).items()},
        "examples": _examples(prose, ends, study) if texts else [],
        "texts": texts,
    }


def render(report: Mapping[str, Any]) -> str:
    """The report as one HTML page without external assets; everything a model wrote is escaped."""
    page = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    page.filters.update(json=lambda value: json.dumps(value, ensure_ascii=False))
    template = (resources.files("proseform") / "report.html.j2").read_text(encoding="utf-8")
    rows = report["training"].get("grpo", [])
    watched = {"curves": _curves(rows), "histograms": histogram.histograms(rows), "alarms": curves.alarms(rows)}
    return page.from_string(template).render(report=report, watched=watched, bins=histogram.BINS)


def _curves(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The watched curves that have values, each scaled to its own height: ``points`` of step and share of ``top``."""
    drawn = []
    for curve in curves.known():
        points = curves.series(rows, curve.name)
        if points:
            top = max(1.0 if curve.share or curve.name == "reward" else 1e-9, *(value for _, value in points))
            shares = [(step, max(0.0, value) / top) for step, value in points]
            drawn.append({"title": curve.title, "sentence": curve.sentence, "top": top, "points": shares})
    return drawn


def _figures(
    outcomes: Sequence[Outcome], by_suite: Mapping[str, Sequence[Outcome]], shipped: str, right: str
) -> dict[str, Any]:
    """The figures of the shipped subject."""
    subjects = list(dict.fromkeys(row.subject for row in by_suite["evaluations"]))
    of = where(by_suite["evaluations"], subject=shipped, variant="")
    before = subjects[subjects.index(shipped) - 1] if shipped in subjects[1:] else ""
    trained = where(by_suite["evaluations"], subject=before, variant="")
    lifts = (
        lift(where(trained, decoding=decoding), where(of, decoding=decoding), "reward")
        for decoding in ("sampled", "greedy")  # greedy stands in for samples that were not drawn
    )
    ends = where(by_suite["answers"], subject=shipped, variant="", decoding="constrained")
    return {
        "schema_valid": figure(where(outcomes, subject=shipped, decoding="constrained"), "ok"),
        "formatter_exact": figure(where(by_suite["formatter"], variant=formatter.GOLD, decoding="free"), "exact"),
        "evaluator_reward": figure(where(of, decoding="greedy"), "reward"),
        "recommendation_right": figure(ends, right),
        "verified_right": figure([row for row in ends if row.scores.get("verified")], "whole_right"),
        "lift": next(filter(None, lifts), None),
    }


def _fields(
    study: Study, prose: Sequence[Outcome], ends: Sequence[Outcome], gold: Sequence[Outcome]
) -> list[dict[str, Any]]:
    """Each field of the schema that was measured: right in prose, in the JSON, by the formatter on gold prose."""
    rows = [
        {
            "field": name,
            **{
                of: figure(column, f"{FIELD}{name}")
                for of, column in (("prose", prose), ("answer", ends), ("formatter", gold))
            },
        }
        for name in study.task.schema.fields
    ]
    return [row for row in rows if any(row[of] for of in ("prose", "answer", "formatter"))]


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of metrics as JSON: NaN and infinities, which JSON does not have, become None."""
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}


def _examples(prose: Sequence[Outcome], ends: Sequence[Outcome], study: Study) -> list[dict[str, Any]]:
    """At most two cases that went right and three that went wrong, as they came."""
    documents = {row.case: row for row in ends}
    pairs = [(row, documents.get(row.case)) for row in prose]
    right = [pair for pair in pairs if all(row is None or row.scores["whole_right"] for row in pair)]
    wrong = [pair for pair in pairs if pair not in right]
    return [
        *(_example(row, end, study, right=True) for row, end in right[:2]),
        *(_example(row, end, study, right=False) for row, end in wrong[:3]),
    ]


def _example(row: Outcome, end: Outcome | None, study: Study, *, right: bool) -> dict[str, Any]:
    """One case as it came."""
    case = study.by_id[row.case]
    verdict = verify.prose(row.text, study.task, case.inputs)
    fields = {name.removeprefix(FIELD): good for name, good in (end or row).scores.items() if name.startswith(FIELD)}
    return {
        "id": row.case,
        "right": right,
        **marked(verdict.value, verdict.evidence, case.inputs),
        "prose": row.text,
        "verdict": row.verdicts["verifier"],
        "reward": row.scores["reward"],
        "gold": {name: case.answer[name] for name in fields},
        "wrong_fields": [name for name, good in fields.items() if not good],
        "answer": end and end.text,
        "answer_verdict": end and end.verdicts["verifier"],
    }
