"""How many passes of a model drafts save, and how much time; and whether what is written is the same.

Run it as `python -m benchmarks.passes BUNDLE [--cases 200] [--batches 1,16] [--roles formatter,evaluator]`. The bundle
is a folder; its task is installed. The formatter is asked about gold prose, both roles greedily. Ways take turns batch
by batch, so that what else the machine does falls on all of them. Ends with 1 where what is written differs by more
than rounding: in float32 at all, in bfloat16 (`--dtype`) where the two tokens at the first difference lie further apart
than :data:`ROUNDING`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.tries import opened
from proseform import task, verify
from proseform.bundle import Bundle, Role
from proseform.case import Case
from proseform.infer import Request, ask, asks
from proseform.infer.answer import close
from proseform.infer.decode import Row
from proseform.infer.drafts import Drafting
from proseform.infer.moves import Plan
from proseform.infer.role_model import RoleModel
from proseform.machine import machine
from proseform.outcome import right
from proseform.schema import Schema

SEED = 20_261_127
WAYS: dict[str, Drafting | None] = {
    "a pass a token": None,
    "forced": Drafting(lookup=False, expected=0),
    "forced, lookup": Drafting(expected=0),
    "forced, lookup, expected": Drafting(),
}
ROUNDING = {"float32": 0.0, "bfloat16": 2.0**-6}
"""So far apart, as a share of the larger one, the logits of two tokens may lie that change places: two steps of the
format's mantissa."""


@dataclass(slots=True)
class Cost:
    """What one way cost.

    Attributes:
        passes: Of the model.
        cpu: Seconds of processor time.
        wall: Seconds by the clock.
        right: Documents that are exactly the case's.
        gaps: Of each completion that is not that of a pass a token, how far apart the two tokens at the first
            difference lie; see :func:`gap`.
    """

    passes: int = 0
    cpu: float = 0.0
    wall: float = 0.0
    right: int = 0
    gaps: list[float] = field(default_factory=list)


def requests(bundle: Bundle, role: Role, cases: Sequence[Case]) -> list[Request]:
    """What a role is asked about some cases."""
    if role == "evaluator":
        return [ask(bundle, role, case.inputs) for case in cases]
    the_task, schema = task.load(bundle.task), Schema(bundle.schema)
    plan = Plan(bundle, schema, the_task, claims=verify.stating(schema, the_task), measured=True)
    read = [verify.evaluation(case.prose, the_task, case.inputs) for case in cases]
    return [asks.formatting(plan, one, 0) for one in read]


def compare(
    model: RoleModel, asked: Sequence[Request], cases: Sequence[Case], schema: Schema, size: int
) -> tuple[dict[str, Cost], int]:
    """The cost of each way, in batches of a size, and how many tokens were written.

    Args:
        model: Of a role.
        asked: What it is asked.
        cases: What each is about.
        schema: Of the JSON that is asked for, where a role is.
        size: Of a batch.
    """
    costs = {way: Cost() for way in WAYS}
    tokens = 0
    for turn, batch in enumerate(model.batches(asked, size)):
        written: dict[str, list[Row]] = {}
        for step in range(len(WAYS)):
            way = [*WAYS][(turn + step) % len(WAYS)]
            written[way] = _timed(model, [asked[index] for index in batch], costs[way], WAYS[way])
            for index, row in zip(batch, written[way], strict=True):
                if asked[index].schema is not None:
                    verdict = verify.answer(model._text(asked[index], [], row), schema)  # noqa: SLF001 - rows are compared
                    costs[way].right += verdict.ok and right(verdict.value, cases[index], schema.fields)
        first, *others = WAYS
        tokens += sum(len(row.ids) for row in written[first])
        for way in others:
            pairs = zip(written[first], written[way], strict=True)
            costs[way].gaps += [gap(model, one, other) for one, other in pairs if one.ids != other.ids]
    return costs, tokens


def gap(model: RoleModel, one: Row, other: Row) -> float:
    """How far apart the two tokens lie at which two completions part, as a share of the larger logit, 0 or more.

    Infinite where a completion ended for another reason than its model's choice: a length, a deadline.
    """
    at = next(
        (at for at, pair in enumerate(zip(one.ids, other.ids, strict=False)) if pair[0] != pair[1]),
        min(len(one.ids), len(other.ids)),
    )
    if "stop" not in {one.finish, other.finish}:
        return float("inf")
    given = torch.tensor([[*one.prompt, *one.ids[:at]]])
    with torch.inference_mode(), model._switched():  # noqa: SLF001
        logits = model.model(input_ids=given).logits[0, -1].float()
    ends = max(model.stop, key=lambda token: float(logits[token]))
    values = [float(logits[row.ids[at] if at < len(row.ids) else ends]) for row in (one, other)]
    return abs(values[0] - values[1]) / max(map(abs, values))


def _timed(model: RoleModel, asked: Sequence[Request], cost: Cost, drafting: Drafting | None) -> list[Row]:
    """The rows of one batch, their cost added."""
    model.drafting = drafting
    before, wall, cpu = model.passes, time.perf_counter(), time.process_time()
    rows = [model._row(request, *model.encode(request)) for request in asked]  # noqa: SLF001
    model._decode(rows)  # noqa: SLF001
    cost.cpu += time.process_time() - cpu
    cost.wall += time.perf_counter() - wall
    cost.passes += model.passes - before
    return rows


def main(
    bundle: Path,
    cases: Annotated[int, typer.Option(min=1)] = 200,
    batches: str = "1,16",
    roles: str = "formatter,evaluator",
    level: str = "",
    dtype: str = "",
) -> None:
    """Print a table for each role and size of batch."""
    console = Console(width=120)
    engine, the_task = opened(bundle)
    chosen = list(the_task.generate(level or the_task.levels[0], "test", SEED, cases))
    schema, wide = Schema(engine.bundle.schema), False
    try:
        for role in (one for one in engine.bundle.parts if one in roles.split(",")):
            model = engine._role_models[role]  # noqa: SLF001 - passes are counted below the engine
            if dtype:
                model.model.to(getattr(torch, dtype))
            kept = str(model.model.dtype).removeprefix("torch.")
            asked = requests(engine.bundle, role, chosen)
            about = f"{machine()}; bundle {engine.bundle.digest[:19]}, {kept}; {len(chosen)} cases"
            console.print(about, highlight=False)
            for size in map(int, batches.split(",")):
                costs, tokens = compare(model, asked, chosen, schema, size)
                wide |= any(apart > ROUNDING[kept] for cost in costs.values() for apart in cost.gaps)
                title = f"{role}, {model.model.num_parameters():,} parameters, batch {size}"
                console.print(_table(title, costs, tokens, role))
    finally:
        close(engine)
    if wide:
        sys.exit(1)


def _table(title: str, costs: dict[str, Cost], tokens: int, role: Role) -> Table:
    """A row for each way."""
    heads = ("way", "passes", "fewer", "CPU s", "faster", "s", "faster", "different", "furthest apart")
    table = Table(*heads, "exact", title=title, caption=f"{tokens} tokens")
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
            str(len(cost.gaps)),
            f"{max(cost.gaps):.4f}" if cost.gaps else "",
            str(cost.right) if role == "formatter" else "",
        )
    return table


if __name__ == "__main__":
    typer.run(main)
