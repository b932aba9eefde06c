"""Two matchers as one: a text is taken as far as each of them takes it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import bytewise, guided, testing
from proseform import task as tasks
from proseform.claims import quotes
from proseform.infer import ask
from proseform.infer.answer import close, completed
from proseform.infer.grammars.both import Both
from proseform.infer.grammars.compile import held
from proseform.infer.grammars.constrain import Constraints
from proseform.infer.local import LocalEngine

ONE, OTHER = "start: /a+b?c/", "start: /(ab|aa)(?s:.*)/"
TEXTS = st.text("abc", max_size=8).map(str.encode).map(list)


def matcher(grammar):
    return held(bytewise.tokenizer(), grammar)


@given(TEXTS)
def test_it_takes_what_both_take_and_may_end_where_both_may(text):
    both, one, other = Both(matcher(ONE), matcher(OTHER)), matcher(ONE), matcher(OTHER)
    copy = both.deep_copy()
    taken = min(one.validate_tokens(text), other.validate_tokens(text))
    assert both.try_consume_tokens(text) == taken
    assert one.try_consume_tokens(text[:taken]) == other.try_consume_tokens(text[:taken]) == taken
    assert both.is_accepting() == (one.is_accepting() and other.is_accepting())
    assert not both.is_error()
    assert copy.consume_tokens(text) == (taken == len(text)), "a copy stands where it was made"
    assert copy.is_error() == (taken < len(text)) == bool(copy.get_error())


@given(TEXTS)
def test_a_token_may_come_next_where_both_allow_it(text):
    both = Both(matcher(ONE), matcher(OTHER))
    both.try_consume_tokens(text)
    constraints = SimpleNamespace(_tokenizer=bytewise.tokenizer(), _vocabulary=257)
    together, first, second = (
        Constraints.allowed(constraints, [one]) for one in (both, both.one.deep_copy(), both.other.deep_copy())
    )
    assert np.array_equal(together, first & second)


@pytest.mark.parametrize("seed", range(3))
def test_models_that_know_nothing_quote_a_line_that_bears(tmp_path, seed):
    cv = tasks.load("cv")
    (case,) = cv.generate("starter", "test", seed, 1)
    line = next(line for line in case.inputs["cv"].split("\n") if 12 < len(line) < 100 and '"' not in line)
    engine = LocalEngine(testing.random_bundle(tmp_path / "bundle", cv, max_length=4096))
    name, role = case.answer["candidate"], case.answer["role"]
    begun = f'{name} for {role}.\nRequires skill {role}: "'
    behind = guided.quoting('"', [line], quotes.pieces(line)[:1])
    form = guided.Form(cv.grammar, case.inputs, behind)
    asked = ask(engine.bundle, "evaluator", case.inputs, temperature=1.0, seed=seed, max_tokens=200, form=form)
    request = replace(asked, prefill=begun)
    try:
        (given,) = completed(engine, [request])
    finally:
        close(engine)
    assert given.text.startswith(begun)
    written = given.text.removeprefix(begun)
    assert written.split('"')[0] in line
