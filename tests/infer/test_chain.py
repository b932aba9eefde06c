"""The chain, over every order of events that can be drawn: it ends in time, and never with unverified JSON."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proseform import testing, verify
from proseform.claims import claims
from proseform.errors import EngineError, InputError, Refusal
from proseform.infer import Completion
from proseform.infer import moves as m
from proseform.infer.chain import ATTEMPTS, TRIES, State, step
from proseform.infer.grammars.examine import checked
from proseform.infer.verified import Answer, Formatted
from proseform.input import Input
from proseform.schema import Schema
from tests.infer.schemas import closed

TASK = testing.toy_task()
BUNDLE = testing.toy_bundle(TASK)
OWN = Schema({"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3})
PROSE = "The parcel weighs 90 g, 100 g are allowed. Note: a map. Verdict: send."
JSON = '{"verdict": "send", "grams": 90, "note": "a map"}'
INPUTS = {"parcel": Input.of("a map, 90 g"), "rule": Input.of("at most 100 g")}
TEXTS = (
    PROSE,
    PROSE.replace("a map", "a clay cup"),
    JSON.replace("a map", "a cup"),
    JSON,
    "",
    "Sure!",
    JSON + " Hope this helps!",
    JSON[:-5],
    '{"verdict": "send", "grams": 9000, "note": "x"}',
    '["a"]',
)


def plan(**changes):
    known = {"schema": TASK.schema, "task": TASK, "inputs": INPUTS, **changes}
    stated = claims(known["schema"], TASK.inputs, shared=verify.shared(known["schema"], TASK.schema))
    return m.Plan(BUNDLE, claims=stated, **known)


PLANS = st.builds(
    plan,
    schema=st.sampled_from([TASK.schema, OWN]),
    own=st.booleans(),
    prose=st.sampled_from([None, PROSE]),
    deadline=st.sampled_from([None, 5.0, 50.0]),
    narrows=st.booleans(),
    key=st.sampled_from(["", "k"]),
    stream=st.booleans(),
)


class Play:
    """A chain and what it has been told: draws the next event, and keeps what the chain owes."""

    def __init__(self, data, one):
        self.data, self.plan = data, one
        self.state, self.now = State(one), 0.0
        self.asked, self.open, self.asks = {}, {}, []
        self.refused = set()
        self.looking = False
        self.alarm = None
        self.ends = []

    def send(self, event):
        before = self.state
        after, actions = step(before, event)
        again, others = step(before, event)
        assert after == again, "a step is deterministic"
        assert [type(action) for action in actions] == [type(action) for action in others]
        assert [str(getattr(one, "error", one)) for one in actions] == [
            str(getattr(one, "error", one)) for one in others
        ]
        self.state = after
        for action in actions:
            assert not self.ends, "nothing follows the end"
            self.take(action)
        return actions

    def take(self, action):
        match action:
            case m.Ask():
                assert action.id not in self.asked, "an id is given away once"
                self.asked[action.id] = self.open[action.id] = action
                self.asks.append(action)
            case m.Check() | m.Count():
                self.open[action.id] = action
            case m.Cancel(number):
                assert isinstance(self.open.pop(number), m.Ask), "only what is asked is cancelled"
            case m.LookUp():
                self.looking = True
            case m.WakeAt(at):
                self.alarm = at
            case m.Emit() | m.Restart():
                assert self.plan.stream
            case m.Done() | m.Refuse():
                self.ends.append(action)

    def answer(self):
        """An event that answers something open, or nothing at all."""
        draw = self.data.draw
        self.now += draw(st.sampled_from([0.0, 1.0, 10.0]))
        kinds = ["stray", *(["looked"] if self.looking else []), *self.open]
        chosen = draw(st.sampled_from(kinds))
        if chosen == "stray":
            number = draw(st.integers(0, 9))
            late = [m.Checked(self.now, number), m.Counted(self.now, number, 5), m.LookedUp(self.now, "x")]
            known = number in self.open or self.looking
            return m.Woke(self.now) if known else draw(st.sampled_from([m.Woke(self.now), m.Begun(self.now), *late]))
        if chosen == "looked":
            self.looking = False
            return m.LookedUp(self.now, draw(st.sampled_from([None, PROSE])))
        error = draw(
            st.sampled_from([None, None, None, EngineError("away"), InputError("no"), Refusal("too_long", "x")])
        )
        action = self.open[chosen]
        if isinstance(action, m.Ask) and action.stream and draw(st.booleans()):
            return m.Written(self.now, chosen, "piece")
        del self.open[chosen]
        if error is not None:
            self.refused |= {chosen} if isinstance(error, InputError) else set()
            return m.Failed(self.now, chosen, error)
        if isinstance(action, m.Check):
            return m.Checked(self.now, chosen)
        if isinstance(action, m.Count):
            return m.Counted(self.now, chosen, draw(st.sampled_from([None, -5, 0, 30, 200, 5000])))
        finish = draw(st.sampled_from(["stop", "stop", "length", "deadline"]))
        cut = draw(st.sampled_from([(), ("/note",)]))
        return m.Completed(self.now, chosen, Completion(draw(st.sampled_from(TEXTS)), finish, 3, 0.5, cut))


@settings(max_examples=300, deadline=None)
@given(data=st.data(), one=PLANS)
def test_whatever_happens_it_ends_in_time_and_only_with_verified_json(data, one):
    play = Play(data, one)
    play.send(m.Begun(0.0))
    steps = 0
    while not play.ends and play.now < 1000:
        assert play.open or play.looking, "it waits for something, or it would wait for ever"
        steps += 1
        if steps > 40:  # every further event answers something
            play.now += 1000.0
            play.send(m.Woke(play.now))
            break
        play.send(play.answer())
    if one.deadline is not None:
        assert play.alarm == one.deadline, "it is woken when time is up"
        play.now = max(play.now, one.deadline)
        play.send(m.Woke(play.now))
        assert play.ends
    if not play.ends:
        play.send(m.Left(play.now))
    assert play.state.over
    assert not any(isinstance(action, m.Ask) for action in play.open.values()), "every ask is answered or cancelled"
    check_end(play)
    check_asks(play)
    assert play.send(m.Begun(play.now)) == [], "over is over"


def check_end(play):
    """An answer is verified by the schema that was asked for, and came before the deadline."""
    for end in play.ends:
        if isinstance(end, m.Done):
            kind = Answer if play.plan.task is not None else Formatted
            assert isinstance(end.outcome, kind)
            verdict = verify.answer(end.outcome.text, play.plan.schema)
            assert verdict.ok
            assert verdict.value == end.outcome.value
            if play.plan.task is not None:
                prose = verify.prose(end.outcome.prose, TASK, INPUTS)
                assert prose.ok
                assert play.plan.schema is OWN or _whole(verdict.value, end) == _whole(prose.value, end)
                assert end.outcome.verdict.ok
        elif isinstance(end.error, Refusal):
            assert end.error.reason
    assert len(play.ends) <= 1


def _whole(value, end):
    """The fields that were not cut short."""
    return {name: field for name, field in value.items() if f"/{name}" not in end.outcome.cut}


def check_asks(play):
    """Attempts are bounded, fit into what was counted, and none repeats another."""
    asked = [ask for ask in play.asks if ask.id not in play.refused]
    formats = [ask.request for ask in asked if ask.request.role == "formatter"]
    evaluations = [ask.request for ask in asked if ask.request.role == "evaluator"]
    assert len(evaluations) <= TRIES
    assert len(play.asks) - len(asked) <= 2, "unheld where it cannot be held, and no further"
    assert len(formats) <= ATTEMPTS
    if play.plan.prose is not None:
        assert not evaluations
    for requests in (formats, evaluations):
        for number, request in enumerate(requests):
            assert (request.temperature > 0) == (number > 0), "greedy first, and never greedy again"
        assert len({request.seed for request in requests}) == len(requests)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), one=PLANS.filter(lambda one: one.deadline is not None))
def test_nothing_that_comes_after_the_deadline_is_an_answer(data, one):
    play = Play(data, one)
    play.send(m.Begun(0.0))
    while not play.ends:
        event = play.answer()
        play.send(event)
        if play.ends and event.now >= one.deadline:
            (end,) = play.ends
            assert isinstance(end, m.Refuse)
            assert end.error.reason == "deadline"


@settings(max_examples=100, deadline=None)
@given(data=st.data(), one=PLANS, after=st.integers(0, 6))
def test_a_caller_may_leave_at_any_time(data, one, after):
    play = Play(data, one)
    play.send(m.Begun(0.0))
    for _ in range(after):
        if not play.ends:
            play.send(play.answer())
    if not play.ends:
        actions = play.send(m.Left(play.now))
        assert all(isinstance(action, m.Cancel) for action in actions)
        assert play.state.over


def through(one, *answers):
    """A chain led by answers, in order, to whatever is open: the actions that it has taken."""
    state, taken = State(one), []
    event = m.Begun(0.0)
    rest = list(answers)
    while True:
        state, actions = step(state, event)
        taken += actions
        last = actions[-1] if actions else None
        match last:
            case m.Check(number):
                event = m.Checked(0.0, number)
            case m.Count(number):
                event = m.Counted(0.0, number, None)
            case m.Ask(number):
                said = rest.pop(0)
                failed = isinstance(said, Exception)
                event = (
                    m.Failed(0.0, number, said)
                    if failed
                    else m.Completed(0.0, number, Completion(said, "stop", 1, 0.0))
                )
            case m.LookUp():
                event = m.LookedUp(0.0, rest.pop(0))
            case _:
                return taken


def asks(actions):
    return [action.request for action in actions if isinstance(action, m.Ask)]


def test_an_evaluation_and_its_json_make_an_answer():
    *_, done = through(plan(), PROSE, JSON)
    assert done.outcome.value == json.loads(JSON)
    assert done.outcome.prose_verdict.ok
    assert (done.outcome.narrowed, done.outcome.attempts) == (False, 1)


def test_a_callers_own_schema_is_looked_at_before_the_evaluator_is_asked():
    actions = through(plan(schema=OWN, own=True), PROSE, '["a"]')
    kinds = [type(action) for action in actions]
    assert kinds.index(m.Check) < kinds.index(m.Ask)
    state, (check,) = step(State(plan(schema=OWN, own=True)), m.Begun(0.0))
    _, (refuse,) = step(state, m.Failed(0.0, check.id, InputError("uniqueItems")))
    assert refuse.error.message == "uniqueItems"


def test_prose_that_is_kept_is_verified_anew():
    """What lies under a key may be of another day, or not ours at all."""
    actions = through(plan(key="k"), PROSE.replace("a map", "a clay cup"), PROSE, JSON)
    assert [request.role for request in asks(actions)] == ["evaluator", "formatter"]


def test_prose_that_is_refused_is_not_kept():
    actions = through(plan(key="k"), None, "Sure!", PROSE, JSON)
    assert [action.prose for action in actions if isinstance(action, m.Store)] == [PROSE]


def test_prose_that_was_given_is_judged_before_the_formatter_is_asked():
    (refuse,) = through(plan(prose="Sure!"))
    assert refuse.error.reason == "incomplete"


def test_prose_that_is_kept_is_not_asked_for_again():
    actions = through(plan(key="k"), PROSE, JSON)
    assert [request.role for request in asks(actions)] == ["formatter"]
    actions = through(plan(key="k"), None, PROSE, JSON)
    assert [request.role for request in asks(actions)] == ["evaluator", "formatter"]
    assert m.Store("k", PROSE) in actions


def test_the_formatter_is_asked_with_the_json_that_the_prose_states_and_after_a_fault_without():
    first, second = asks(through(plan(), PROSE, "Sure!", JSON))[1:]
    assert json.loads(first.expected) == json.loads(JSON)
    assert second.expected == ""
    theirs = closed(note=TASK.schema.document["properties"]["note"], urgent={"type": "boolean"})
    (_, about) = asks(through(plan(schema=Schema(theirs), own=True), PROSE, '{"note": "a map", "urgent": true}'))
    assert json.loads(about.expected) == {"note": "a map"}, "of a schema of the caller's own what it shares"
    assert asks(through(plan(schema=OWN, own=True), PROSE, '["a"]'))[1].expected == ""
    assert asks(through(m.Plan(BUNDLE, TASK.schema, prose="Whatever."), JSON))[0].expected == ""


@pytest.mark.parametrize("narrows", [True, False])
def test_every_further_attempt_is_sampled_with_more_room_and_another_seed(narrows):
    actions = through(plan(narrows=narrows), PROSE, "Sure!", "Sure!", JSON)
    first, second, third = asks(actions)[1:]
    temperature = BUNDLE.formatter.generation.retry_temperature
    assert [request.temperature for request in (first, second, third)] == [0.0, temperature, temperature]
    assert [request.seed for request in (first, second, third)] == [0, 1, 2]
    assert second.max_tokens == third.max_tokens == 2 * first.max_tokens
    assert actions[-1].outcome.attempts == 3


@pytest.mark.parametrize("narrows", [True, False])
def test_after_a_fault_the_formatter_can_say_nothing_else_than_the_evaluation_says(narrows):
    first, second, third = asks(through(plan(narrows=narrows), PROSE, JSON.replace("90", "80"), "Sure!", JSON))[1:]
    assert first.schema == TASK.schema.grammar
    for again in (second, third):
        assert again.schema["properties"] == {name: {"const": value} for name, value in json.loads(JSON).items()}
    theirs = Schema(closed(note=TASK.schema.document["properties"]["note"], urgent={"type": "boolean"}))
    said = ['{"note": "an urn", "urgent": true}', '{"note": "a map", "urgent": true}']
    (_, about) = asks(through(plan(schema=theirs, own=True, narrows=narrows), PROSE, *said))[1:]
    assert about.schema["properties"] == {"note": {"const": "a map"}, "urgent": {"type": "boolean"}}
    first, second = asks(through(plan(schema=OWN, own=True, narrows=False), PROSE, '{"a": 1}', '["a"]'))[1:]
    assert first.schema == second.schema, "of which nothing is stated"


BELOW = {
    **closed(grams=TASK.schema.document["properties"]["grams"]),
    "allOf": [{"properties": {"grams": {"minimum": 95}}}],
}


def test_what_the_rest_of_a_callers_schema_rules_out_is_the_answers_fault_and_not_the_schemas():
    """No document says what the evaluation says and conforms: the engine refuses to be held to both."""
    ruled_out, above = InputError("no document can conform to it"), [f'{{"grams": {grams}}}' for grams in (96, 97, 98)]
    one = plan(schema=Schema(BELOW), own=True, narrows=False)
    actions = through(one, PROSE, above[0], ruled_out, *above[1:])
    formats = asks(actions)[1:]
    assert ["const" in request.schema["properties"]["grams"] for request in formats] == [False, True, False, False]
    assert actions[-1].error.reason == "inconsistent"
    assert through(one, PROSE, above[0], ruled_out, ruled_out)[-1].error is ruled_out, "without it too: the schema's"
    assert checked(formats[1].schema).refusal.startswith("no document can conform")


def test_a_schema_of_one_evaluations_constants_is_of_that_request_alone():
    first, second, third = asks(through(plan(), PROSE, JSON.replace("90", "80"), JSON[:-5], JSON))[1:]
    assert [one.once for one in (first, second, third)] == [False, True, True]
    first, second = asks(through(plan(schema=OWN, own=True), PROSE, '{"a": 1}', '["a"]'))[1:]
    assert not second.once, "it is the caller's own"


def test_after_the_last_attempt_the_verifiers_reason_is_told():
    *_, refuse = through(plan(), PROSE, "Sure!", "Sure!", JSON[:-5])
    assert refuse.error.reason == "truncated"


def test_a_completion_is_fitted_into_the_room_that_was_counted():
    state, (count,) = step(State(plan()), m.Begun(0.0))
    _, (ask,) = step(state, m.Counted(0.0, count.id, 40))
    assert ask.request.max_tokens == 40 < BUNDLE.evaluator.generation.max_tokens
    _, (refuse,) = step(state, m.Counted(0.0, count.id, 10))
    assert refuse.error.reason == "too_long"


def test_an_errors_words_are_not_changed():
    error = EngineError("away")
    *_, refuse = through(plan(), error)
    assert refuse.error is error


def test_the_formatters_turn_alone_needs_no_task():
    *_, done = through(replace(plan(prose=PROSE), task=None, inputs={}), JSON)
    assert isinstance(done.outcome, Formatted)


def test_text_that_is_not_accepted_is_asked_of_another_backend_and_the_next_turn_begins_afresh():
    state, actions = step(State(plan()), m.Begun(0.0))
    avoided = []
    for text in ("Sure!", PROSE, "Sure!", JSON):
        (count,) = [one for one in actions if isinstance(one, m.Count)]
        state, (ask,) = step(state, m.Counted(0.0, count.id, None))
        avoided.append(sorted(ask.request.avoid))
        state, actions = step(state, m.Completed(0.0, ask.id, Completion(text, "stop", 1, 0.1, backend="a")))
    assert avoided == [[], ["a"], [], ["a"]]
    assert isinstance(actions[-1], m.Done)


def test_whether_a_text_will_do_can_be_told_from_the_text():
    _, (count,) = step(State(plan(prose=PROSE)), m.Begun(0.0))
    assert count.request.accepts(JSON)
    assert count.request.blames
    assert not count.request.accepts(JSON[:-5])
    _, (count,) = step(State(plan()), m.Begun(0.0))
    assert [count.request.accepts(text) for text in (PROSE, PROSE[:20], "", " \n" * 9)] == [True, *[False] * 3]
