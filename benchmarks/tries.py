"""What becomes of answers: given at the first, second or third try of the evaluator, or refused; how many are right.

Run it as `python -m benchmarks.tries BUNDLE [--levels starter,junior] [--cases 200]`. The bundle is a folder; its task
is installed. Cases are of the test split, with a seed that no recipe uses.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from proseform import reward, task
from proseform.case import Case
from proseform.errors import Refusal
from proseform.infer.answer import Answer, answers, close
from proseform.infer.chain import TRIES
from proseform.infer.local import LocalEngine
from proseform.machine import machine
from proseform.stats import proportion

SEED = 20_261_126
BATCH = 32


def main(bundle: Path, levels: str = "", cases: Annotated[int, typer.Option(min=1)] = 200) -> None:
    """Print a row for each level."""
    engine = LocalEngine(bundle)
    the_task = task.load(engine.bundle.task)
    print(f"{machine()}; bundle {engine.bundle.digest[:19]}; {cases} cases a level")
    tries = " ".join(f"{f'try {number}':>7}" for number in range(1, TRIES + 1))
    print(f"{'level':<14}{tries}  {'refused':>7}  {'right of those answered':<28} seconds a case, why refused")
    try:
        for level in levels.split(",") if levels else the_task.levels[:1]:
            _level(engine, the_task, level, list(the_task.generate(level, "test", SEED, cases)))
    finally:
        close(engine)


def _level(engine: LocalEngine, the_task: task.Task, level: str, cases: list[Case]) -> None:
    """Ask the cases of a level, and print what became of them."""
    began = time.perf_counter()
    outcomes: list[Answer | Refusal] = []
    for start in range(0, len(cases), BATCH):
        outcomes += answers(engine, the_task, [dict(case.inputs) for case in cases[start : start + BATCH]])
    seconds = (time.perf_counter() - began) / len(cases)
    given = [(case, one) for case, one in zip(cases, outcomes, strict=True) if isinstance(one, Answer)]
    at = Counter(one.tries for _, one in given)
    right = sum(_right(case, one) for case, one in given)
    estimate = proportion(right, len(given)) if given else None
    share = f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})" if estimate else "none"
    reasons = Counter(one.reason for one in outcomes if isinstance(one, Refusal))
    tries = " ".join(f"{at[number]:>7}" for number in range(1, TRIES + 1))
    why = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    print(f"{level:<14}{tries}  {len(cases) - len(given):>7}  {share:<28} {seconds:.2f} {why}", flush=True)


def _right(case: Case, answer: Answer) -> bool:
    """Whether every field of an answer is the gold's."""
    gold = {name: case.answer[name] for name in answer.value if name in case.answer}
    return reward.content_share(answer.value, gold) == 1.0


if __name__ == "__main__":
    typer.run(main)
