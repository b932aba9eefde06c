"""A batch of the toy task over a scripted engine: `batch_program.py FILE OUT LOG PAUSE_S`; LOG gets each case."""

import asyncio
import sys
from pathlib import Path

from proseform import testing
from proseform.serve.batches import file
from tests.serve.light import JSON, PROSE

if __name__ == "__main__":
    requests, out, log, pause_s = (Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]))

    def note(case):
        with log.open("a") as lines:
            lines.write(f"{case}\n")

    async def script(request):
        if request.role == "formatter":
            return JSON
        note(request.prompt.text.partition("for ")[2].partition("\n")[0])
        await asyncio.sleep(pause_s)
        return PROSE

    task = testing.toy_task()
    engine = testing.ScriptedEngine(testing.toy_bundle(task), script)
    file.run(
        engine,
        task,
        requests,
        out,
        concurrency=4,
        timeout_s=60,
        patience_s=60,
    )
