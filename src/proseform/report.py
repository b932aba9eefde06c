"""Outcomes become figures, and figures a page.

The rows of :mod:`proseform.outcome` come in; :func:`summarise` makes ``report.json`` of them and :func:`render` one
self-contained HTML page. Pure. Left out: comparison across runs, which is ``make bench``'s.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from importlib import resources
from statistics import fmean, pvariance
from typing import TYPE_CHECKING, Any, cast

import jinja2

from proseform.outcome import Row, headline

if TYPE_CHECKING:
    from proseform.case import Case
    from proseform.task import Task

Z = 1.959964  # two-sided 95 %
NONE = "(none)"  # the headline of a text that states none
_SAME = 1e-12
_JUDGED = ("reward", "ok", "complete", "share", "whole_right", "headline_right")
_ANSWERED = ("ok", "share", "whole_right", "headline_right")
_FORMATTED = ("ok", "exact", "share")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval: ``low ≤ value ≤ high``; ``n`` counts independent cases, not completions."""

    value: float
    low: float
    high: float
    n: int


def estimate(values: Sequence[float], cases: Iterable[Hashable] | None = None) -> Estimate | None:
    """The mean of values in [0, 1] with its interval; None where there are none.

    Completions of one case are not independent: they are averaged first, and ``n`` is the number of cases. The interval is
    Wilson's (1927) for p = mean and n_eff = p(1-p) / (variance of the case means / n) (Dean & Pagano 2015), which is n for
    shares of single completions and never below n. Where all cases agree it is n, so that no interval is a point.

    >>> estimate([1, 1, 1, 0])
    Estimate(value=0.75, low=0.300642, high=0.954413, n=4)
    """
    means = _by_case(values, cases if cases is not None else range(len(values)))
    if not means:
        return None
    n, p = len(means), min(1.0, max(0.0, fmean(means.values())))
    spread = pvariance(means.values()) / n
    size = max(n, p * (1 - p) / spread) if spread > _SAME else n
    shrink = 1 + Z * Z / size
    centre = (p + Z * Z / (2 * size)) / shrink
    half = Z / shrink * math.sqrt(p * (1 - p) / size + Z * Z / (4 * size * size))
    return Estimate(
        round(p, 6), round(max(0.0, min(p, centre - half)), 6), round(min(1.0, max(p, centre + half)), 6), n
    )


def summarise(
    rows: Sequence[Row], task: Task, *, meta: Mapping[str, Any], level: str, shipped: str = "grpo",
    metrics: Mapping[str, Sequence[Mapping[str, Any]]] | None = None, cases: Iterable[Case] = (),
) -> dict[str, Any]:  # fmt: skip
    """The report as JSON.

    Args:
        rows: All outcomes, in any order; variants appear in the order in which they first occur.
        task: For the headline's labels and the order of fields.
        meta: Passed through: run, machine, digests (a table of name to digest), format, whatever identifies the report.
        level: The level that was trained; variants, fields and gate are of it, other levels are listed by themselves.
        shipped: The variant that goes into the bundle.
        metrics: Step name to the rows of its ``metrics.jsonl``.
        cases: For the examples.

    Returns:
        ``meta figures variants formatter fields confusion levels training examples``. ``figures`` has the names of
        ``config.Gate`` (``recommendation_right`` is the headline's, or the whole answer's where a task has none); an
        estimate is ``{"value", "low", "high", "n"}`` or None where nothing was measured.
    """
    head = headline(task)
    here = [row for row in rows if row.get("level", level) == level]
    prose = _where(here, kind="evaluator", variant=shipped, mode="greedy")
    answers = _where(here, kind="answer", variant=shipped, constrained=True)
    gold = _where(here, kind="formatter", of="gold", constrained=False)
    held = [row for row in rows if row.get("constrained") and row.get("variant", shipped) == shipped]
    fields = [name for name in task.schema.fields if any(name in row["fields"] for row in prose + answers + gold)]
    figures = {
        "schema_valid": _of(held, "ok"), "formatter_exact": _of(gold, "exact"), "evaluator_reward": _of(prose, "reward"),
        "recommendation_right": _of(answers, "headline_right" if head else "whole_right"), "lift": _lift(here, shipped),
    }  # fmt: skip
    levels = dict.fromkeys(row["level"] for row in _where(rows, kind="evaluator", variant=shipped))
    own = {
        "task": task.name,
        "title": task.title,
        "task_contract": task.contract,
        "task_data": task.data,
        "level": level,
        "shipped": shipped,
        "headline": head,
    }
    return {
        "meta": {**own, **meta},
        "figures": figures,
        "variants": [
            _variant(_where(here, variant=name), name)
            for name in dict.fromkeys(row["variant"] for row in here if "variant" in row)
        ],
        "formatter": [
            {"of": of, "constrained": tight, **_table(chosen, _FORMATTED)}
            for of in ("gold", "own", "schemas") for tight in (False, True)
            if (chosen := _where(rows, kind="formatter", of=of, constrained=tight))
        ],
        "fields": [
            {"field": name, **{who: _of(of, "fields", name) for who, of in (("prose", prose), ("answer", answers), ("formatter", gold))}}
            for name in fields
        ],
        "confusion": _confusion(answers or prose, head, task),
        "levels": [{"level": name, **_variant(_where(rows, variant=shipped, level=name), shipped)} for name in levels],
        "training": {name: [_finite(row) for row in series] for name, series in (metrics or {}).items()},
        "examples": _examples(prose, answers, {case.id: case for case in cases}),
    }  # fmt: skip


def render(report: Mapping[str, Any]) -> str:
    """The report as one HTML page without external assets; everything a model wrote is escaped."""
    page = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    page.filters.update(json=lambda value: json.dumps(value, ensure_ascii=False))
    return page.from_string((resources.files("proseform") / "report.html.j2").read_text(encoding="utf-8")).render(
        report=report
    )


def _where(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """The rows that have these values."""
    return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]


def _of(rows: Sequence[Row], *path: str) -> dict[str, Any] | None:
    """The estimate of what stands at a path of the rows, over those where it was measured."""
    known = [
        (value, row["id"])
        for row in rows
        if (value := reduce(lambda node, step: node.get(step), path, cast("Any", row))) is not None
    ]
    found = estimate([float(value) for value, _ in known], [case for _, case in known])
    return asdict(found) if found else None


def _table(rows: Sequence[Row], names: Iterable[str]) -> dict[str, Any]:
    return {name: _of(rows, name) for name in names}


def _variant(rows: Sequence[Row], variant: str) -> dict[str, Any]:
    """One variant: its evaluations greedy and sampled, its JSON free and constrained, and why texts were not accepted."""
    prose = {mode: _table(_where(rows, kind="evaluator", mode=mode), _JUDGED) for mode in ("greedy", "sampled")}
    answers = {
        word: _table(_where(rows, kind="answer", constrained=word == "constrained"), _ANSWERED)
        for word in ("free", "constrained")
    }
    return {
        "variant": variant,
        **prose,
        **answers,
        "reasons": dict(Counter(row["reason"] for row in _where(rows, kind="evaluator", ok=False))),
    }


def _by_case(values: Iterable[float], cases: Iterable[Hashable]) -> dict[Hashable, float]:
    """Case to the mean of its values."""
    groups: dict[Hashable, list[float]] = {}
    for value, case in zip(values, cases, strict=True):
        groups.setdefault(case, []).append(float(value))
    return {case: fmean(group) for case, group in groups.items()}


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of metrics as JSON: NaN and infinities, which JSON does not have, become None."""
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}


def _lift(rows: Sequence[Row], shipped: str) -> dict[str, Any] | None:
    """What the shipped variant adds to SFT's reward, paired by case, in [-1, 1]: sampled, or greedy where nothing was."""
    for mode in ("sampled", "greedy"):
        of = [_where(rows, kind="evaluator", variant=variant, mode=mode) for variant in ("sft", shipped)]
        before, after = (_by_case([row["reward"] for row in each], [row["id"] for row in each]) for each in of)
        # An estimate wants [0, 1]: the difference is moved there and back.
        found = estimate([(after[case] - before[case] + 1) / 2 for case in before if case in after])
        if found:
            return {**{end: round(2 * getattr(found, end) - 1, 6) for end in ("value", "low", "high")}, "n": found.n}
    return None


def _confusion(rows: Sequence[Row], head: str, task: Task) -> dict[str, Any] | None:
    """Gold (rows) against said (columns) for the headline; what states none is the last column."""
    if not head or not rows:
        return None
    labels = list(task.schema.document["properties"][head]["enum"])
    columns = [*labels, NONE]
    counts = Counter((row["gold"], row["said"] if row["said"] in labels else NONE) for row in rows)
    return {
        "field": head,
        "labels": labels,
        "columns": columns,
        "counts": [[counts[gold, said] for said in columns] for gold in labels],
    }


def _examples(prose: Sequence[Row], answers: Sequence[Row], cases: Mapping[str, Case]) -> list[dict[str, Any]]:
    """At most two cases that went right and three that went wrong, as they came."""
    ends = {row["id"]: row for row in answers}
    both = [(row, ends.get(row["id"])) for row in prose if row["id"] in cases]
    right = [pair for pair in both if all(row is None or row["whole_right"] for row in pair)]
    wrong = [pair for pair in both if pair not in right]
    return [
        {
            "id": row["id"], "right": row["whole_right"] and (end is None or end["whole_right"]), "inputs": dict(cases[row["id"]].inputs),
            "prose": row["text"], "verdict": row["verdict"], "reward": row["reward"],
            "gold": {name: cases[row["id"]].answer[name] for name in (end or row)["fields"]},
            "wrong_fields": [name for name, good in (end or row)["fields"].items() if not good],
            "answer": end and end["text"], "answer_verdict": end and end["verdict"],
        }
        for row, end in [*right[:2], *wrong[:3]]
    ]  # fmt: skip
