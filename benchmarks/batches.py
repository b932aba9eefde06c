"""Rows of `proseform batch` a second of processor time: everything but the models, with cases of the CV task.

A scripted engine gives each case its own gold prose and answer, and one case in ten careless prose, as annotators
write it; what fails to verify is refused in its place. Run it as `python -m benchmarks.batches [ROWS]`. With
`--bundle bundles/cv-real --level real` a bundle's own models answer in this process, and what they take is in the rate.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from proseform import task as tasks
from proseform import testing
from proseform.case import Case
from proseform.infer import Engine, Request
from proseform.infer.local import LocalEngine
from proseform.machine import machine
from proseform.serve.batches import file
from proseform.stages import shipped

CARELESS = 10
"""One case in so many has careless prose."""
_PATIENCE_S = 3600.0
"""Seconds for an answer: what waits behind others counts."""


def main(
    rows: Annotated[int, typer.Argument(min=1)] = 10_000,
    bundle: Annotated[Path | None, typer.Option(help="A bundle's folder; absent takes the scripted engine.")] = None,
    level: str = "starter",
    concurrency: Annotated[int, typer.Option(min=1, help="Rows at a time.")] = 32,
) -> None:
    """Print rate, outcomes and sizes of one batch."""
    cv = tasks.load("cv")
    cases = list(cv.generate(level, "test", 0, rows))
    engine = _scripted(cv, cases) if bundle is None else LocalEngine(shipped.whole(bundle))
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.jsonl", Path(folder) / "out.csv"
        lines = [{"custom_id": case.id, "body": {"inputs": dict(case.inputs)}} for case in cases]
        source.write_text("".join(json.dumps(line) + "\n" for line in lines))
        wall, cpu = time.monotonic(), time.process_time()
        outcomes = file.run(
            engine, cv, source, out, concurrency=concurrency, timeout_s=_PATIENCE_S, patience_s=_PATIENCE_S
        )
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        sizes = f"{source.stat().st_size / 2**20:.1f} MiB in, {out.stat().st_size / 2**20:.1f} MiB out"
    by = "engine scripted" if bundle is None else f"bundle {engine.bundle.digest[:19]}"
    print(f"{machine()}; {rows} rows of level {level}, {by}, one process")
    print(f"{rows / cpu:,.2f} rows a second of processor time ({cpu:.1f} s); {sizes}")
    print(f"{rows / wall:,.2f} rows a second by the clock ({wall:.1f} s): {86_400 * rows / wall:,.0f} a day")
    print(", ".join(f"{name} {number}" for name, number in outcomes.most_common()))


def _scripted(cv: tasks.Task, cases: Sequence[Case]) -> Engine:
    """An engine that knows the cases."""
    rng = random.Random(0)
    prose = {
        case.inputs["cv"]: (cv.annotate(case, rng) if number % CARELESS == 0 else case.prose)
        for number, case in enumerate(cases)
    }
    answers = {case.prose: json.dumps(dict(case.answer)) for case in cases}
    texts = {**prose, **answers}

    def script(request: Request) -> str:
        pieces = (segment.text for turn in request.prompt.turns for segment in turn.segments)
        return next((texts[piece] for piece in pieces if piece in texts), "{}")

    return testing.ScriptedEngine(testing.toy_bundle(cv), script)


if __name__ == "__main__":
    typer.run(main)
