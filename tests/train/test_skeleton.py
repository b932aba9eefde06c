"""The skeleton of documents: which characters and tokens it holds, and where a group's two sides share it."""

import json
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from proseform.case import Case
from proseform.reward import Score
from proseform.train.methods import skeleton
from proseform.train.methods.drawn import Drawn, Sample
from tests.test_reward import VALUES

CASE = Case("1", "easy", "train", {"x": "x"}, "", {})


def sample(text, earned, ids=()):
    return Sample(text, tuple(ids), Score({"json": earned}, earned))


def shown(text):
    flags = skeleton.framed(text)
    return flags and "".join("_" if frame else char for char, frame in zip(text, flags, strict=True))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"a": 1}', "______1_"),
        ('{"a":"b: {c}"}', "______b: {c}__"),
        ('{"a": "say \\"x\\": y"}', '_______say \\"x\\": y__'),
        ('{"a" : [true, null, -1.5e3]}', "________true__null__-1.5e3__"),
        ("[]", "__"),
        ('"x"', "_x_"),
        ('{"a": 1', None),
        ("a: 1", None),
        ("", None),
    ],
)
def test_values_are_what_is_left(text, left):
    assert shown(text) == left


@given(VALUES, st.sampled_from([None, 2]), st.booleans())
def test_of_any_document_each_character_is_one_or_the_other(value, indent, ascii_):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_)
    flags = skeleton.framed(text)
    assert len(flags) == len(text)
    blank = "".join(char for char, frame in zip(text, flags, strict=True) if frame)

    def emptied(some):
        if isinstance(some, dict):
            return {key: emptied(one) for key, one in some.items()}
        return [emptied(one) for one in some] if isinstance(some, list) else ""

    quoted = json.dumps(emptied(value), indent=indent, ensure_ascii=ascii_)
    assert blank.replace('"', "") == quoted.replace('"', "")


def test_only_a_skeleton_that_both_sides_have_is_shared():
    right, wrong = sample('{"a": 1}', 2.0), sample('{"a": 22}', 0.6)
    other, broken = sample('{"b": 3}', 0.5), sample('{"a": 4', 0.0)
    flags = skeleton.shared(Drawn(CASE, (right, wrong, other, broken)))
    assert [one is not None for one in flags] == [True, True, False, False]
    dead = Drawn(CASE, (right, sample('{"a": 2}', 2.0)))
    assert skeleton.shared(dead) == [None, None]


@given(st.data())
def test_tokens_within_are_those_whose_characters_all_are(data):
    text = json.dumps(data.draw(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), min_size=1)))
    given_ = data.draw(st.integers(0, len(text) - 1))
    cuts = sorted(data.draw(st.sets(st.integers(given_, len(text)))) | {given_, len(text)})
    pieces = [text[start:end] for start, end in pairwise(cuts)] + [""]
    flags = skeleton.framed(text)
    one = sample(text, 1.0, range(len(pieces)))
    within = skeleton.tokens(one, flags, given_, lambda _ids: pieces)
    starts = [*cuts[:-1], len(text)]
    assert within == [
        bool(piece) and all(flags[at : at + len(piece)]) for at, piece in zip(starts, pieces, strict=True)
    ]
    assert not within[-1], "where a document ends is a choice"


def test_tokens_that_are_not_the_texts_pieces_keep_their_advantage():
    one = sample('{"a": "é"}', 1.0, range(3))
    flags = skeleton.framed(one.text)
    assert skeleton.tokens(one, flags, 0, lambda _ids: ['{"a": "', "\ufffd\ufffd", '"}']) == [False] * 3
    assert skeleton.tokens(one, None, 0, lambda _ids: ['{"a": "', "é", '"}']) == [False] * 3
    assert skeleton.tokens(one, flags, 0, lambda _ids: ['{"a": "', "é", '"}']) == [True, False, True]


@pytest.mark.parametrize("by_token", [False, True])
def test_advantages_are_nothing_within_and_unchanged_elsewhere(by_token):
    advantages = torch.tensor([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]]) if by_token else torch.tensor([1.0, -1.0])
    spared = skeleton.spared(advantages, [[True, False, True], [False, True]], 3)
    whole = advantages if by_token else advantages.unsqueeze(1).expand(2, 3)
    assert spared.tolist() == (whole * torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])).tolist()
