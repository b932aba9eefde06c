"""The public functions of answering: one case, many cases, the formatter's turn alone.

For code that is not asynchronous too.

Evaluation, the probe, ``proseform answer`` and serving all run :mod:`proseform.infer.chain`, so what is measured is
what is served.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from proseform import digest, excerpt, injection, verify
from proseform.bundle import Bundle
from proseform.claims import claims
from proseform.errors import InputError, ProseformError, Refusal, TaskError
from proseform.infer import Completion, Engine, OnText, Request, drive, loop, tokens
from proseform.infer.kept import ProseCache
from proseform.infer.moves import Plan
from proseform.infer.resilience.observer import Observer
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
    "converted",
    "formatted",
    "read_inputs",
]


async def answered(
    engine: Engine,
    task: Task,
    inputs: Mapping[str, Any],
    *,
    deadline: float | None = None,
    schema: Schema | None = None,
    on_text: OnText | None = None,
    on_restart: Callable[[], None] | None = None,
    kept: ProseCache | None = None,
    tenant: str = "",
    observer: Observer | None = None,
    sample: int = 0,
) -> Answer:
    """Answer one case; cancelling the awaiting task cancels what was begun.

    Args:
        engine: Runs a bundle of this very task.
        task: The task.
        inputs: The task's inputs, as values or as text.
        deadline: When to give up, on the clock of :func:`time.monotonic`, in seconds.
        schema: Answer this schema instead of the bundle's.
        on_text: Receives the prose while it is written, as a draft, before it is judged.
        on_restart: Told that a draft was not verified and is written again, from its beginning.
        kept: Evaluations of equal requests, so that the evaluator is not asked for them again.
        tenant: Whose request it is: evaluations are kept for each apart.
        observer: Is told whether completions were accepted.
        sample: Which of several evaluations this is, from 1; 0 is the only one.

    Raises:
        InputError: Inputs that are not the task's, or a schema that cannot be enforced.
        TaskError: The bundle is another task's.
        Refusal: ``too_long``, ``deadline``, ``insufficient_evidence``; ``incomplete``, ``ungrounded`` or
            ``inconsistent`` after the last try of the evaluator; or the verifier's reason against the last attempt of
            the formatter.
        EngineError: The engine is away.
    """
    (plan,) = _plans(engine, task, [inputs], deadline, schema, stream=on_text is not None)
    plan = replace(plan, sample=sample)
    if kept is not None:
        plan = replace(plan, key=kept.key(tenant, plan))
    outcome = await drive.one(engine, plan, on_text=on_text, on_restart=on_restart, kept=kept, observer=observer)
    assert isinstance(outcome, Answer)
    return outcome


async def converted(
    engine: Engine,
    prose: str,
    schema: Schema | None = None,
    *,
    deadline: float | None = None,
    observer: Observer | None = None,
) -> Formatted:
    """The formatter's turn alone: prose to JSON that its schema allows; without inputs no more is verified.

    Args:
        engine: Whose bundle's formatter is asked.
        prose: An evaluation.
        schema: Answer this schema instead of the bundle's.
        deadline: See :func:`answered`.
        observer: See :func:`answered`.

    Raises:
        InputError: A schema that cannot be enforced.
        Refusal: ``too_long``, ``deadline``, or the verifier's reason against the last attempt.
        EngineError: The engine is away.
    """
    target = schema or engine.bundle.compiled()
    own = target.document != engine.bundle.schema
    plan = Plan(engine.bundle, target, prose=prose, deadline=deadline, own=own, narrows=not engine.ends)
    outcome = await drive.one(engine, plan, observer=observer)
    assert isinstance(outcome, Formatted)
    return outcome


def answer(
    engine: Engine,
    task: Task,
    inputs: Mapping[str, Any],
    *,
    deadline: float | None = None,
    schema: Schema | None = None,
) -> Answer:
    """:func:`answered`, waited for."""
    return loop.wait(answered(engine, task, inputs, deadline=deadline, schema=schema))


def answers(
    engine: Engine,
    task: Task,
    many: Sequence[Mapping[str, Any]],
    *,
    deadline: float | None = None,
    schema: Schema | None = None,
) -> list[Answer | Refusal]:
    """Answer many cases in lock step; see :func:`answered`. A refusal is that case's outcome.

    What is written is measured so: no text, however bad, counts against the engine that wrote it.

    Raises:
        ProseformError: The first error that is no refusal, once all have ended: an engine that is away is no answer.
    """
    plans = _plans(engine, task, many, deadline, schema, measured=True)
    return [outcome for outcome in _kept(loop.wait(drive.many(engine, plans))) if isinstance(outcome, Answer | Refusal)]


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
        Plan(engine.bundle, target, prose=prose, deadline=deadline, narrows=not engine.ends, measured=True)
        for prose, target in zip(proses, schemas, strict=True)
    ]
    outcomes = _kept(loop.wait(drive.many(engine, plans)))
    return [outcome for outcome in outcomes if isinstance(outcome, Formatted | Refusal)]


def completed(engine: Engine, requests: Sequence[Request]) -> list[Completion | ProseformError]:
    """:meth:`proseform.infer.Engine.complete_all`, waited for."""
    return loop.wait(engine.complete_all(requests))


def close(engine: Engine) -> None:
    """:meth:`proseform.infer.Engine.close`, waited for."""
    loop.wait(engine.close())


def agree(bundle: Bundle, task: Task) -> None:
    """Refuse a bundle that was made for another task, or for another contract of it; its data may differ.

    Raises:
        TaskError: With both digests.
    """
    installed = task.contract if bundle.format else task.whole  # format 0 states one digest of the whole folder
    if (bundle.task, bundle.task_contract) != (task.name, installed):
        raise TaskError(
            f"Bundle {digest.short(bundle.digest)} was made for task '{bundle.task}' "
            f"{digest.short(bundle.task_contract)}; installed is '{task.name}' {digest.short(installed)}.",
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


def _marked(engine: Engine, task: Task, value: Input) -> Input:
    """An input with findings: where it speaks to the model, and each control token of the evaluator that it spells."""
    spelt = tokens.findings(value, engine.tokenizer)
    told = injection.noticed(value, task.speech, {(one.start, one.end) for one in spelt})
    return told.with_findings(spelt) if spelt else told


def _plans(
    engine: Engine, task: Task, many: Sequence[Mapping[str, Any]], deadline: float | None, schema: Schema | None, *,
    stream: bool = False, measured: bool = False,
) -> list[Plan]:  # fmt: skip
    """A plan for each case."""
    agree(engine.bundle, task)
    target = schema or engine.bundle.compiled()
    own = target.document != engine.bundle.schema
    stated = (
        claims(target, task.inputs, shared=verify.shared(target, task.schema)) if own else verify.stating(target, task)
    )
    plans = []
    for inputs in many:
        values = {name: _marked(engine, task, value) for name, value in read_inputs(task, inputs).items()}
        excerpts = task.excerpted(values)
        plan = Plan(
            engine.bundle,
            target,
            task,
            {name: excerpt.noticed(value, excerpts.get(name, value.text)) for name, value in values.items()},
            excerpts=excerpts,
            deadline=deadline,
            own=own,
            narrows=not engine.ends,
            stream=stream,
            measured=measured,
            claims=stated,
        )
        plans.append(plan)
    return plans


def _kept(outcomes: Sequence[drive.Outcome]) -> Sequence[drive.Outcome]:
    """The outcomes, where none of them is an error of the engine or of the request."""
    for outcome in outcomes:
        if isinstance(outcome, ProseformError) and not isinstance(outcome, Refusal):
            raise outcome
    return outcomes
