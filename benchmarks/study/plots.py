"""The study's pictures, as SVG with the same bytes for the same records."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.study import figures
from benchmarks.study.arms import Plan
from benchmarks.study.figures import Record
from proseform.stats import bounded_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REWARD, MIXED, COMPLIANCE = "reward", "mixed", "compliance"
COLOURS = ("#1f6f78", "#b5532a", "#7a4f9a", "#2f7d4f", "#b3862b", "#4a6fb5", "#a03c6c", "#5f6f1f")
CENTRE, INK, PAPER = "#9a958a", "#23211d", "#fdfcf9"
COLUMNS = 3
WINDOW = 10
"""Steps over which shares of mixed groups are averaged."""

Legs = Mapping[str, Sequence[Record]]


def picture(plan: Plan, what: str) -> str:
    """The file's name of a picture."""
    return f"{plan.name}-{what}.svg"


def draw(folder: Path, plan: Plan, records: Mapping[tuple[str, int], Record]) -> list[Path]:
    """Draw all pictures of records, at least one, into a folder.

    Returns:
        Their paths.
    """
    legs = {name: [row for (arm, _), row in sorted(records.items()) if arm == name] for name in plan.arms}
    legs = {name: some for name, some in legs.items() if some}
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / picture(plan, what) for what in (REWARD, MIXED, COMPLIANCE)]
    _panels(paths[0], plan, legs, _reward, "held-out reward", "sampled tokens, thousands")
    _panels(paths[1], plan, legs, _mixed, "mixed groups", "step")
    _compliance(paths[2], legs)
    return paths


def panels(plan: Plan, legs: Legs) -> dict[str, list[str]]:
    """The arms that have records, by panel; the centre is in each of them, first."""
    centre = [plan.centre] if plan.centre in legs else []
    names = dict.fromkeys(arm.panel for arm in plan.arms.values() if arm.name in legs and arm.name != plan.centre)
    if not names:
        return {"The centre": centre}
    return {
        panel: [*centre, *(arm.name for arm in plan.arms.values() if arm.panel == panel and arm.name in legs)]
        for panel in names
    }


def _panels(
    path: Path, plan: Plan, legs: Legs, line: Callable[[Axes, Sequence[Record], str, str], None], what: str, over: str
) -> None:
    """A panel for each factor, with the centre in grey."""
    shown = panels(plan, legs)
    columns = min(COLUMNS, len(shown))
    lines = -(-len(shown) // columns)
    with figure(path, (4 * columns, 3.1 * lines)) as drawn:
        grid = drawn.subplots(lines, columns, sharey=True, squeeze=False)
        for place, axes in enumerate(grid.flat):
            if place >= len(shown):
                axes.set_axis_off()
                continue
            title, names = [*shown.items()][place]
            for name, colour in zip(
                names, itertools.cycle((CENTRE, *COLOURS) if names[0] == plan.centre else COLOURS), strict=False
            ):
                line(axes, legs[name], name, colour)
            axes.set(title=title, xlabel=over, ylim=(0, 1))
            axes.set_ylabel(what if place % columns == 0 else "")
            axes.legend(fontsize=7, frameon=False)


def _reward(axes: Axes, legs: Sequence[Record], name: str, colour: str) -> None:
    """The held-out reward over sampled tokens: mean of the seeds, and their range."""
    points = figures.curve(legs, "held_out")
    places = [tokens / 1000 for tokens, *_ in points]
    axes.plot(places, [mean for _, mean, _, _ in points], color=colour, label=name, linewidth=1.4)
    axes.fill_between(
        places, [low for *_, low, _ in points], [high for *_, high in points], color=colour, alpha=0.15, linewidth=0
    )


def _mixed(axes: Axes, legs: Sequence[Record], name: str, colour: str) -> None:
    """The share of mixed groups over steps, averaged over a window and over the seeds that are still at it."""
    longest = max(len(leg["mixed"]) for leg in legs)
    starts = range(0, longest, WINDOW)
    means = []
    for start in starts:
        parts = [leg["mixed"][start : start + WINDOW] for leg in legs]
        values = [value for part in parts for value in part]
        means.append(sum(values) / len(values))
    places = [start + WINDOW / 2 for start in starts]
    axes.plot(places, means, color=colour, label=name, linewidth=1.4, marker=".", markersize=3)


def _compliance(path: Path, legs: Legs) -> None:
    """The share of valid sampled answers, an arm a line: mean with its interval, and each seed."""
    with figure(path, (8, 0.6 + 0.27 * len(legs))) as drawn:
        axes = drawn.subplots()
        for place, some in enumerate(legs.values()):
            values = [leg["final"]["valid_sampled"] for leg in some]
            estimate = bounded_mean(values, 0.0, 1.0)
            axes.plot([estimate.low, estimate.high], [place, place], color=CENTRE, linewidth=1.2)
            axes.plot(values, [place] * len(values), "|", color=COLOURS[0], markersize=8)
            axes.plot([estimate.value], [place], "o", color=COLOURS[1], markersize=5)
        axes.set(yticks=range(len(legs)), yticklabels=[*legs], xlim=(-0.02, 1.02), xlabel="valid JSON, sampled")
        axes.invert_yaxis()


@contextmanager
def figure(path: Path, size: tuple[float, float]) -> Iterator[Any]:
    """A figure that is written where the block ends."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style = {
        "svg.hashsalt": "study", "svg.fonttype": "none", "font.size": 9, "axes.titlesize": 10, "axes.edgecolor": INK,
        "axes.spines.top": False, "axes.spines.right": False, "text.color": INK, "axes.facecolor": PAPER,
    }  # fmt: skip
    with mpl.rc_context(style):
        drawn = Figure(figsize=size, facecolor=PAPER, layout="tight")
        yield drawn
        drawn.savefig(path, metadata={"Date": None, "Creator": None})
