"""How many passes of a model drafts save, and how much time; and whether what is written is the same.

Run it as `python -m benchmarks.passes BUNDLE [--cases 200] [--batches 1,16] [--roles formatter,evaluator]`. The bundle
is a folder; its task is installed. The formatter is asked about gold prose, both roles greedily. Ways take turns batch
by batch, so that what else the machine does falls on all of them. Ends with 1 where a text differs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from proseform import task
from proseform.bundle import Bundle, Role
from proseform.case import Case
from proseform.infer import Completion, Request, ask
from proseform.infer.answer import close
from proseform.infer.drafts import Drafting
from proseform.infer.local import LocalEngine
from proseform.infer.role_model import RoleModel
from proseform.infer.worker import Job
from proseform.machine import machine
from proseform.schema import Schema

SEED = 20_261_127
WAYS: dict[str, Drafting | None] = {
    "a pass a token": None,
    "forced": Drafting(lookup=False),
    "forced, lookup": Drafting(),
}


@dataclass(slots=True)
class Cost:
    """What one way cost.

    Attributes:
        passes: Of the model.
        cpu: Seconds of processor time.
        wall: Seconds by the clock.
        different: Completions that are not those of a pass a token.
    """

    passes: int = 0
    cpu: float = 0.0
    wall: float = 0.0
    different: int = 0


def requests(bundle: Bundle, role: Role, cases: Sequence[Case]) -> list[Request]:
    """What a role is asked about some cases."""
    if role == "evaluator":
        return [ask(bundle, role, case.inputs) for case in cases]
    schema = Schema(bundle.schema)
    signature = bundle.formatter.prompt.shown(schema)
    return [ask(bundle, role, {"prose": case.prose, "schema": signature}, schema=schema.grammar) for case in cases]


def compare(model: RoleModel, asked: Sequence[Request], size: int) -> tuple[dict[str, Cost], int]:
    """The cost of each way, in batches of a size, and how many tokens were written."""
    costs = {way: Cost() for way in WAYS}
    tokens = 0
    for turn, batch in enumerate(model.batches(asked, size)):
        texts: dict[str, list[tuple[str, str]]] = {}
        for step in range(len(WAYS)):
            way = [*WAYS][(turn + step) % len(WAYS)]
            done = _timed(model, [asked[index] for index in batch], costs[way], WAYS[way])
            texts[way] = [(one.text, one.finish) for one in done]
            tokens += sum(one.tokens for one in done) if WAYS[way] is None else 0
        first, *others = WAYS
        for way in others:
            costs[way].different += sum(one != other for one, other in zip(texts[first], texts[way], strict=True))
    return costs, tokens


def _timed(model: RoleModel, asked: Sequence[Request], cost: Cost, drafting: Drafting | None) -> list[Completion]:
    """Completions of one batch, their cost added."""
    model.drafting = drafting
    before, wall, cpu = model.passes, time.perf_counter(), time.process_time()
    outcomes = model.complete([Job(request) for request in asked])
    cost.cpu += time.process_time() - cpu
    cost.wall += time.perf_counter() - wall
    cost.passes += model.passes - before
    done = [outcome for outcome in outcomes if isinstance(outcome, Completion)]
    if len(done) < len(outcomes):
        raise next(outcome for outcome in outcomes if not isinstance(outcome, Completion))
    return done


def main(
    bundle: Path,
    cases: Annotated[int, typer.Option(min=1)] = 200,
    batches: str = "1,16",
    roles: str = "formatter,evaluator",
    level: str = "",
) -> None:
    """Print a table for each role and size of batch."""
    console = Console(width=110)
    engine = LocalEngine(bundle, check_files=False)
    the_task = task.load(engine.bundle.task)
    chosen = list(the_task.generate(level or the_task.levels[0], "test", SEED, cases))
    console.print(f"{machine()}; bundle {engine.bundle.digest[:19]}; {len(chosen)} cases")
    different = 0
    try:
        for role in (one for one in engine.bundle.parts if one in roles.split(",")):
            model = engine._role_models[role]  # noqa: SLF001 - passes are counted below the engine
            asked = requests(engine.bundle, role, chosen)
            for size in map(int, batches.split(",")):
                costs, tokens = compare(model, asked, size)
                different += sum(cost.different for cost in costs.values())
                console.print(
                    _table(f"{role}, {model.model.num_parameters():,} parameters, batch {size}", costs, tokens)
                )
    finally:
        close(engine)
    if different:
        sys.exit(1)


def _table(title: str, costs: dict[str, Cost], tokens: int) -> Table:
    """A row for each way."""
    table = Table(
        "way", "passes", "fewer", "CPU s", "faster", "s", "faster", "different", title=title, caption=f"{tokens} tokens"
    )
    first = next(iter(costs.values()))
    for way, cost in costs.items():
        table.add_row(
            way,
            str(cost.passes),
            f"{first.passes / cost.passes:.2f}x",
            f"{cost.cpu:.2f}",
            f"{first.cpu / cost.cpu:.2f}x",
            f"{cost.wall:.2f}",
            f"{first.wall / cost.wall:.2f}x",
            str(cost.different),
        )
    return table


if __name__ == "__main__":
    typer.run(main)
