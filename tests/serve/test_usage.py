"""What an answer used, in OpenAI's words: of all texts that were asked for, where engines have counted them."""

import json
from dataclasses import replace

import httpx
import pytest

from proseform import testing
from proseform.infer.kept import ProseCache
from proseform.serve.openai.completions import DONE
from tests.serve.light import INPUTS, JSON, PROSE, light

CHAT = {"model": "toy", "messages": [{"role": "user", "content": json.dumps(INPUTS)}]}


class Counting(testing.ScriptedEngine):
    """One that counts prompts as well: so many for each text, in order."""

    def __init__(self, texts, counts):
        super().__init__(testing.toy_bundle(testing.toy_task()), texts)
        self.counts = iter(counts)

    async def complete(self, request, on_text=None):
        completion = await super().complete(request, on_text)
        return replace(completion, prompt_tokens=next(self.counts))


def asked(texts, counts, requests=1, **rest):
    """The last of some equal responses."""
    kept = ProseCache(b"0123456789abcdef", 1 << 20, 60)
    with light(engine=Counting(texts, counts), kept=kept) as server, httpx.Client(timeout=None) as client:
        url = f"http://127.0.0.1:{server.port}/openai/v1/chat/completions"
        for _ in range(requests):
            response = client.post(url, json={**CHAT, **rest})
    assert response.status_code == 200, response.text
    return response


@pytest.mark.parametrize(
    ("texts", "counts", "usage"),
    [
        ([PROSE, JSON], [20, 7], (27, 2)),
        (["I cannot say.", PROSE, "no JSON", JSON], [20, 20, 7, 7], (54, 4)),
        ([PROSE, JSON], [20, None], None),
        (["I cannot say.", PROSE, JSON], [None, 20, 7], None),
    ],
    ids=["at once", "again", "the formatter's is not counted", "a try is not counted"],
)
def test_it_adds_up_all_that_was_asked_for_or_is_left_out(texts, counts, usage):
    answer = asked(texts, counts).json()
    if usage is None:
        assert "usage" not in answer
        assert answer["proseform"]["prompt_tokens"] is None
        return
    prompt, completion = usage
    known = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    assert answer["usage"] == known
    assert sum(answer["proseform"]["prompt_tokens"].values()) == prompt


def test_an_evaluation_that_was_kept_was_not_asked_for():
    answer = asked([PROSE, JSON, JSON], [20, 7, 7], requests=2).json()
    assert answer["usage"] == {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}


def test_the_formatter_alone_has_its_own():
    rest = {"model": "toy/formatter", "messages": [{"role": "user", "content": PROSE}]}
    assert asked([JSON], [7], **rest).json()["usage"]["total_tokens"] == 8


@pytest.mark.parametrize(("counts", "include"), [([20, 7], True), ([20, 7], False), ([20, None], True)])
def test_a_stream_ends_with_it_where_that_is_asked_for_and_known(counts, include):
    text = asked([PROSE, JSON], counts, stream=True, stream_options={"include_usage": include}).text
    assert text.endswith(DONE.decode())
    chunks = [json.loads(line.removeprefix("data: ")) for line in text.split("\n\n")[:-2]]
    if not include or None in counts:
        assert not any("usage" in chunk for chunk in chunks)
        return
    *before, last = chunks
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 27, "completion_tokens": 2, "total_tokens": 29}
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in before)
