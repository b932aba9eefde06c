"""The scripted engine: ``python -m benchmarks.serving.engine DELAY_MS COUNT TOKENIZER`` prints its port and answers.

Each answer takes the same time, whatever else is asked. It speaks OpenAI's protocol, and takes prompts as text, as
messages, or as ids of a tokenizer that lies in a folder.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.serving import cases, http
from proseform.infer.bundled import BundleTokenizer


class Script:
    """The right text for a prompt, looked for once and then known.

    Args:
        texts: From what stands in a prompt to what is said to it.
        decode: From token ids to text.
    """

    def __init__(self, texts: Mapping[str, str], decode: Callable[[list[int]], str]) -> None:
        self._texts = texts
        self._decode = decode
        self._known: dict[Hashable, str] = {}

    def text(self, body: Mapping[str, Any]) -> str:
        """What is said to a request."""
        prompt: Any = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
        key = tuple(prompt) if isinstance(prompt, list) else prompt
        if key not in self._known:
            text = self._decode(prompt) if isinstance(prompt, list) else prompt
            # An evaluation may quote what stands in a CV, never the whole of it: the longest that is there counts.
            said = max((known for known in self._texts if known in text), key=len)
            self._known[key] = self._texts[said]
        return self._known[key]


def completion(body: Mapping[str, Any], text: str) -> dict[str, Any]:
    """A completion in OpenAI's form."""
    choice = {"message": {"role": "assistant", "content": text}} if "messages" in body else {"text": text}
    usage = {"prompt_tokens": 100, "completion_tokens": 100, "total_tokens": 200}
    about = {"id": "scripted", "object": "chat.completion", "created": 0, "model": body["model"], "usage": usage}
    return {**about, "choices": [{"index": 0, **choice, "finish_reason": "stop"}]}


def script(count: int, folder: Path) -> Script:
    """The script of so many cases, and of the ids of a tokenizer in a folder."""
    return Script(cases.texts(cases.drawn(count)), BundleTokenizer.load(folder).decode)


async def main() -> None:
    """Answer until killed."""
    delay_s, count, folder = float(sys.argv[1]) / 1000, int(sys.argv[2]), Path(sys.argv[3])
    known = script(count, folder)
    models = json.dumps({"object": "list", "data": [{"id": name} for name in ("evaluator", cases.MODEL)]}).encode()

    async def answer(path: str, data: bytes) -> bytes:
        if not path.endswith("completions"):
            return models
        loop = asyncio.get_running_loop()
        until = loop.time() + delay_s
        body = json.loads(data)
        response = json.dumps(completion(body, known.text(body))).encode()
        await asyncio.sleep(until - loop.time())
        return response

    server = await asyncio.get_running_loop().create_server(lambda: http.Served(answer), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    http.run(main())
