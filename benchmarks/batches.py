"""Rows of `proseform batch` a second of processor time: everything but the models, with cases of the CV task.

A scripted engine gives each case its own gold prose and answer, and one case in ten careless prose, as annotators
write it; what fails to verify is refused in its place. Run it as `python -m benchmarks.batches [ROWS]`.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from proseform import task as tasks
from proseform import testing
from proseform.infer import Request
from proseform.machine import machine
from proseform.serve.batches import file

CARELESS = 10
"""One case in so many has careless prose."""


def main() -> None:
    """Print rate, outcomes and sizes of one batch."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    cv, rng = tasks.load("cv"), random.Random(0)
    cases = list(cv.generate("starter", "test", 0, count))
    prose = {
        case.inputs["cv"]: (cv.annotate(case, rng) if number % CARELESS == 0 else case.prose)
        for number, case in enumerate(cases)
    }
    answers = {case.prose: json.dumps(dict(case.answer)) for case in cases}

    texts = {**prose, **answers}

    def script(request: Request) -> str:
        pieces = (segment.text for turn in request.prompt.turns for segment in turn.segments)
        return next((texts[piece] for piece in pieces if piece in texts), "{}")

    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.jsonl", Path(folder) / "out.csv"
        rows = [{"custom_id": case.id, "body": {"inputs": dict(case.inputs)}} for case in cases]
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        engine = testing.ScriptedEngine(testing.toy_bundle(cv), script)
        wall, cpu = time.monotonic(), time.process_time()
        outcomes = file.run(
            engine,
            cv,
            source,
            out,
            concurrency=32,
            timeout_s=60,
            patience_s=60,
        )
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        sizes = f"{source.stat().st_size / 2**20:.1f} MiB in, {out.stat().st_size / 2**20:.1f} MiB out"
    print(f"{machine()}; {count} rows, engine scripted, one process")
    print(f"{count / cpu:,.0f} rows a second of processor time ({cpu:.1f} s; {wall:.1f} s by the clock); {sizes}")
    print(", ".join(f"{name} {number}" for name, number in outcomes.most_common()))


if __name__ == "__main__":
    main()
