"""The one path of an answer: inputs → evaluator → prose → formatter → JSON → verified JSON.

Evaluation, the probe, ``proseform answer`` and serving all go through here, so what is measured is what is served.
Prose is judged and reported, never refused: its form is training's affair. JSON that the verifier does not accept
never leaves: the formatter is asked again under a narrower schema (:mod:`proseform.infer.narrow`), at most twice, and
then the answer is a :class:`~proseform.errors.Refusal` with its reason.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proseform import digest, verify
from proseform.bundle import Bundle
from proseform.errors import InputError, Refusal, TaskError
from proseform.infer import Completion, Engine, Request, ask
from proseform.infer.grounding import grounding
from proseform.infer.narrow import narrow
from proseform.input import Input
from proseform.schema import Schema
from proseform.task import Task
from proseform.verdict import Verdict

_WIDE = 3
"""Bytes a token that the first narrower schema counts with; the second counts with one, which always fits."""

_LEAST_SHARE = 4
"""A prompt is too long when not even a quarter of the longest completion has room."""


@dataclass(frozen=True, slots=True)
class Formatted:
    """Verified JSON made of prose.

    Attributes:
        text: The JSON as the model wrote it.
        value: The JSON.
        tokens: Generated tokens, all attempts together.
        seconds: Wall-clock seconds, all attempts together (of their batches, in process).
        narrowed: Whether the model rambled, so that a narrower schema had to be enforced.
    """

    text: str
    value: Any
    tokens: int
    seconds: float
    narrowed: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A verified answer.

    Attributes:
        prose: The evaluation.
        prose_verdict: What the verifier says of it, for the task's whole schema.
        text: The JSON as the model wrote it.
        value: The JSON, accepted by the verifier.
        bundle: The digest of the bundle that gave it.
        task: The digest of the task.
        seconds: Wall-clock seconds by role.
        tokens: Generated tokens by role.
        narrowed: See :class:`Formatted`.
        grounded: The share of the JSON's free strings that occur in the prose, in [0, 1]; reported only.
    """

    prose: str
    prose_verdict: Verdict
    text: str
    value: Any
    bundle: str
    task: str
    seconds: Mapping[str, float]
    tokens: Mapping[str, int]
    narrowed: bool
    grounded: float

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON: ``answer``, ``prose``, ``verdict``, ``prose_verdict``, ``bundle``, ``task`` and figures."""
        return {
            "answer": self.value,
            "prose": self.prose,
            "verdict": "verified",
            "prose_verdict": str(self.prose_verdict),
            "grounded": round(self.grounded, 4),
            "narrowed": self.narrowed,
            "bundle": self.bundle,
            "task": self.task,
            "seconds": {role: round(seconds, 4) for role, seconds in self.seconds.items()},
            "tokens": dict(self.tokens),
        }


def answer(
    engine: Engine, task: Task, inputs: Mapping[str, Any], *, deadline: float | None = None, schema: Schema | None = None,
) -> Answer:  # fmt: skip
    """Answer one case.

    Args:
        engine: Runs a bundle of this very task.
        task: The task.
        inputs: The task's inputs, as values or as text.
        deadline: When to give up, on the clock of :func:`time.monotonic`, in seconds.
        schema: Answer this schema instead of the bundle's.

    Raises:
        InputError: Inputs that are not the task's, or a schema that cannot be enforced.
        TaskError: The bundle is another task's.
        Refusal: ``too_long``, ``deadline``, or the verifier's reason against the last attempt.
        EngineError: The engine is away.
    """
    outcome = answers(engine, task, [inputs], deadline=deadline, schema=schema)[0]
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome


def answers(
    engine: Engine, task: Task, many: Sequence[Mapping[str, Any]], *, deadline: float | None = None, schema: Schema | None = None,
) -> list[Answer | Refusal]:  # fmt: skip
    """Answer many cases in batches; see :func:`answer`. A refusal is that case's outcome, other errors are raised."""
    agree(engine.bundle, task)
    for inputs in many:
        check_inputs(task, inputs)
    target = schema or engine.bundle.compiled()
    asked = [ask(engine.bundle, "evaluator", inputs, deadline=deadline) for inputs in many]
    judged = _complete(engine, asked)
    written = [outcome for outcome in judged if isinstance(outcome, Completion)]
    jsons = iter(formatted(engine, [completion.text for completion in written], target, deadline=deadline))
    return [
        outcome if isinstance(outcome, Refusal) else _joined(engine, task, target, inputs, outcome, next(jsons))
        for inputs, outcome in zip(many, judged, strict=True)
    ]


def formatted(
    engine: Engine, proses: Sequence[str], schema: Schema | Sequence[Schema], *, deadline: float | None = None,
) -> list[Formatted | Refusal]:  # fmt: skip
    """The formatter's step alone: prose to verified JSON.

    Args:
        engine: Whose bundle's formatter is asked.
        proses: Evaluations.
        schema: One for all, or one for each.
        deadline: See :func:`answer`.
    """
    schemas = [schema] * len(proses) if isinstance(schema, Schema) else list(schema)
    first = [_format_request(engine, prose, each, deadline) for prose, each in zip(proses, schemas, strict=True)]
    results: list[Formatted | Refusal] = [Refusal("engine", "Nothing was asked.")] * len(first)
    spent = [(0, 0.0)] * len(first)
    open_ones = list(range(len(first)))
    for attempt in range(3):
        asked = [_attempt(engine, first[index], attempt) for index in open_ones]
        for index, outcome in zip(open_ones, _complete(engine, asked), strict=True):
            if isinstance(outcome, Refusal):
                results[index] = outcome
                continue
            tokens, seconds = spent[index]
            spent[index] = (tokens + outcome.tokens, seconds + outcome.seconds)
            verdict = verify.answer(outcome.text, schemas[index])
            if verdict.ok:
                results[index] = Formatted(outcome.text, verdict.value, *spent[index], narrowed=attempt > 0)
            else:
                results[index] = _invalid(verdict)
        open_ones = [
            i
            for i in open_ones
            if isinstance(found := results[i], Refusal) and found.reason not in {"deadline", "too_long"}
        ]
        if not open_ones:
            break
    return results


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


def check_inputs(task: Task, inputs: Mapping[str, Any]) -> None:
    """Refuse inputs that are not the task's; the field is named.

    Raises:
        InputError: Missing, unknown, not text, or blank.
    """
    wanted = f"Task '{task.name}' wants {', '.join(task.inputs)}."
    for name in task.inputs:
        if name not in inputs:
            raise InputError(f"Input '{name}' is missing.", hint=wanted)
        if not isinstance(inputs[name], str | Input):
            raise InputError(f"Input '{name}' is {type(inputs[name]).__name__}, expected text.", hint=wanted)
        if not Input.of(inputs[name]).text.strip():
            raise InputError(f"Input '{name}' is blank.", hint=wanted)
    for name in inputs:
        if name not in task.inputs:
            raise InputError(f"Unknown input '{name}'.", hint=wanted)


def _complete(engine: Engine, requests: Sequence[Request]) -> list[Completion | Refusal]:
    """Ask the engine; what cannot fit or is late is a refusal of that request alone."""
    outcomes: list[Completion | Refusal | None] = [_unfit(engine, request) for request in requests]
    fit = [index for index, outcome in enumerate(outcomes) if outcome is None]
    try:
        done: list[Completion | Refusal] = [*engine.generate([requests[index] for index in fit])] if fit else []
    except Refusal as refusal:
        done = (
            [refusal]
            if len(fit) == 1
            else [outcome for index in fit for outcome in _complete(engine, [requests[index]])]
        )
    for index, outcome in zip(fit, done, strict=True):
        late = isinstance(outcome, Completion) and outcome.finish == "deadline"
        outcomes[index] = _late(requests[index]) if late else outcome
    return [outcome for outcome in outcomes if outcome is not None]


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
        schema=schema.document,
        deadline=deadline,
    )
    closed = schema.document.get("type") == "object" and schema.fields
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
    engine: Engine,
    task: Task,
    schema: Schema,
    inputs: Mapping[str, Any],
    judged: Completion,
    made: Formatted | Refusal,
) -> Answer | Refusal:
    """The two steps as one answer."""
    if isinstance(made, Refusal):
        return made
    return Answer(
        prose=judged.text,
        prose_verdict=verify.prose(judged.text, task, inputs),
        text=made.text,
        value=made.value,
        bundle=engine.bundle.digest,
        task=task.contract,
        seconds={"evaluator": judged.seconds, "formatter": made.seconds},
        tokens={"evaluator": judged.tokens, "formatter": made.tokens},
        narrowed=made.narrowed,
        grounded=grounding(made.value, judged.text, schema),
    )
