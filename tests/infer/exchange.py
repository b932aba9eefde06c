"""One exchange with a server, for tests of the engine by URL."""

import asyncio

from proseform import testing
from proseform.errors import ProseformError
from proseform.infer import Request
from proseform.infer import http as engines
from proseform.infer.spec import EngineSpec
from proseform.prompt import Rendered
from tests.infer.far import far

CHAT = Request("evaluator", Rendered.from_json([{"role": "user", "content": "Weigh it."}]), max_tokens=9, seed=3)
PLAIN = Request("formatter", Rendered.from_json("Text: x\nJSON:"), '{"', testing.SCHEMA)


def exchange(task, handler, request=CHAT, *, on_text=None, **spec):
    """Ask a server that the handler plays once: the completion or the error, and what the server was asked."""

    async def run():
        async with far(handler) as server:
            engine = engines.HttpEngine(EngineSpec(server.url, **spec), testing.toy_bundle(task))
            try:
                outcome = await engine.complete(request, on_text)
            except ProseformError as error:
                outcome = error
            await engine.close()
            return outcome, server.asked

    return asyncio.run(run())
