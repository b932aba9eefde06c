"""An automaton that one document has used up is nobody else's fault."""

import random
from functools import partial

import numpy as np
import pytest

from proseform import testing
from proseform.errors import InputError
from proseform.infer import decode
from proseform.infer.grammars import compile as compiler
from proseform.infer.grammars.constrain import Constraints, exhausted
from tests.infer.schemas import USED_UP, use_up


@pytest.fixture
def constraints():
    words = testing.tokenizer(['["hello world", null, true, false]'])
    return Constraints(words, [words.eos_token_id], len(words))


def test_a_matcher_that_was_used_up_is_compiled_anew_for_the_next(constraints):
    prefill = constraints.encode(b'["')
    use_up(constraints, constraints.matcher(USED_UP))
    matcher = constraints.matcher(USED_UP, prefill)
    assert not exhausted(matcher)
    assert constraints.allowed([matcher]).any()


def test_endings_that_were_used_up_are_compiled_anew_for_the_next(constraints):
    endings = constraints.endings(USED_UP)
    matcher = endings.start().matcher.deep_copy()
    choice = random.Random(0)
    matcher.consume_tokens(list(b'["'))
    while not exhausted(matcher):
        matcher.consume_token(choice.choice(range(0x20, 0x7F)))
        matcher.compute_bitmask()
    assert constraints.endings(USED_UP) is not endings
    anew = constraints.endings(USED_UP)
    assert anew.find(anew.start(), 100)[0] == b"[null, true]"
    assert constraints.endings(USED_UP) is anew


def test_a_row_whose_matcher_others_used_up_goes_on_with_one_of_its_own(constraints):
    prefill = constraints.encode(b"[null")
    row = decode.Row(prefill, 20, matcher=constraints.matcher(USED_UP, prefill))
    row.renew = partial(constraints.own, USED_UP, prefill)
    for token in (rest := constraints.encode(b", true]"))[:2]:
        assert row.take(token, frozenset(), 0.0) == 0
    use_up(constraints, constraints.matcher(USED_UP))
    taken = 0
    while not row.finish:
        assert len(row.ids) == 2 + taken, "what was written is kept"
        again = row.take(rest[2 + taken], frozenset(), 0.0)
        taken += 1 - again
    assert constraints.text(row.ids) == ", true]"
    assert (row.finish, row.fault, row.renew) == ("stop", None, None)


def test_a_row_without_another_matcher_goes_on_freely(constraints):
    row = decode.Row([], 4, matcher=constraints.matcher(USED_UP), renew=lambda: None)
    row.take(constraints.encode(b"[")[0], frozenset(), 0.0)
    use_up(constraints, constraints.matcher(USED_UP))
    free = constraints.encode(b"hello")[0]
    assert row.take(free, frozenset(), 0.0) == 1, "the model reads the last token once more"
    assert (row.matcher, len(row.ids), row.finish) == (None, 1, "")
    while not row.finish:
        assert row.take(free, frozenset(), 0.0) == 0
    assert (len(row.ids), row.finish, row.fault) == (4, "length", None)


def test_a_row_that_uses_up_a_matcher_of_its_own_is_refused_in_words(constraints):
    row = decode.Row([], 500, matcher=constraints.matcher(USED_UP))
    row.renew = partial(constraints.own, USED_UP, [])
    choice = random.Random(0)
    for token in constraints.encode(b'["'):
        row.take(token, frozenset(), 0.0)
    end = frozenset({0})
    while not row.finish:
        allowed = np.flatnonzero(constraints.allowed([row.matcher])[0])
        row.take(0 if exhausted(row.matcher) else int(choice.choice(list(allowed))), end, 0.0)
    assert (row.finish, row.fault.reason, row.renew) == ("length", "engine", None)
    assert "gave up" in row.fault.message


def test_a_row_whose_new_matcher_is_refused_ends_as_one_that_has_none(constraints):
    """One row's trouble ends no other row of its batch."""

    def refuse():
        raise InputError("The schema cannot be enforced, at /: it needs more memory than a schema may.")

    matcher = constraints.matcher(USED_UP)
    row = decode.Row([], 500, matcher=matcher, renew=refuse)
    use_up(constraints, constraints.matcher(USED_UP))
    assert row.take(constraints.encode(b"[")[0], frozenset(), 0.0) == 0
    assert (row.finish, row.fault.reason, row.renew) == ("length", "engine", None)
    assert "gave up" in row.fault.message


def test_a_schema_of_few_bytes_counts_as_what_its_compilation_may_hold(constraints, monkeypatch):
    """A stranger's schemas of 39 bytes each are compiled to megabytes."""
    monkeypatch.setattr(Constraints, "_compile", lambda _self, _schema, words: compiler.matcher(words, {"const": 1}))
    for number in range(200):
        schema = {"type": "string", "maxLength": 100_000 + number}
        constraints.matcher(schema)
        constraints.endings(schema)
    assert len(constraints._matchers._kept) == len(constraints._endings._kept) == 64


def test_a_large_schema_counts_as_what_it_is_compiled_to(constraints, monkeypatch):
    monkeypatch.setattr(Constraints, "_compile", lambda _self, _schema, words: compiler.matcher(words, {"const": 1}))
    for number in range(9):
        constraints.matcher({"const": str(number) + "x" * 200_000})
    assert len(constraints._matchers._kept) == 3


def test_a_schema_that_nobody_asks_for_again_is_not_kept(constraints):
    constraints.matcher({"type": "boolean"})
    once = {"const": "of one case"}
    for _ in range(2):
        assert not constraints.matcher(once, once=True).is_error()
        assert constraints.endings(once, once=True).start()
    assert len(constraints._matchers._kept) == 1
    assert not constraints._endings._kept
