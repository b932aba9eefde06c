"""What 8 bits a weight cost in exactness: a bundle in process as it is, and with its linear layers quantised.

Run it as `python -m benchmarks.quantized BUNDLE [--cases 200] [--batch 16] [--level starter]`. The bundle is a folder;
its task is installed. Whole answers are asked for, by the chain that serves: evaluator, formatter, verifier. Weights
are quantised once, a scale for each matrix; activations at every pass (PyTorch's dynamic quantisation, int8).
Embeddings and the head stay as they are, as in vLLM. Both ways take turns batch by batch, so that what else the machine
does falls on both. vLLM's own quantisations are of other number formats (fp8, mxfp4) and want their own measurement
(`[evaluate.engine]`); this one says how much of a bundle's exactness hangs on the last bits.
"""

from __future__ import annotations

import copy
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch.ao.quantization import quantize_dynamic

from proseform import stats, task
from proseform.case import Case
from proseform.errors import Refusal
from proseform.infer.answer import Answer, answers, close
from proseform.infer.local import LocalEngine
from proseform.machine import machine
from proseform.outcome import headline, right
from proseform.task import Task

SEED = 20_261_127
WAYS = ("as it is", "8 bits")


@dataclass(slots=True)
class Way:
    """One way to hold the weights, and what came of it.

    Attributes:
        engine: Answers.
        mebibytes: Of all weights of both roles.
        outcomes: For each case its answer, or why there is none.
        seconds: By the clock.
    """

    engine: LocalEngine
    mebibytes: float
    outcomes: list[Answer | Refusal] = field(default_factory=list)
    seconds: float = 0.0


def quantised(model: Any) -> Any:
    """A copy of a causal model whose linear layers have weights of 8 bits; embeddings and head are those of before."""
    changed = copy.deepcopy(model)
    quantize_dynamic(changed.base_model, {torch.nn.Linear}, dtype=torch.qint8, inplace=True)
    return changed


def opened(bundle: Path, *, bits: int, batch: int) -> Way:
    """A bundle in this process with its own weights, or with linear layers of 8 bits."""
    engine = LocalEngine(bundle, check_files=False, batch=batch, device="cpu")
    models = engine._role_models.values()  # noqa: SLF001 - weights are changed below the engine
    for role in models if bits == 8 else ():  # noqa: PLR2004 - the bits of int8
        role.model = quantised(role.model)
    return Way(engine, sum(_bytes(role.model) for role in models) / 2**20)


def _bytes(model: Any) -> int:
    """The size of a model's weights when they are saved: quantised layers have no parameters to count."""
    saved = io.BytesIO()
    torch.save(model.state_dict(), saved)
    return saved.tell()


def compare(ways: dict[str, Way], the_task: Task, cases: Sequence[Case], size: int) -> None:
    """Ask every way about every case, in turn."""
    for turn, first in enumerate(range(0, len(cases), size)):
        asked = [case.inputs for case in cases[first : first + size]]
        for step in range(len(WAYS)):
            way = ways[WAYS[(turn + step) % len(WAYS)]]
            began = time.perf_counter()
            way.outcomes += answers(way.engine, the_task, asked)
            way.seconds += time.perf_counter() - began


def main(
    bundle: Path,
    cases: Annotated[int, typer.Option(min=1)] = 200,
    batch: Annotated[int, typer.Option(min=1)] = 16,
    level: str = "",
) -> None:
    """Print a row for each way."""
    console = Console(width=110)
    ways = {name: opened(bundle, bits=bits, batch=batch) for name, bits in zip(WAYS, (32, 8), strict=True)}
    known = ways[WAYS[0]].engine.bundle
    the_task = task.load(known.task)
    chosen = list(the_task.generate(level or the_task.levels[0], "test", SEED, cases))
    console.print(f"{machine()}; bundle {known.digest[:19]}; {len(chosen)} cases; batches of {batch}")
    try:
        compare(ways, the_task, chosen, batch)
    finally:
        for way in ways.values():
            close(way.engine)
    console.print(table(ways, the_task, chosen))


def table(ways: dict[str, Way], the_task: Task, cases: Sequence[Case]) -> Table:
    """Shares with their 95 % intervals."""
    head = headline(the_task)
    shown = Table(
        "weights", "MiB", "answered", "wholly right", f"{head} right" if head else "", "as before", "ms a case"
    )
    first = ways[WAYS[0]].outcomes
    for name, way in ways.items():
        values = [None if isinstance(outcome, Refusal) else outcome.value for outcome in way.outcomes]
        pairs = list(zip(values, cases, strict=True))
        same = sum(_told(one) == _told(other) for one, other in zip(way.outcomes, first, strict=True))
        shown.add_row(
            name,
            f"{way.mebibytes:.1f}",
            _share(sum(isinstance(outcome, Answer) for outcome in way.outcomes), len(cases)),
            _share(sum(right(*pair) for pair in pairs), len(cases)),
            _share(sum(right(*pair, fields=[head]) for pair in pairs), len(cases)) if head else "",
            _share(same, len(cases)),
            f"{1000 * way.seconds / len(cases):.0f}",
        )
    return shown


def _told(outcome: Answer | Refusal) -> Any:
    """What a caller is told: the JSON, or the reason."""
    return outcome.reason if isinstance(outcome, Refusal) else outcome.value


def _share(count: int, of: int) -> str:
    """A share with its interval."""
    return str(stats.proportion(count, of))


if __name__ == "__main__":
    typer.run(main)
