"""What the excerpts that an evaluator is shown keep of the evidence, by level, with 95 % intervals. Trains nothing.

    python -m benchmarks.excerpts [--task cv] [--levels sent] [--cases 1000]

Cases are of the test split, with a seed that no recipe uses. An excerpt is *whole* where every quote of the gold
evaluation stands in it. `proseform task check` prints the same of a task of data alone.
"""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.tries import SEED
from proseform import task as tasks
from proseform.data.excerpted import excerpted
from proseform.machine import machine
from proseform.stats import proportion


def main(task: str = "cv", levels: str = "sent", cases: Annotated[int, typer.Option(min=1)] = 1000) -> None:
    """Print a row for each level and input."""
    the_task = tasks.load(tasks.located(task))
    print(f"{machine()}; {cases} cases a level\n")
    print("| level | input | excerpts | characters | whole | share | quotes that stand in it | share |")
    print("|---|---|---|---|---|---|---|---|")
    for level in levels.split(","):
        for one in excerpted(the_task, the_task.generate(level, "test", SEED, cases)):
            print(f"| {level} | {one.input} | {one.cases} of {cases} |", end="")
            if not one.cases:
                print(" | | | | |")
                continue
            whole, found = proportion(one.whole, one.cases), proportion(one.found, max(1, one.quotes))
            print(
                f" {one.before / one.cases:,.0f} → {one.after / one.cases:,.0f} "
                f"| {one.whole} | {whole} | {one.found} of {one.quotes} | {found} |",
                flush=True,
            )


if __name__ == "__main__":
    typer.run(main)
