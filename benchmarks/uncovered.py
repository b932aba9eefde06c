"""How often an answer that passes over something says so (`x-covers`), by level, with 95 % intervals. Trains nothing.

    python -m benchmarks.uncovered [--levels real,sent] [--cases 1000] [--left-out 0.4]

Of gold evaluations of the test split, with a seed that no recipe uses, a share of the requirements is left out, by lot.
One is *told of* where a finding says that nothing is taken from a sentence that it stands in. A finding is *right*
where something that was left out stands in its sentence; of whole evaluations every finding is wrong.
"""

from __future__ import annotations

from collections.abc import Collection
from random import Random
from typing import Annotated, Any

import typer

from benchmarks.tries import SEED
from proseform import task as tasks
from proseform.case import Case
from proseform.claims import judge, uncovered
from proseform.input import Input
from proseform.machine import machine
from proseform.stats import proportion
from proseform.task import Task
from proseform.verdict import Evidence

ROWS, INPUT = "requirements", "job"

Span = tuple[int, int]


def main(
    levels: str = "real,sent",
    cases: Annotated[int, typer.Option(min=1)] = 1000,
    left_out: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of requirements.")] = 0.4,
) -> None:
    """Print a row for each level."""
    cv = tasks.load("cv")
    print(f"{machine()}; {cases} cases a level, {left_out:.0%} of their requirements left out\n")
    print("| level | left out | told of | share | findings | right | share | findings of whole evaluations, a case |")
    print("|---|---|---|---|---|---|---|---|")
    for level in levels.split(","):
        lost = told = found = right = whole = 0
        rng = Random(SEED)
        for case in cv.generate(level, "test", SEED, cases):
            out = {number for number in range(len(case.answer[ROWS])) if rng.random() < left_out}
            missed, spans = passed(cv, case, out)
            lost, found = lost + len(missed), found + len(spans)
            told += sum(any(_meet(one, span) for one in places for span in spans) for places in missed)
            right += sum(any(_meet(one, span) for places in missed for one in places) for span in spans)
            whole += len(passed(cv, case, ())[1])
        shares = [f"{of:,} | {proportion(of, n) if n else ''}" for of, n in ((told, lost), (right, found))]
        print(f"| {level} | {lost:,} | {shares[0]} | {found:,} | {shares[1]} | {whole / cases:.2f} |", flush=True)


def passed(task: Task, case: Case, out: Collection[int]) -> tuple[list[list[Span]], list[Span]]:
    """Where what is left out stands, requirement by requirement, and the sentences that are told of.

    Args:
        task: The task.
        case: A case whose gold evaluation is verified.
        out: Which requirements are left out.
    """
    inputs = {name: Input.of(text) for name, text in case.inputs.items()}
    judged = judge(case.answer, task.claims, inputs, task.synonyms)
    of: dict[int, list[Evidence]] = {}
    for one in judged.evidence:
        _, field, *rest = one.pointer.split("/")
        if field == ROWS and one.input == INPUT:
            of.setdefault(int(rest[0]), []).append(one)
    kept = [one for number, found in of.items() if number not in out for one in found]
    rows = [row for number, row in enumerate(case.answer[ROWS]) if number not in out]
    value: dict[str, Any] = {**case.answer, ROWS: rows}
    spans = [(start, end) for _, start, end in uncovered(value, task.claims, inputs, kept)]
    return [[(one.start, one.end) for one in found] for number, found in of.items() if number in out], spans


def _meet(one: Span, other: Span) -> bool:
    """Whether two spans overlap."""
    return one[0] < other[1] and other[0] < one[1]


if __name__ == "__main__":
    typer.run(main)
