"""Where an answer's processor time goes: ``python -m benchmarks.serving.parts`` prints each part's, without HTTP.

Each is the least of several rounds over a hundred cases, which other work on the machine disturbs least. A part that
contains others is indented less than they are.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks.serving import cases, subjects
from proseform import bundle as bundles
from proseform import task as tasks
from proseform import testing, verify
from proseform.claims import judge
from proseform.infer import Request, answer, asks, kept, tokens
from proseform.infer.answer import Answer
from proseform.infer.context import encoders
from proseform.infer.moves import Plan
from proseform.machine import machine
from proseform.serve.admission import Admission
from proseform.serve.exchange import written
from proseform.serve.router import Router, Weighted

COUNT, ROUNDS = 100, 12
Part = Callable[[int], Coroutine[Any, Any, Answer]]
"""Answers the case of a number."""


def main() -> None:
    """Print the parts."""
    cv, drawn = tasks.load("cv"), cases.drawn(COUNT)
    folder = subjects.bundle(subjects.FOLDER / "bundle", COUNT)
    bundle = bundles.read(folder, check_files=False)
    tokenizer = encoders(folder, bundle)["evaluator"].tokenizer
    schema, inputs = bundle.compiled(), [answer.read_inputs(cv, case.inputs) for case in drawn]
    plans = [Plan(bundle, schema, cv, values, claims=cv.claims) for values in inputs]
    answers = [json.dumps(dict(case.answer)) for case in drawn]
    prompts = [asks.evaluation(plan, 0).prompt for plan in plans]
    proses = [verify.prose(case.prose, cv, values) for case, values in zip(drawn, inputs, strict=True)]
    read = [verify.Evaluation(case.prose, verdict) for case, verdict in zip(drawn, proses, strict=True)]
    further = [asks.formatting(plan, one, 0).prompt for plan, one in zip(plans, read, strict=True)]
    values = [verify.answer(text, schema).value for text in answers]
    answered = answering()
    whole = asyncio.run(answered(0))
    print(f"{machine()}; processor time of a part, µs")
    _print("an answer, engines and HTTP aside", asyncio.run(_awaited(answered)))
    _print("  inputs cleaned", _least(lambda i: answer.read_inputs(cv, drawn[i].inputs)))
    _print("  evaluation read and judged", _least(lambda i: verify.prose(drawn[i].prose, cv, inputs[i])))
    _print("    judged", _least(lambda i: judge(proses[i].value, cv.claims, inputs[i], cv.synonyms)))
    _print("  JSON judged by its schema", _least(lambda i: verify.answer(answers[i], schema)))
    _print(
        "  JSON judged by the evaluation",
        _least(lambda i: verify.stated(values[i], proses[i], cv, cv.claims, inputs[i])),
    )
    _print("evaluator's prompt as ids", _least(lambda i: tokens.encode(tokenizer, prompts[i])))
    _print("formatter's prompt as ids", _least(lambda i: tokens.encode(tokenizer, further[i])))
    _print("the response written", _least(lambda _: written(whole.as_dict())))


def answering() -> Part:
    """Answers a case by its number, as a server does once a request is read; a scripted engine says what is right."""
    cv, drawn, at = tasks.load("cv"), cases.drawn(COUNT), 0

    def script(request: Request) -> str:
        case = drawn[at]
        return case.prose if request.role == "evaluator" else json.dumps(dict(case.answer))

    engine = testing.ScriptedEngine(testing.toy_bundle(cv), script)
    admission = Admission(Router([Weighted(engine)]), cv, kept=kept.cache(64, 0.001, None))

    async def answered(index: int) -> Answer:
        nonlocal at
        at = index
        engine.requests.clear()
        return await admission.answer(drawn[index].inputs)

    return answered


def _least(part: Callable[[int], object]) -> float:
    """The least processor time of a part over the rounds, in microseconds."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for index in range(COUNT):
            part(index)
        spent.append(1e6 * (time.process_time() - began) / COUNT)
    return min(spent)


async def _awaited(part: Part) -> float:
    """As :func:`_least`, of what is awaited."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for index in range(COUNT):
            await part(index)
        spent.append(1e6 * (time.process_time() - began) / COUNT)
    return min(spent)


def _print(name: str, microseconds: float) -> None:
    """One line."""
    print(f"{name:40}{microseconds:8.0f}")


if __name__ == "__main__":
    main()
