"""How an answer proceeds: a state machine without I/O. Inputs → evaluator → prose → formatter → JSON → verified JSON.

:func:`step` takes a state and an event, and gives the next state with the actions to take; :mod:`proseform.infer.drive`
takes them and does the waiting. So evaluation, the probe, ``proseform answer`` and serving run the same machine, and
what is measured is what is served.

::

    begin ─► [check the schema] ─► [look up the prose] ─► count ─► ask the evaluator ─► prose, judged ─► [store it]
                                                                                                 │
             refuse ◄─ third attempt ◄─ JSON that does not verify ◄─ count, ask the formatter ─► verified JSON ─► done

Prose is judged and reported, never refused. JSON that the verifier does not accept never leaves: the formatter is asked
again, at most twice, sampling at the bundle's retry temperature with another seed (a greedy model would repeat itself),
with twice the budget where there is room, and under a narrower schema where the engine cannot end a document by itself.
Left out: several samples of one turn, hedged requests, and writing prose anew; open requests are a mapping for their
sake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from proseform import verify
from proseform.errors import Refusal
from proseform.infer import Completion, Request, ask, late
from proseform.infer.grounding import grounding
from proseform.infer.moves import (
    Action,
    Ask,
    Begun,
    Cancel,
    Check,
    Checked,
    Completed,
    Count,
    Counted,
    Done,
    Emit,
    Event,
    Failed,
    Left,
    LookedUp,
    LookUp,
    Plan,
    Refuse,
    Store,
    WakeAt,
    Written,
)  # fmt: skip
from proseform.infer.narrow import narrow
from proseform.infer.verified import Answer, Formatted
from proseform.schema import Schema
from proseform.verdict import Reason, Verdict

ATTEMPTS = 3
"""How often the formatter is asked, at most."""
_WIDE = 3
"""Bytes a token that the first narrower schema counts with; the second counts with one, which always fits."""
_LEAST_SHARE = 4
"""A prompt is too long when not even a quarter of the longest completion has room."""
_NAMED = 3
"""So many keywords that no grammar enforces are named in a refusal."""


@dataclass(frozen=True, slots=True)
class State:
    """Where a chain stands.

    Attributes:
        plan: What it is made of.
        turn: Whose turn it is.
        counting: Requests whose schema is being looked at, or whose prompt is being counted, by id.
        asked: Requests that the engine has, by id.
        ids: Ids that were given away.
        attempt: Which attempt of the formatter this is, from 0.
        prose: The evaluation; None until it is there.
        evaluator: Tokens and seconds of the evaluator.
        formatter: Tokens and seconds of the formatter, all attempts together.
    """

    plan: Plan
    turn: Literal["none", "check", "lookup", "evaluator", "formatter", "over"] = "none"
    counting: Mapping[int, Request] = field(default_factory=dict)
    asked: Mapping[int, Request] = field(default_factory=dict)
    ids: int = 0
    attempt: int = 0
    prose: str | None = None
    evaluator: tuple[int, float] = (0, 0.0)
    formatter: tuple[int, float] = (0, 0.0)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.turn == "over"


Step = tuple[State, list[Action]]


def step(state: State, event: Event) -> Step:
    """The next state, and what is to be done.

    Deterministic; what comes after the end, or answers nothing open, is passed over.
    """
    if state.over:
        return state, []
    deadline = state.plan.deadline
    if isinstance(event, Left):
        return _ended(state, [])
    if deadline is not None and event.now >= deadline:
        if isinstance(event, Completed | Failed):
            state = replace(state, asked=_without(state.asked, event.id))  # it has ended by itself
        return _ended(state, [Refuse(late("formatter" if state.turn == "formatter" else "evaluator"))])
    return _taken(state, event)


def _taken(state: State, event: Event) -> Step:
    """An event in time, of a chain that goes on."""
    match event:
        case Begun() if state.turn == "none":
            return _begun(state)
        case Checked() if event.id in state.counting and state.turn == "check":
            return _first(replace(state, counting=_without(state.counting, event.id)))
        case LookedUp() if state.turn == "lookup":
            return _evaluate(state) if event.prose is None else _format(replace(state, prose=event.prose))
        case Counted() if event.id in state.counting and state.turn != "check":
            return _counted(state, event.id, event.room)
        case Written() if event.id in state.asked and state.turn == "evaluator":
            return state, [Emit(event.text)]
        case Completed() if event.id in state.asked:
            return _completed(replace(state, asked=_without(state.asked, event.id)), event.completion)
        case Failed() if event.id in state.asked or event.id in state.counting:
            return _ended(replace(state, asked=_without(state.asked, event.id)), [Refuse(event.error)])
    return state, []


def _begun(state: State) -> Step:
    """The first turn, and an alarm for the deadline."""
    deadline = state.plan.deadline
    after, actions = _check(state) if state.plan.own else _first(state)
    return after, [*([WakeAt(deadline)] if deadline is not None else []), *actions]


def _check(state: State) -> Step:
    """Have the engine look at the caller's schema: what it refuses, it refuses before the evaluator is asked."""
    request = _format_request(state)
    after = replace(state, turn="check", counting={state.ids: request}, ids=state.ids + 1)
    return after, [Check(state.ids, request)]


def _first(state: State) -> Step:
    """The first turn that asks for something."""
    if state.plan.prose is not None:
        return _format(replace(state, prose=state.plan.prose))
    if state.plan.key:
        return replace(state, turn="lookup"), [LookUp(state.plan.key)]
    return _evaluate(state)


def _evaluate(state: State) -> Step:
    """The evaluator's turn."""
    request = ask(state.plan.bundle, "evaluator", state.plan.inputs, deadline=state.plan.deadline)
    return _count(replace(state, turn="evaluator"), request)


def _format(state: State) -> Step:
    """The formatter's turn, for as long as it has attempts."""
    request = _format_request(state)
    if state.attempt:
        request = replace(
            request,
            max_tokens=2 * request.max_tokens,
            temperature=state.plan.bundle.formatter.generation.retry_temperature,
            seed=request.seed + state.attempt,
        )
    return _count(replace(state, turn="formatter"), request)


def _format_request(state: State) -> Request:
    """What the formatter is asked first. A prefill that begins an object is left out for other shapes."""
    plan = state.plan
    values = {"prose": state.prose or "", "schema": plan.schema.signature()}
    request = ask(plan.bundle, "formatter", values, schema=plan.schema.grammar, deadline=plan.deadline)
    closed = plan.schema.grammar.get("type") == "object" and plan.schema.fields
    return request if closed else replace(request, prefill="")


def _count(state: State, request: Request) -> Step:
    """Have a request's prompt counted."""
    counting = {**state.counting, state.ids: request}
    return replace(state, counting=counting, ids=state.ids + 1), [Count(state.ids, request)]


def _counted(state: State, number: int, room: int | None) -> Step:
    """Fit a request into the context that is left, and ask."""
    request = state.counting[number]
    state = replace(state, counting=_without(state.counting, number))
    longest = state.plan.bundle.parts[request.role].generation.max_tokens
    if room is not None and room * _LEAST_SHARE < longest:
        return _ended(state, [Refuse(_too_long(request, room))])
    budget = request.max_tokens if room is None else max(1, min(request.max_tokens, room))
    request = replace(request, max_tokens=budget)
    if request.role == "formatter" and state.attempt and state.plan.narrows:
        request = _narrowed(request, state.attempt)
    asked = {**state.asked, number: request}
    stream = state.plan.stream and request.role == "evaluator"
    return replace(state, asked=asked), [Ask(number, request, stream)]


def _narrowed(request: Request, attempt: int) -> Request:
    """The request under a schema whose documents fit the budget."""
    schema = narrow(request.schema or {}, request.max_tokens * (_WIDE if attempt == 1 else 1))
    return replace(request, schema=schema, prefill=request.prefill if schema.get("properties") else "")


def _completed(state: State, completion: Completion) -> Step:
    """Go on with what came back."""
    if completion.finish == "deadline":
        return _ended(state, [Refuse(late("formatter" if state.turn == "formatter" else "evaluator"))])
    if state.turn == "evaluator":
        spent = completion.tokens, completion.seconds
        after, actions = _format(replace(state, prose=completion.text, evaluator=spent))
        return after, [*([Store(state.plan.key, completion.text)] if state.plan.key else []), *actions]
    tokens, seconds = state.formatter
    state = replace(state, formatter=(tokens + completion.tokens, seconds + completion.seconds))
    verdict = verify.answer(completion.text, state.plan.schema)
    if verdict.ok:
        return _ended(state, [Done(_outcome(state, completion, verdict))])
    if state.attempt + 1 < ATTEMPTS:
        return _format(replace(state, attempt=state.attempt + 1))
    return _ended(state, [Refuse(completion.fault or _invalid(verdict, state.plan.schema))])


def _outcome(state: State, completion: Completion, verdict: Verdict) -> Answer | Formatted:
    """Verified JSON, and what it was made of."""
    plan, prose = state.plan, state.prose or ""
    rest: dict[str, Any] = {
        "narrowed": state.attempt > 0 and plan.narrows,
        "cut": completion.cut,
        "attempts": state.attempt + 1,
    }
    if plan.task is None:
        return Formatted(completion.text, verdict.value, *state.formatter, **rest)
    return Answer(
        prose=prose,
        prose_verdict=verify.prose(prose, plan.task, plan.inputs),
        text=completion.text,
        value=verdict.value,
        bundle=plan.bundle.digest,
        task=plan.task.contract,
        seconds={"evaluator": state.evaluator[1], "formatter": state.formatter[1]},
        tokens={"evaluator": state.evaluator[0], "formatter": state.formatter[0]},
        grounded=grounding(verdict.value, prose, plan.schema),
        findings={name: value.findings for name, value in plan.inputs.items()},
        **rest,
    )


def _ended(state: State, last: list[Action]) -> Step:
    """The end: whatever is still asked is cancelled."""
    cancelled: list[Action] = [Cancel(number) for number in state.asked]
    return replace(state, turn="over", asked={}, counting={}), [*cancelled, *last]


def _without(requests: Mapping[int, Request], number: int) -> dict[int, Request]:
    """The other requests."""
    return {known: request for known, request in requests.items() if known != number}


def _too_long(request: Request, room: int) -> Refusal:
    """The refusal of a prompt that leaves no room."""
    message = f"The {request.role}'s prompt leaves room for {max(room, 0)} tokens of {request.max_tokens}."
    return Refusal("too_long", message, hint="Shorten the inputs, or serve a model with a longer context.")


def _invalid(verdict: Verdict, schema: Schema) -> Refusal:
    """The refusal of JSON that the verifier does not accept; what no grammar held the model to is not its fault."""
    hint = "Ask again, ask for a smaller schema, or promote a better model."
    if verdict.reason is Reason.SCHEMA and schema.widenings:
        places = "; ".join(f"{one.keyword} at {one.place or '/'}" for one in schema.widenings[:_NAMED])
        more = ", and more" if len(schema.widenings) > _NAMED else ""
        hint = f"The grammar does not enforce {places}{more}: the model has to meet it unaided. Ask without, or again."
    return Refusal(str(verdict.reason), f"No valid JSON came of {ATTEMPTS} attempts ({verdict}).", hint=hint)
