"""How an answer proceeds: a state machine without I/O. Inputs → evaluator → prose → formatter → JSON → verified JSON.

:func:`step` takes a state and an event, and gives the next state with the actions to take; :mod:`proseform.infer.drive`
takes them and does the waiting. So evaluation, the probe, ``proseform answer`` and serving run the same machine, and
what is measured is what is served.

::

    begin ─► [check the schema] ─► [look up the prose] ─► count, ask the evaluator ─► verified prose ─► [store it]
                 │                                                                          │
                 └► abstain, where the case is strange                                      │
             refuse ◄─ third time ◄─ not verified ◄─ count, ask the formatter ◄─────────────┘ ─► verified JSON ─► done

A case that is not like those that the models learnt from asks nothing of them: what is given is the schema's own
abstaining answer, or the refusal ``insufficient_evidence``.

Neither prose nor JSON that the verifier does not accept leaves. Whoever wrote it is asked again, at most twice, sampled
at the bundle's retry temperature with another seed (a greedy model would repeat itself). The evaluator begins at the
line of its fault, where it is known which that is; the formatter has twice the budget where there is room, and a
schema that leaves nothing open which the evaluation states, unless the engine cannot enforce that (the rest of a
caller's schema may rule it out); narrower still where the engine cannot end a document by itself. What a rule can mend
of an evaluation (:mod:`proseform.infer.mending`) is no try. Where the bundle says so, what does not follow from its
evidence is computed anew, before it is verified, and told.
A bundle that accepts what is valid has models that cannot judge yet: prose is judged and reported, only the schema has
to hold.
Left out: several samples of one turn; open requests are a mapping for their sake. Hedged requests are the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from proseform.errors import InputError, ProseformError
from proseform.infer import Completion, Request, abstained, asks, judging, late, mending, outcomes, refusals
from proseform.infer.mending import Kept
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
    Restart,
    Store,
    WakeAt,
    Written,
)  # fmt: skip
from proseform.infer.verified import Spent
from proseform.verdict import Verdict
from proseform.verify import Evaluation

TRIES = 3
"""How often the evaluator is asked, at most."""
MENDS = 16
"""How often an evaluation is mended by rule and goes on from there, at most: no tries of their own."""
ATTEMPTS = 3
"""How often the formatter is asked, at most."""
_LEAST_SHARE = 4
"""A prompt is too long when not even a quarter of the longest completion has room. Where an evaluation goes on, most of
it is in the prompt: that is too long when nothing has room."""
_NONE = Evaluation("", Verdict())


@dataclass(frozen=True, slots=True)
class State:
    """Where a chain stands.

    Attributes:
        plan: What it is made of.
        turn: Whose turn it is.
        counting: Requests whose schema is being looked at, or whose prompt is being counted, by id.
        asked: Requests that the engine has, by id.
        ids: Ids that were given away.
        tries: How often the evaluator's prose was refused.
        mends: How often it was mended.
        told: The mends that what is kept begins with.
        kept: What stands of the prose that was refused last.
        attempt: Which attempt of the formatter this is, from 0.
        held: Whether it can say nothing else than the evaluation: its document ended within its budget.
        free: Whether it is not held any more: the engine cannot enforce that.
        evaluation: The evaluation with the verdict on it; empty until it is there.
        evaluator: What the evaluator cost, all tries together.
        formatter: What the formatter cost, all attempts together.
        avoid: Backends whose text was not accepted in this turn: another is asked again where there is one.
    """

    plan: Plan
    turn: Literal["none", "check", "lookup", "evaluator", "formatter", "over"] = "none"
    counting: Mapping[int, Request] = field(default_factory=dict)
    asked: Mapping[int, Request] = field(default_factory=dict)
    ids: int = 0
    tries: int = 0
    mends: int = 0
    told: tuple[Kept, ...] = ()
    kept: Kept = field(default_factory=Kept)
    attempt: int = 0
    held: bool = False
    free: bool = False
    evaluation: Evaluation = _NONE
    evaluator: Spent = field(default_factory=Spent)
    formatter: Spent = field(default_factory=Spent)
    avoid: frozenset[str] = frozenset()

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
            return _looked_up(state, event.prose)
        case Counted() if event.id in state.counting and state.turn != "check":
            return _counted(state, event.id, event.room)
        case Written() if event.id in state.asked and state.turn == "evaluator":
            return state, [Emit(event.text)]
        case Completed() if event.id in state.asked:
            return _completed(replace(state, asked=_without(state.asked, event.id)), event.completion)
        case Failed() if event.id in state.asked or event.id in state.counting:
            return _failed(replace(state, asked=_without(state.asked, event.id)), event.error)
    return state, []


def _begun(state: State) -> Step:
    """The first turn, and an alarm for the deadline."""
    deadline = state.plan.deadline
    after, actions = _check(state) if state.plan.own else _first(state)
    return after, [*([WakeAt(deadline)] if deadline is not None else []), *actions]


def _check(state: State) -> Step:
    """Have the engine look at the caller's schema: what it refuses, it refuses before the evaluator is asked."""
    request = asks.formatting(state.plan, _NONE, 0)
    after = replace(state, turn="check", counting={state.ids: request}, ids=state.ids + 1)
    return after, [Check(state.ids, request)]


def _first(state: State) -> Step:
    """The first turn that asks for something."""
    if state.plan.prose is not None:
        given = judging.evaluation(state.plan, state.plan.prose)
        if not judging.accepted(state.plan, given.verdict):
            return _ended(state, [Refuse(refusals.unverified(given.verdict, 0))])
        return _format(replace(state, evaluation=given))
    if strange := abstained.strange(state.plan):
        return _ended(state, [abstained.end(state.plan, strange)])
    if state.plan.key:
        return replace(state, turn="lookup"), [LookUp(state.plan.key)]
    return _evaluate(state)


def _evaluate(state: State) -> Step:
    """The evaluator's turn."""
    return _count(replace(state, turn="evaluator"), asks.evaluation(state.plan, state.tries, state.kept))


def _format(state: State) -> Step:
    """The formatter's turn, for as long as it has attempts."""
    request = asks.formatting(state.plan, state.evaluation, state.attempt, held=state.held)
    return _count(replace(state, turn="formatter"), request)


def _count(state: State, request: Request) -> Step:
    """Have a request's prompt counted."""
    counting = {**state.counting, state.ids: replace(request, avoid=state.avoid) if state.avoid else request}
    return replace(state, counting=counting, ids=state.ids + 1), [Count(state.ids, counting[state.ids])]


def _counted(state: State, number: int, room: int | None) -> Step:
    """Fit a request into the context that is left, and ask."""
    request = state.counting[number]
    state = replace(state, counting=_without(state.counting, number))
    longest = state.plan.bundle.parts[request.role].generation.max_tokens
    goes_on = request.role == "evaluator" and state.kept.text
    if room is not None and room < (1 if goes_on else longest / _LEAST_SHARE):
        return _ended(state, [Refuse(refusals.too_long(request, room))])
    budget = request.max_tokens if room is None else max(1, min(request.max_tokens, room))
    if budget != request.max_tokens:
        request = replace(request, max_tokens=budget)
    if request.role == "formatter" and state.attempt and state.plan.narrows:
        request = asks.narrowed(request, state.attempt)
    asked = {**state.asked, number: request}
    stream = state.plan.stream and request.role == "evaluator"
    return replace(state, asked=asked), [Ask(number, request, stream)]


def _completed(state: State, completion: Completion) -> Step:
    """Go on with what came back."""
    if completion.finish == "deadline":
        return _ended(state, [Refuse(late("formatter" if state.turn == "formatter" else "evaluator"))])
    if state.turn == "evaluator":
        return _evaluated(replace(state, evaluator=state.evaluator.more(completion)), completion)
    state = replace(state, formatter=state.formatter.more(completion))
    verdict = judging.document(state.plan, completion.text)
    judged = judging.stated(state.plan, verdict, state.evaluation.verdict, completion.cut)
    if verdict.ok and judging.accepted(state.plan, judged):
        return _ended(state, [Done(outcomes.outcome(state, completion, verdict.value, judged))])
    if state.attempt + 1 < ATTEMPTS:
        fitted = completion.finish == "stop" and not completion.cut
        avoid = state.avoid | {completion.backend}
        held = fitted and not state.free
        return _format(replace(state, avoid=avoid, attempt=state.attempt + 1, held=held))
    if not verdict.ok:
        return _ended(state, [Refuse(completion.fault or refusals.invalid(verdict, state.plan.schema, ATTEMPTS))])
    return _ended(state, [Refuse(refusals.untrue(judged, ATTEMPTS))])


def _failed(state: State, error: ProseformError) -> Step:
    """The end; but a formatter whose schema cannot be enforced once it is held to the evaluation goes on unheld."""
    if state.held and isinstance(error, InputError):
        return _format(replace(state, counting={}, held=False, free=True))
    return _ended(state, [Refuse(error)])


def _looked_up(state: State, prose: str | None) -> Step:
    """Go on with prose that was kept, once it is verified anew."""
    kept = None if prose is None else judging.evaluation(state.plan, prose)
    if kept is None or not judging.accepted(state.plan, kept.verdict):
        return _evaluate(state)
    after, actions = _format(replace(state, evaluation=kept))
    return after, [*([Emit(kept.text)] if state.plan.stream and kept.text else []), *actions]


def _evaluated(state: State, completion: Completion) -> Step:
    """Verify an evaluation; what is not verified is written again, at most :data:`TRIES` times in all."""
    plan, written = state.plan, judging.evaluation(state.plan, completion.text)
    if judging.accepted(plan, written.verdict):
        after, actions = _format(replace(state, evaluation=written, avoid=frozenset()))
        return after, [*([Store(plan.key, completion.text)] if plan.key else []), *actions]
    mend = mending.mended(plan, completion.text) if state.mends < MENDS else None
    if mend is not None and mend.text != state.kept.text:  # else it has not helped
        told = (*mending.within(state.told, mend), mend)
        after, actions = _evaluate(replace(state, mends=state.mends + 1, told=told, kept=mend))
        return after, [*([Restart()] if plan.stream else []), *actions]
    if state.tries + 1 < TRIES:
        kept, avoid = mending.sound(plan, completion.text), state.avoid | {completion.backend}
        told = mending.within(state.told, kept)
        after, actions = _evaluate(replace(state, avoid=avoid, tries=state.tries + 1, told=told, kept=kept))
        return after, [*([Restart()] if plan.stream else []), *actions]
    return _ended(state, [Refuse(refusals.unverified(written.verdict, TRIES))])


def _ended(state: State, last: list[Action]) -> Step:
    """The end: whatever is still asked is cancelled."""
    cancelled: list[Action] = [Cancel(number) for number in state.asked]
    return replace(state, turn="over", asked={}, counting={}), [*cancelled, *last]


def _without(requests: Mapping[int, Request], number: int) -> dict[int, Request]:
    """The other requests."""
    return {known: request for known, request in requests.items() if known != number}
