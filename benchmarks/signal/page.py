"""The page of results, its picture and the records that both are of."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from benchmarks.signal import figures, leg
from benchmarks.study.plots import CENTRE, COLOURS, INK, figure

PAGE, PICTURE, KEPT = Path("docs/results/signal.md"), Path("docs/images/signal.svg"), Path("docs/results/signal.jsonl")
"""In the repository."""

_TEMPLATE = Path(__file__).with_suffix(".md")


def page(records: Sequence[Mapping[str, Any]], steps: int) -> str:
    """The page in Markdown.

    Args:
        records: Of legs; one at least is of plain GRPO.
        steps: Of a leg, at most.
    """
    runs = by_method(records)
    goal, rows = figures.compared(runs)
    lines = [
        f"| `{name}` | {row.seeds} | {row.censored} | {_tokens(row.tokens)} | {row.steps:.0f} | "
        f"{' | '.join(map(_ratio, (row.of_plain, row.of_dynamic, row.of_small)))} | "
        f"{row.sampled_mixed:.0%} | {row.trained_mixed:.0%} | {row.mixed_per_million:,.0f} |"
        for name, row in rows.items()
    ]
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        goal=f"{goal:.3f}",
        steps=steps,
        patience=leg.PATIENCE,
        rungs=", ".join(f"{share:.0%}" for share in leg.RUNGS.values()),
        every=leg.EVERY,
        mixed=f"{rows[figures.PLAIN].mixed_first:.0%}",
        rows="\n".join(lines),
        draws=f"{figures.DRAWS:,}",
    )


def write(root: Path, text: str, records: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write page, picture and records below a folder; their paths."""
    paths = [root / PAGE, root / PICTURE, root / KEPT]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    paths[0].write_text(text, encoding="utf-8")
    _draw(paths[1], by_method(records))
    paths[2].write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return paths


def by_method(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, Sequence[Mapping[str, Any]]]]:
    """The measurements of legs by method and seed, in the order in which methods come first."""
    runs: dict[str, dict[int, Sequence[Mapping[str, Any]]]] = {}
    for record in records:
        runs.setdefault(record["method"], {})[record["seed"]] = record["points"]
    return runs


def _draw(path: Path, runs: Mapping[str, Mapping[int, Sequence[Mapping[str, Any]]]]) -> None:
    """A panel a method: its seeds in colour, plain GRPO's in grey behind them, and the target."""
    goal, names = figures.target([*runs[figures.PLAIN].values()]), [name for name in runs if name != figures.PLAIN]
    lines = max(1, -(-len(names) // 3))
    with figure(path, (12, 2.6 * lines)) as drawn:
        grid = drawn.subplots(lines, 3, sharex=True, sharey=True, squeeze=False)
        for axes, place in zip(grid.flat, range(grid.size), strict=True):
            if place >= len(names):
                axes.set_axis_off()
                continue
            for name, colour in ((figures.PLAIN, CENTRE), (names[place], COLOURS[place % len(COLOURS)])):
                for at, run in enumerate(runs[name].values()):
                    tokens = [point["tokens"] / 1000 for point in run]
                    rewards = [point["held_out"] for point in run]
                    axes.plot(tokens, rewards, color=colour, linewidth=0.9, label=None if at else name)
            axes.axhline(goal, color=INK, linewidth=0.6, linestyle=":")
            axes.set(xlabel="sampled tokens, thousands" if place + 3 >= len(names) else "", ylim=(0, 1))
            axes.tick_params(labelbottom=True)
            axes.legend(fontsize=7, frameon=False, loc="lower right")
        for row in grid:
            row[0].set_ylabel("held-out reward")


def _tokens(count: float) -> str:
    """A number of tokens, or that it was not reached."""
    return "never" if math.isinf(count) else f"{count:,.0f}"


def _ratio(ratio: tuple[float, float, float] | None) -> str:
    """A ratio with its interval."""
    return "" if ratio is None else f"{ratio[0]:.2f} ({ratio[1]:.2f} to {ratio[2]:.2f})"
