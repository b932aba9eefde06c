"""An automaton that one document has used up is nobody else's fault."""

import random
from functools import partial

import numpy as np
import pytest

from proseform import testing
from proseform.infer import decode
from proseform.infer.grammars.constrain import Constraints, exhausted

HARD = {"type": "string", "minLength": 1, "maxLength": 5000, "pattern": r"^$|(^(?:\S+\s+){0,99}\S+$)"}
"""The states of this pattern are so many that a few characters use up what one grammar may have."""

SCHEMA = {
    "type": "array",
    "prefixItems": [{"anyOf": [HARD, {"type": "null"}]}, {"type": "boolean"}],
    "items": False,
    "minItems": 2,
}


@pytest.fixture
def constraints():
    words = testing.tokenizer(['["hello world", null, true, false]'])
    return Constraints(words, [words.eos_token_id], len(words))


def used_up(constraints, matcher):
    """Write a document, any allowed token after another, until the automaton has met its limit."""
    choice = random.Random(0)
    matcher.consume_tokens(constraints.encode(b'["'))
    for _ in range(500):
        allowed = np.flatnonzero(constraints.allowed([matcher])[0])
        if exhausted(matcher):
            return
        matcher.consume_token(int(choice.choice(list(allowed))))
    pytest.fail("the pattern is no longer hard: another one is wanted here")


def test_a_matcher_that_was_used_up_is_compiled_anew_for_the_next(constraints):
    prefill = constraints.encode(b'["')
    used_up(constraints, constraints.matcher(SCHEMA))
    matcher = constraints.matcher(SCHEMA, prefill)
    assert not exhausted(matcher)
    assert constraints.allowed([matcher]).any()


def test_endings_that_were_used_up_are_compiled_anew_for_the_next(constraints):
    endings = constraints.endings(SCHEMA)
    matcher = endings.start().matcher.deep_copy()
    choice = random.Random(0)
    matcher.consume_tokens(list(b'["'))
    while not exhausted(matcher):
        matcher.consume_token(choice.choice(range(0x20, 0x7F)))
        matcher.compute_bitmask()
    assert constraints.endings(SCHEMA) is not endings
    anew = constraints.endings(SCHEMA)
    assert anew.find(anew.start(), 100)[0] == b"[null, true]"
    assert constraints.endings(SCHEMA) is anew


def test_a_row_whose_matcher_others_used_up_goes_on_with_one_of_its_own(constraints):
    prefill = constraints.encode(b"[null")
    row = decode.Row(prefill, 20, matcher=constraints.matcher(SCHEMA, prefill))
    row.renew = partial(constraints.own, SCHEMA, prefill)
    for token in (rest := constraints.encode(b", true]"))[:2]:
        assert row.take(token, frozenset(), 0.0) == 0
    used_up(constraints, constraints.matcher(SCHEMA))
    taken = 0
    while not row.finish:
        assert len(row.ids) == 2 + taken, "what was written is kept"
        again = row.take(rest[2 + taken], frozenset(), 0.0)
        taken += 1 - again
    assert constraints.text(row.ids) == ", true]"
    assert (row.finish, row.fault, row.renew) == ("stop", None, None)


def test_a_row_that_uses_up_a_matcher_of_its_own_is_refused_in_words(constraints):
    row = decode.Row([], 500, matcher=constraints.matcher(SCHEMA))
    row.renew = partial(constraints.own, SCHEMA, [])
    choice = random.Random(0)
    for token in constraints.encode(b'["'):
        row.take(token, frozenset(), 0.0)
    end = frozenset({0})
    while not row.finish:
        allowed = np.flatnonzero(constraints.allowed([row.matcher])[0])
        row.take(0 if exhausted(row.matcher) else int(choice.choice(list(allowed))), end, 0.0)
    assert (row.finish, row.fault.reason, row.renew) == ("length", "engine", None)
    assert "gave up" in row.fault.message
