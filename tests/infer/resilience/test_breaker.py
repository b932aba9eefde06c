"""The breaker, over every order of calls, ends and pauses that can be drawn."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from proseform.infer.resilience.breaker import Breaker, Rules

RULES = st.builds(
    Rules,
    row=st.integers(1, 6),
    window=st.integers(1, 12),
    most=st.integers(1, 12),
    open_s=st.sampled_from([0.5, 1.0, 3.0]),
)


class Machine(RuleBasedStateMachine):
    """A breaker beside what is known of it from outside: which calls are under way, and what came of those since."""

    @initialize(rules=RULES)
    def begin(self, rules):
        self.rules, self.breaker, self.now = rules, Breaker(rules), 0.0
        self.running, self.since, self.opened = [], [], None
        self.probe = None

    @rule(seconds=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.5]))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def call(self):
        before, admits = self.breaker, self.breaker.admits(self.now)
        self.breaker, permit = before.admit(self.now)
        assert admits == (permit is not None)
        if permit is None:
            assert self.breaker == before, "who is turned away changes nothing"
            assert before.condition != "closed", "a closed breaker lets everybody through"
            if before.condition == "open":
                assert self.now < self.opened + self.rules.open_s, "nobody is turned away once the pause is over"
            else:
                assert self.probe is not None, "half open, somebody is turned away only beside a probe"
            return
        if permit.probe:
            assert self.probe is None, "one probe at a time"
            assert self.now >= self.opened + self.rules.open_s
            assert self.breaker.condition == "half_open"
            self.probe = permit
        self.running.append(permit)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from(["ok", "failed", "failed", "silent", "none"]))
    def end(self, data, outcome):
        permit = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        before = self.breaker
        self.breaker = before.settle(permit, outcome, self.now)
        if permit is self.probe:
            self.probe = None
            expected = {"ok": "closed", "failed": "open", "silent": "open", "none": "half_open"}[outcome]
            assert self.breaker.condition == expected
        elif permit.probe or before.condition != "closed" or permit.epoch != before.epoch:
            assert self.breaker == before, "what began before the last change is no news"
        elif outcome != "none":
            self.since.append(outcome != "ok")
            row = self.since[-self.rules.row :] == [True] * self.rules.row
            broken = row or sum(self.since[-self.rules.window :]) >= self.rules.most or outcome == "silent"
            assert self.breaker.condition == ("open" if broken else "closed")
        if self.breaker.condition == "open" and before.condition != "open":
            self.opened = self.now
        if self.breaker.condition != before.condition:
            self.since = []

    @invariant()
    def only_half_open_probes(self):
        assert self.breaker.probing == (self.probe is not None and self.breaker.condition == "half_open")


TestBreaker = Machine.TestCase
TestBreaker.settings = settings(max_examples=60, stateful_step_count=40)


def test_a_dead_backend_opens_it_with_the_fifth_call_and_its_return_closes_it_after_one():
    breaker = Breaker()
    for number in range(5):
        assert breaker.condition == "closed", number
        breaker, permit = breaker.admit(0.1 * number)
        breaker = breaker.settle(permit, "failed", 0.1 * number)
    assert breaker.condition == "open"
    assert not breaker.admits(1.3)
    breaker, permit = breaker.admit(1.4)
    assert permit.probe
    assert not breaker.admits(1.4)
    assert breaker.settle(permit, "ok", 1.5).condition == "closed"


def test_a_backend_that_fails_three_times_in_ten_is_left_to_retries():
    breaker = Breaker()
    for number in range(300):
        breaker, permit = breaker.admit(0.0)
        assert permit is not None
        breaker = breaker.settle(permit, "failed" if number % 10 in (0, 3, 6) else "ok", 0.0)
    assert breaker.condition == "closed"
