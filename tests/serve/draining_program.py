"""A server of the toy task over a scripted engine that takes 20 ms a turn: `draining_program.py PORT [GRPC_PORT]`."""

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
    engine = testing.ScriptedEngine(testing.toy_bundle(task), script)
    grpc_port = int(sys.argv[2]) if len(sys.argv) > 2 else None
    server.run([Weighted(engine)], task, port=int(sys.argv[1]), grpc_port=grpc_port)
