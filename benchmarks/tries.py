"""What becomes of answers: given at the first, second or third try of the evaluator, or refused; how many are right.

Run it as `python -m benchmarks.tries BUNDLE [--levels starter,junior] [--cases 200] [--foreign] [--guided | --free]`.
The bundle is a folder; its task is installed. Cases are of the test split, with a seed that no recipe uses. Foreign
ones are those of the suite `foreign`: its own cases with one input replaced, at most 100 of a kind. "Told" is an answer
with a finding `unquoted`: an input names what nothing is quoted for. `--guided` holds evaluations to the task's form
while they are written (proseform.guided), `--free` lets them be, whatever the bundle says.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from proseform import task
from proseform.case import Case
from proseform.errors import Refusal
from proseform.infer.answer import Answer, answers, close
from proseform.infer.chain import TRIES
from proseform.infer.local import LocalEngine
from proseform.machine import machine
from proseform.outcome import right
from proseform.stages import shipped
from proseform.stats import proportion
from proseform.suites import Study
from proseform.suites import foreign as foreigners

SEED = 20_261_126
BATCH = 32
Guided = Annotated[
    bool | None,
    typer.Option("--guided/--free", help="Hold evaluations to the task's form, or not; else as the bundle says."),
]
"""An option of benchmarks that ask a bundle."""


def main(
    bundle: Path,
    levels: str = "",
    cases: Annotated[int, typer.Option(min=1)] = 200,
    *,
    foreign: bool = False,
    guided: Guided = None,
) -> None:
    """Print a row for each level, and for each foreign kind."""
    engine, the_task = opened(bundle, guided)
    print(f"{about(engine)}; {cases} cases a level")
    tries = " ".join(f"{f'try {number}':>7}" for number in range(1, TRIES + 1))
    print(
        f"{'level':<14}{tries}  {'refused':>7}  {'right of those answered':<28} {'right, told':<12} "
        f"{'wrong, told':<12} seconds a case, why refused"
    )
    try:
        for level in levels.split(",") if levels else the_task.levels[:1]:
            _level(engine, the_task, level, list(the_task.generate(level, "test", SEED, cases)))
        for kind in _foreign(the_task, cases) if foreign else ():
            _kind(engine, the_task, kind)
    finally:
        close(engine)


def _level(engine: LocalEngine, the_task: task.Task, level: str, cases: list[Case]) -> None:
    """Ask the cases of a level, and print what became of them."""
    began = time.perf_counter()
    outcomes = asked(engine, the_task, [case.inputs for case in cases])
    seconds = (time.perf_counter() - began) / len(cases)
    given = [(case, one) for case, one in zip(cases, outcomes, strict=True) if isinstance(one, Answer)]
    at = Counter(one.tries for _, one in given)
    wholly = sum(right(one.value, case) for case, one in given)
    estimate = proportion(wholly, len(given)) if given else None
    share = f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})" if estimate else "none"
    tries = " ".join(f"{at[number]:>7}" for number in range(1, TRIES + 1))
    told = [f"{_told(part)} of {len(part)}" for part in _apart(given)]
    print(
        f"{level:<14}{tries}  {len(cases) - len(given):>7}  {share:<28} {told[0]:<12} {told[1]:<12} {seconds:.2f} "
        f"{_why(outcomes)}",
        flush=True,
    )


def _apart(given: Sequence[tuple[Case, Answer]]) -> tuple[list[Answer], list[Answer]]:
    """Answers that are wholly right, and those that are not."""
    sides: tuple[list[Answer], list[Answer]] = ([], [])
    for case, one in given:
        sides[not right(one.value, case)].append(one)
    return sides


def _told(given: Sequence[Answer]) -> int:
    """How many answers say that an input names what nothing is quoted for."""
    return sum(any(one.kind == "unquoted" for found in answer.findings.values() for one in found) for answer in given)


def _foreign(the_task: task.Task, cases: int) -> Iterator[foreigners.Foreign]:
    """Foreign cases, made of the first level's."""
    level = the_task.levels[0]
    own = tuple(the_task.generate(level, "test", SEED, cases))
    return foreigners.foreigners(Study(the_task, the_task.rubric(), the_task.schema, level, own))


def _kind(engine: LocalEngine, the_task: task.Task, kind: foreigners.Foreign) -> None:
    """Ask the cases of a foreign kind, and print how many were answered: none should be."""
    outcomes = asked(engine, the_task, kind.cases)
    given = sum(isinstance(one, Answer) for one in outcomes)
    print(f"{kind.kind:<30} {given:>4} of {len(outcomes)} answered; {_why(outcomes)}", flush=True)


def opened(bundle: Path, guided: bool | None = None) -> tuple[LocalEngine, task.Task]:
    """The engine of a bundle's folder, and its task.

    Args:
        bundle: With bases or as it ships.
        guided: Whether evaluations are held to the task's form; None leaves that to the bundle.
    """
    engine = LocalEngine(shipped.whole(bundle))
    the_task = task.load(engine.bundle.task)
    if guided is not None:
        evaluator = replace(engine.bundle.evaluator, grammar=the_task.grammar if guided else "")
        engine.bundle = replace(engine.bundle, evaluator=evaluator)
    return engine, the_task


def about(engine: LocalEngine) -> str:
    """The machine, the bundle, and how its evaluations are written."""
    written = "in the task's form" if engine.bundle.evaluator.grammar else "freely"
    return f"{machine()}; bundle {engine.bundle.digest[:19]}, accepts what is {engine.bundle.accept}, written {written}"


def asked(
    engine: LocalEngine, the_task: task.Task, cases: Sequence[Mapping[str, str]], batch: int = BATCH
) -> list[Answer | Refusal]:
    """What came of some cases, of so many at once."""
    outcomes: list[Answer | Refusal] = []
    for start in range(0, len(cases), batch):
        outcomes += answers(engine, the_task, [dict(inputs) for inputs in cases[start : start + batch]])
    return outcomes


def _why(outcomes: Sequence[Answer | Refusal]) -> str:
    """Reasons of refusals, the commonest first."""
    reasons = Counter(one.reason for one in outcomes if isinstance(one, Refusal))
    return ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())


if __name__ == "__main__":
    typer.run(main)
