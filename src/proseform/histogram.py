"""Histograms of scores over steps, in ``metrics.jsonl``: training counts them, the report draws them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

HISTOGRAM = "histogram"
"""First part of the name of a histogram's bar: ``histogram/<term>/<bin>``."""
BINS = ("none", "to 25", "to 50", "to 75", "to 100", "full")
"""A term's scores: exactly nothing, four quarters in percent, exactly the most there is."""


def histograms(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[int, list[float]]]]:
    """Of each term, for each step that has it, the share of completions in each of :data:`BINS`.

    >>> histograms([{"step": 1, "histogram/format/none": 3, "histogram/format/full": 1}])["format"][0][1][0]
    0.75
    """
    terms: dict[str, list[tuple[int, list[float]]]] = {}
    for place, row in enumerate(rows, start=1):
        counts: dict[str, dict[str, float]] = {}
        for name, value in row.items():
            match name.split("/"):
                case [first, term, part] if first == HISTOGRAM:
                    counts.setdefault(term, {})[part] = float(value or 0)
        for term, bars in counts.items():
            total = sum(bars.values()) or 1.0
            shares = [bars.get(part, 0.0) / total for part in BINS]
            terms.setdefault(term, []).append((int(row.get("step", place)), shares))
    return terms


def binned(values: Sequence[float]) -> dict[str, int]:
    """How many scores in [0, 1] lie in each of :data:`BINS`.

    >>> binned([0, 0.25, 0.26, 1])
    {'none': 1, 'to 25': 1, 'to 50': 1, 'to 75': 0, 'to 100': 0, 'full': 1}
    """
    counts = dict.fromkeys(BINS, 0)
    for value in values:
        counts[_bin(value)] += 1
    return counts


def _bin(value: float) -> str:
    """The bin of one score."""
    if value <= 0 or value >= 1:
        return BINS[0] if value <= 0 else BINS[-1]
    return BINS[next(place for place, top in enumerate((0.25, 0.5, 0.75, 1.0), start=1) if value <= top)]
