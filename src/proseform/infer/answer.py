"""The public functions of answering: one case, many cases, the formatter's turn alone; for code that is not asynchronous too.

Evaluation, the probe, ``proseform answer`` and serving all run :mod:`proseform.infer.chain`, so what is measured is what is
served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proseform import digest
from proseform.bundle import Bundle
from proseform.errors import InputError, ProseformError, Refusal, TaskError
from proseform.infer import Completion, Engine, OnText, Request, drive
from proseform.infer.moves import Plan
from proseform.infer.verified import Answer, Formatted
from proseform.input import Input
from proseform.schema import Schema
from proseform.task import Task

__all__ = [
    "Answer",
    "Formatted",
    "agree",
    "answer",
    "answered",
    "answers",
    "close",
    "completed",
    "formatted",
    "read_inputs",
]


async def answered(
    engine: Engine, task: Task, inputs: Mapping[str, Any], *, deadline: float | None = None, schema: Schema | None = None,
    on_text: OnText | None = None,
) -> Answer:  # fmt: skip
    """Answer one case; cancelling the awaiting task cancels what was begun.

    Args:
        engine: Runs a bundle of this very task.
        task: The task.
        inputs: The task's inputs, as values or as text.
        deadline: When to give up, on the clock of :func:`time.monotonic`, in seconds.
        schema: Answer this schema instead of the bundle's.
        on_text: Receives the prose while it is written, as a draft.

    Raises:
        InputError: Inputs that are not the task's, or a schema that cannot be enforced.
        TaskError: The bundle is another task's.
        Refusal: ``too_long``, ``deadline``, or the verifier's reason against the last attempt.
        EngineError: The engine is away.
    """
    (plan,) = _plans(engine, task, [inputs], deadline, schema, stream=on_text is not None)
    outcome = await drive.one(engine, plan, on_text=on_text)
    assert isinstance(outcome, Answer)
    return outcome


def answer(
    engine: Engine, task: Task, inputs: Mapping[str, Any], *, deadline: float | None = None, schema: Schema | None = None,
) -> Answer:  # fmt: skip
    """:func:`answered`, waited for."""
    return drive.wait(answered(engine, task, inputs, deadline=deadline, schema=schema))


def answers(
    engine: Engine, task: Task, many: Sequence[Mapping[str, Any]], *, deadline: float | None = None, schema: Schema | None = None,
) -> list[Answer | Refusal]:  # fmt: skip
    """Answer many cases in lock step; see :func:`answered`. A refusal is that case's outcome.

    Raises:
        ProseformError: The first error that is no refusal, once all have ended: an engine that is away is no answer.
    """
    plans = _plans(engine, task, many, deadline, schema)
    return [
        outcome for outcome in _kept(drive.wait(drive.many(engine, plans))) if isinstance(outcome, Answer | Refusal)
    ]


def formatted(
    engine: Engine, proses: Sequence[str], schema: Schema | Sequence[Schema], *, deadline: float | None = None,
) -> list[Formatted | Refusal]:  # fmt: skip
    """The formatter's turn alone, in lock step: prose to verified JSON.

    Args:
        engine: Whose bundle's formatter is asked.
        proses: Evaluations.
        schema: One for all, or one for each.
        deadline: See :func:`answered`.

    Raises:
        ProseformError: As :func:`answers`.
    """
    schemas = [schema] * len(proses) if isinstance(schema, Schema) else schema
    plans = [
        Plan(engine.bundle, target, prose=prose, deadline=deadline, narrows=not engine.ends)
        for prose, target in zip(proses, schemas, strict=True)
    ]
    outcomes = _kept(drive.wait(drive.many(engine, plans)))
    return [outcome for outcome in outcomes if isinstance(outcome, Formatted | Refusal)]


def completed(engine: Engine, requests: Sequence[Request]) -> list[Completion | ProseformError]:
    """:meth:`proseform.infer.Engine.complete_all`, waited for."""
    return drive.wait(engine.complete_all(requests))


def close(engine: Engine) -> None:
    """:meth:`proseform.infer.Engine.close`, waited for."""
    drive.wait(engine.close())


def agree(bundle: Bundle, task: Task) -> None:
    """Refuse a bundle that was made for another task, or for another contract of it; its data may differ.

    Raises:
        TaskError: With both digests.
    """
    installed = task.contract if bundle.format else task.whole  # format 0 states one digest of the whole folder
    if (bundle.task, bundle.task_contract) != (task.name, installed):
        raise TaskError(
            f"Bundle {digest.short(bundle.digest)} was made for task '{bundle.task}' {digest.short(bundle.task_contract)}; "
            f"installed is '{task.name}' {digest.short(installed)}.",
            hint="Install the task's version that the bundle was trained on, or train and promote a new bundle.",
        )


def read_inputs(task: Task, inputs: Mapping[str, Any]) -> dict[str, Input]:
    """A task's inputs as values; what is text is cleaned, see :meth:`proseform.input.Input.of`.

    Raises:
        InputError: Missing, unknown, not text, or blank.
    """
    hint = f"Task '{task.name}' has the inputs {', '.join(task.inputs)}."
    values: dict[str, Input] = {}
    for name in task.inputs:
        if name not in inputs:
            raise InputError(f"Input '{name}' is missing.", hint=hint)
        if not isinstance(inputs[name], str | Input):
            raise InputError(f"Input '{name}' is {type(inputs[name]).__name__}, expected text.", hint=hint)
        values[name] = Input.of(inputs[name])
        if not values[name].text.strip():
            raise InputError(f"Input '{name}' is blank.", hint=hint)
    for name in inputs:
        if name not in task.inputs:
            raise InputError(f"Unknown input {name!r:.80}.", hint=hint)
    return values


def _plans(
    engine: Engine, task: Task, many: Sequence[Mapping[str, Any]], deadline: float | None, schema: Schema | None, *,
    stream: bool = False,
) -> list[Plan]:  # fmt: skip
    """A plan for each case."""
    agree(engine.bundle, task)
    target = schema or engine.bundle.compiled()
    return [
        Plan(
            engine.bundle,
            target,
            task,
            read_inputs(task, inputs),
            deadline=deadline,
            narrows=not engine.ends,
            stream=stream,
        )
        for inputs in many
    ]


<<<<<<< HEAD
def _kept(outcomes: Sequence[drive.Outcome]) -> Sequence[drive.Outcome]:
    """The outcomes, where none of them is an error of the engine or of the request."""
    for outcome in outcomes:
        if isinstance(outcome, ProseformError) and not isinstance(outcome, Refusal):
            raise outcome
    return outcomes
=======
def _unfit(engine: Engine, request: Request) -> Refusal | None:
    """Why a request need not be sent."""
    if request.deadline is not None and time.monotonic() >= request.deadline:
        return _late(request)
    room = engine.room(request)
    if room is None or room * _LEAST_SHARE >= request.max_tokens:
        return None
    return Refusal(
        "too_long",
        f"The {request.role}'s prompt leaves room for {max(room, 0)} tokens of {request.max_tokens}.",
        hint="Shorten the inputs, or serve a model with a longer context.",
    )


def _late(request: Request) -> Refusal:
    """The refusal of an answer that took too long."""
    return Refusal(
        "deadline",
        f"Time was up at the {request.role}.",
        hint="Allow more time, or try again when the engine is less busy.",
    )


def _format_request(engine: Engine, prose: str, schema: Schema, deadline: float | None) -> Request:
    """The formatter's first request. A prefill that begins an object is left out for schemas of another shape."""
    request = ask(
        engine.bundle,
        "formatter",
        {"prose": prose, "schema": schema.signature()},
        schema=schema.grammar,
        deadline=deadline,
    )
    closed = schema.grammar.get("type") == "object" and schema.fields
    return request if closed else _changed(request, prefill="")


def _attempt(engine: Engine, request: Request, attempt: int) -> Request:
    """The same request; from the second attempt on under a narrower schema, with twice the budget where there is room."""
    if attempt == 0:
        return request
    room = engine.room(request)
    budget = request.max_tokens * 2 if room is None else max(1, min(room, request.max_tokens * 2))
    narrower = narrow(request.schema or {}, budget * (_WIDE if attempt == 1 else 1))
    prefill = request.prefill if narrower.get("properties") else ""
    return _changed(request, schema=narrower, max_tokens=budget, prefill=prefill, seed=request.seed + attempt)


def _changed(request: Request, **changes: Any) -> Request:
    """A copy with changes."""
    return Request(**{**{name: getattr(request, name) for name in Request.__dataclass_fields__}, **changes})


def _invalid(verdict: Verdict) -> Refusal:
    """The refusal of JSON that the verifier does not accept."""
    hint = "The model rambles: promote a better one, or ask for a smaller schema."
    return Refusal(str(verdict.reason), f"No valid JSON came of it ({verdict}).", hint=hint)


def _joined(
    engine: Engine, task: Task, schema: Schema, judged: Completion, made: Formatted | Refusal
) -> Answer | Refusal:
    """The two steps as one answer."""
    if isinstance(made, Refusal):
        return made
    return Answer(
        prose=judged.text,
        prose_verdict=verify.prose(judged.text, task),
        text=made.text,
        value=made.value,
        bundle=engine.bundle.digest,
        task=task.contract,
        seconds={"evaluator": judged.seconds, "formatter": made.seconds},
        tokens={"evaluator": judged.tokens, "formatter": made.tokens},
        narrowed=made.narrowed,
        grounded=grounding(made.value, judged.text, schema),
    )
>>>>>>> 7f539d0 (Schemas of any draft: verdicts by the original in its own draft, a 2020-12 grammar for the engine that is only ever wider, bounds of size, depth, references and looks before anything is done with a caller's schema)
