"""Where the time of a run went, step by step: `python -m benchmarks.timeline HOME/runs/RUN`.

Reads what a finished run has left behind. For each step: the seconds before it began (the pipeline starts a process and
imports libraries), from its beginning to the first unit of work (workers start and import theirs), of work, and after
the last unit (saving, committing). Adopted steps took no time and are left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from proseform.machine import machine


@dataclass(frozen=True, slots=True)
class Span:
    """One step's time, in seconds.

    Attributes:
        step: The step's name.
        before: From the end of the step before (or the run's beginning) to this step's beginning.
        starting: From there to the first unit of work; all of the step where it reports no units.
        working: From the first unit to the last.
        ending: From there to the step's end.
    """

    step: str
    before: float
    starting: float
    working: float
    ending: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.before + self.starting + self.working + self.ending


def spans(run: Path) -> list[Span]:
    """The spans of a run's folder, in the order in which the steps ended."""
    begun: dict[str, dict[str, Any]] = {}
    last = 0.0
    finished: list[Span] = []
    for event in _rows(run / "events.jsonl"):
        if event["state"] == "started":
            begun[event["stage"]] = event
        if event["state"] == "done" and (start := begun.get(event["stage"])):
            units = [row["t"] for row in _rows(Path(start["work"]) / "progress.jsonl") if row["t"] >= start["t"]]
            first, final = (units[0], units[-1]) if units else (event["t"], event["t"])
            before = start["t"] - (last or start["t"])
            finished.append(Span(event["stage"], before, first - start["t"], final - first, event["t"] - final))
            last = event["t"]
    return finished


def table(spans: list[Span]) -> str:
    """The spans as a Markdown table with their sums."""
    lines = ["| step | before it | starting | working | ending | all |", "|---|---|---|---|---|---|"]
    columns = [[span.before, span.starting, span.working, span.ending, span.total] for span in spans]
    for span, row in zip(spans, columns, strict=True):
        lines.append(f"| {astuple(span)[0]} | {' | '.join(f'{seconds:.1f}' for seconds in row)} |")
    sums = [sum(column) for column in zip(*columns, strict=True)]
    return "\n".join([*lines, f"| all | {' | '.join(f'{seconds:.1f}' for seconds in sums)} |"])


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    """The rows of a JSON Lines file; none where it is missing."""
    with path.open(encoding="utf-8") if path.exists() else path.open("a+", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("run", type=Path, help="the run's folder, such as .proseform/runs/cv-small-20261126-120000")
    print(f"Seconds on {machine()}:\n")
    print(table(spans(options.parse_args().run)))


if __name__ == "__main__":
    main()
