"""A server of the toy task over a scripted engine that takes 20 ms a turn: `draining_program.py PORT`."""

import asyncio
import sys

from proseform import testing
from proseform.serve import server
from proseform.serve.router import Weighted
from tests.serve.light import good

if __name__ == "__main__":

    async def script(request):
        await asyncio.sleep(0.02)
        return good(request)

    task = testing.toy_task()
    server.run([Weighted(testing.ScriptedEngine(testing.toy_bundle(task), script))], task, port=int(sys.argv[1]))
