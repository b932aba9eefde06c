"""The cases, what is asked of whom, and what is right.

Cases are those of the task ``cv`` at level ``professional``, whose answers have 1.4 kB. There are so many that none
comes again while a server still keeps its evaluation (:data:`KEPT_S`): every request costs its calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from proseform import task as tasks
from proseform.case import Case

COUNT = 1000
KEPT_S = 0.25
"""How long our server keeps an evaluation here, in seconds."""
MODEL = "formatter"
Mode = Literal["one call", "two calls"]
MODES: tuple[Mode, ...] = ("one call", "two calls")
CHAT = "/v1/chat/completions"


@cache
def drawn(count: int) -> tuple[Case, ...]:
    """The cases, always the same."""
    return tuple(tasks.load("cv").generate("professional", "test", 0, count))


def texts(cases: Sequence[Case]) -> dict[str, str]:
    """What engines say, by what stands in the prompt: a CV's evaluation, and the JSON of an evaluation."""
    evaluations = {case.inputs["cv"].strip(): case.prose for case in cases}
    return evaluations | {case.prose: json.dumps(dict(case.answer)) for case in cases}


@dataclass(frozen=True, slots=True)
class Ask:
    """One HTTP request.

    Attributes:
        path: Its path.
        body: Its body.
        right: Whether the JSON of a response is.
    """

    path: str
    body: bytes
    right: Callable[[Any], bool]


def asks(subject: str, mode: Mode, case: Case) -> list[Ask]:
    """What a caller of a subject asks for a case, one after another.

    Args:
        subject: ``direct`` asks the engine itself.
        mode: ``one call`` turns prose into JSON, ``two calls`` judges inputs.
        case: The case.
    """
    answer = dict(case.answer)
    match subject, mode:
        case "proseform" | "traced", "two calls":
            return [_ask("/v1/tasks/cv/answer", {"inputs": dict(case.inputs)}, lambda body: body["answer"] == answer)]
        case "proseform" | "traced", _:
            return [_chat("cv/formatter", case.prose, _is(answer), "/openai" + CHAT)]
        case "direct", "two calls":
            evaluation = _chat("evaluator", "\n\nJob: ".join(case.inputs.values()), lambda text: text == case.prose)
            return [evaluation, _chat(MODEL, case.prose, _is(answer))]
        case "kserve", _:
            body = {"instances": [{"prose": case.prose}]}
            path = f"/v1/models/{MODEL}:predict"
            return [_ask(path, body, lambda body: json.loads(body["predictions"][0]) == answer)]
        case _:
            return [_chat(MODEL, case.prose, _is(answer))]


def _is(answer: Mapping[str, Any]) -> Callable[[str], bool]:
    """Whether a text is this answer."""
    return lambda text: json.loads(text) == answer


def _chat(model: str, text: str, right: Callable[[str], bool], path: str = CHAT) -> Ask:
    """A chat completion."""
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return _ask(path, body, lambda body: right(body["choices"][0]["message"]["content"]))


def _ask(path: str, body: Any, right: Callable[[Any], bool]) -> Ask:
    """A request with a JSON body."""
    return Ask(path, json.dumps(body).encode(), right)
