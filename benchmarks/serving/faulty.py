"""Replicas that fail now and then: ``python -m benchmarks.serving.faulty DELAY_MS COUNT TOKENIZER SHARE``.

They are those of the storm, with the script of :mod:`benchmarks.serving.engine`; their URLs are printed in one line.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from benchmarks.serving import engine
from benchmarks.storm.backend import Backend
from benchmarks.storm.faults import FAULTS

REPLICAS = 3


async def main() -> None:
    """Answer until killed."""
    takes_s, count, folder, share = float(sys.argv[1]) / 1000, int(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4])
    script = engine.script(count, folder)
    replicas = [Backend(number, takes_s, script.text) for number in range(REPLICAS)]
    for replica in replicas:
        replica.fails, replica.share = tuple(FAULTS), share
        await replica.start()
    print(*(replica.url for replica in replicas), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
