"""Drafts save passes and change nothing: not a token, not a mark, not a call of whoever watches."""

import random
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from proseform import testing
from proseform.infer import cache as caches
from proseform.infer import decode, passes
from proseform.infer.drafts import Drafting, Drafts, useful
from proseform.infer.endings.budget import Budget
from proseform.infer.grammars.constrain import Constraints
from tests.infer.schemas import HARD, USED_UP, closed, use_up

KEYED = closed(recommendation={"enum": ["reject", "interview"]}, candidate={"const": "Tamsin Okorie"})
NAMES = ("a date among long texts", "one of two keys", "a pattern", "formats", "alternatives", "a tuple")
MOST = 70


@pytest.fixture(scope="module")
def bytewise() -> tuple[Any, Any, Constraints]:
    """A model whose tokens are bytes: what is forced can be written in one way only."""
    words = testing.tokenizer(["x"], entries=259)
    return small("Qwen3", words), words, Constraints(words, [words.eos_token_id], len(words))


def small(name: str, words: Any, **fields: Any) -> Any:
    """An architecture of random weights."""
    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"num_key_value_heads": 2} | ({"head_dim": 16} if name != "Falcon" else {})
    tokens = {"vocab_size": len(words), "bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0}
    config = transformers.AutoConfig.for_model(name.lower(), **sizes, **tokens, initializer_range=0.3, **fields)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def written(
    model: tuple[Any, Any, Constraints], rows: list[decode.Row], drafting: Drafting | None
) -> tuple[list[Any], int]:
    """All that can be seen of rows, and how many passes they took."""
    loaded, words, constraints = model
    seen: list[list[tuple[int, ...]]] = [[] for _ in rows]
    for row, calls in zip(rows, seen, strict=True):
        row.watch = partial(_watched, calls)
    count = decode.run(
        loaded, rows, constraints, pad=words.pad_token_id, stop=frozenset({words.eos_token_id}), drafting=drafting
    )
    marks = [row.budget.marks if row.budget else None for row in rows]
    return [
        (row.ids, row.finish, str(row.fault), marked, calls)
        for row, marked, calls in zip(rows, marks, seen, strict=True)
    ], count


def _watched(calls: list[tuple[int, ...]], row: decode.Row) -> bool:
    calls.append(tuple(row.ids))
    return len(calls) < 30 or row.seed != 6  # one caller leaves


def batch(model: tuple[Any, Any, Constraints]) -> list[decode.Row]:
    """Rows of every kind: constrained and free, greedy and sampled, with prompts of several lengths."""
    _, words, constraints = model
    rows = []
    for seed, name in enumerate((*NAMES, None, None, "formats")):
        matcher = constraints.matcher(HARD[name]) if name else None
        budget = constraints.budget(HARD[name], [], MOST) if name else None
        prompt = words(f"{seed} " + "The parcel weighs 90 g. " * (1 + seed % 3))["input_ids"]
        temperature = 1.0 if seed % 3 == 2 else 0.0
        rows.append(decode.Row(list(prompt), MOST, temperature, seed, matcher, budget=budget))
        if budget is not None:
            _take_back(budget, [5 + seed, 14 + seed])
    return rows


def _take_back(budget: Budget, turns: list[int]) -> None:
    """Let a budget take four tokens back where a row first has so many."""
    check = budget.check

    def checked(ids: list[int]) -> int:
        if turns and len(ids) >= turns[0]:
            del turns[0]
            return len(ids) - 4
        return check(ids)

    budget.check = checked


class Oracle:
    """Drafts what a row is going to write, with a wrong token at times."""

    known: dict[tuple[int, ...], list[int]]
    rng: random.Random

    def __init__(self, drafting: Drafting, prompt: list[int], constraints: Any, *, greedy: bool, expected: Any) -> None:
        self.futures = self.known[(*prompt, greedy)]

    def draft(self, ids: list[int], matcher: Any, most: int) -> list[int]:
        draft = self.futures[len(ids) :][: min(most, self.rng.randrange(12))]
        return [token if self.rng.random() < 0.9 else 7 for token in draft]

    def judged(self, drafted: int, taken: int) -> None:
        assert 0 <= taken <= drafted


@pytest.fixture(scope="module")
def reference(model: tuple[Any, Any, Constraints]) -> tuple[list[Any], int]:
    return written(model, batch(model), None)


def oracle(monkeypatch: pytest.MonkeyPatch, rows: list[decode.Row], done: list[Any], seed: int) -> None:
    """Draft what rows of the same prompts have written before."""
    known = {(*row.prompt, row.temperature <= 0): one[0] for row, one in zip(rows, done, strict=True)}
    monkeypatch.setattr(Oracle, "known", known, raising=False)
    monkeypatch.setattr(Oracle, "rng", random.Random(seed), raising=False)
    monkeypatch.setattr(passes, "Drafts", Oracle)


@pytest.mark.parametrize("seed", range(3))
def test_drafts_right_and_wrong_change_nothing_that_can_be_seen(model, reference, monkeypatch, seed):
    """Rows that end, leave, take tokens back, are cut, are sampled; beside one another."""
    done, most = reference
    assert {finish for _, finish, *_ in done} >= {"stop", "left"}
    assert any(len(one) > len(other) for *_, calls in done for one, other in pairwise(calls)), "tokens were taken back"
    rows = batch(model)
    oracle(monkeypatch, rows, done, seed)
    drafted, count = written(model, rows, Drafting())
    assert drafted == done
    assert count < 0.8 * most


def test_what_is_forced_costs_no_pass_where_it_is_written_in_one_way(bytewise):
    """The passes are those that leave a choice, and those that judge more than a draft may hold."""
    _, words, constraints = bytewise
    counts = []
    for drafting in (None, Drafting(lookup=False, longest=200)):
        row = decode.Row(list(words("JSON:")["input_ids"]), 200, matcher=constraints.matcher(KEYED))
        (one,), count = written(bytewise, [row], drafting)
        counts.append((constraints.text(one[0]), count))
    (text, slow), (same, quick) = counts
    assert text == same
    assert slow == len(text)
    assert quick == 2, "one to choose the recommendation, one for what follows it"


def test_what_was_written_before_is_written_again_in_few_passes(bytewise):
    """A model whose next token follows from the last one alone comes to a circle; a free row, greedy or sampled."""
    _, words, _ = bytewise
    loaded = small("Qwen3", words, tie_word_embeddings=False)
    for layer in loaded.model.layers:
        torch.nn.init.zeros_(layer.self_attn.o_proj.weight)
        torch.nn.init.zeros_(layer.mlp.down_proj.weight)
    counts = []
    for temperature in (0.0, 1.0):
        done, most = written((loaded, words, None), [decode.Row([1, 2], 100, temperature)], None)
        again, fewer = written((loaded, words, None), [decode.Row([1, 2], 100, temperature)], Drafting())
        assert again == done
        counts.append((most, fewer))
    (most, fewer), (sampled, as_many) = counts
    assert most == 100
    assert fewer < 60
    assert sampled == as_many, "what is sampled is not looked up"


@pytest.mark.parametrize("name", ["Llama", "GPT2", "GPT_NeoX", "OPT", "Falcon", "Gemma", "Bloom", "Mistral", "Mamba"])
def test_every_kind_of_cache_decodes_as_without_drafts(bytewise, monkeypatch, name):
    """Masked places between others, rows of several lengths; where the cache cannot do it there are no drafts."""
    _, words, _ = bytewise
    fields = {"sliding_window": 8} if name == "Mistral" else {}
    loaded = small(name, words, **fields)
    texts = ("Tamsin", "The parcel weighs 90 g.", "Oslo is the capital", "a")

    def rows() -> list[decode.Row]:
        return [decode.Row(list(words(text)["input_ids"]), 12 + 4 * index) for index, text in enumerate(texts)]

    subject = loaded, words, None
    done, most = written(subject, rows(), None)
    oracle(monkeypatch, rows(), done, 1)
    drafted, count = written(subject, rows(), Drafting())
    assert drafted == done
    assert (count < most) == (name not in {"Bloom", "Mistral", "Mamba"})


@given(st.lists(st.integers(0, 20), min_size=1, max_size=32))
@settings(max_examples=50)
def test_drafts_are_followed_to_where_someone_has_one(lengths):
    most = useful(lengths)
    assert 0 <= most <= max(lengths)
    assert len(set(lengths)) > 1 or most == lengths[0]


def test_a_draft_of_what_is_forced_is_the_tokenizers_own_and_leaves_the_matcher_alone(model):
    _, words, constraints = model
    matcher = constraints.matcher(KEYED)
    before = constraints.allowed([matcher])
    draft = Drafts(Drafting(longest=40), [1], constraints, greedy=True).draft([], matcher, 100)
    assert draft == list(words('{"recommendation": "')["input_ids"])
    assert (constraints.allowed([matcher]) == before).all()
    ids = [*draft, *words("reject")["input_ids"][:1]]
    matcher.consume_tokens(ids)
    rest = Drafts(Drafting(longest=40), [1], constraints, greedy=False).draft(ids, matcher, 9)
    assert constraints.text(rest).startswith(constraints.text(words("reject")["input_ids"][1:]))
    assert len(rest) == 9, "no more than the row may still write"


def test_lookup_finds_the_longest_match_of_greedy_rows_and_trusts_it_as_it_deserves():
    prompt = [5, 1, 2, 3, 4, 9, 2, 8, 8, 8]
    source = Drafts(Drafting(longest=6), prompt, None, greedy=True)
    assert source.draft([1, 2], None, 9)[:3] == [3, 4, 9], "1, 2 stood there once; 2 alone stood there later too"
    assert source.draft([], None, 0) == []
    source.judged(6, 0)
    assert len(source.draft([1, 2], None, 9)) == 2
    source.judged(2, 2)
    assert len(source.draft([1, 2], None, 9)) == 4
    assert Drafts(Drafting(), prompt, None, greedy=False).draft([1, 2], None, 9) == []
    assert Drafts(Drafting(lookup=False), prompt, None, greedy=True).draft([1, 2], None, 9) == []


EXPECTED = [10, 11, 12, 13, 14, 15, 16, 17]


def test_what_is_expected_is_drafted_whole_until_it_proves_wrong_and_again_from_where_both_agree():
    source = Drafts(Drafting(expected=6), [1], None, greedy=True, expected=EXPECTED)
    assert source.draft([], None, 99) == EXPECTED[:6]
    source.judged(6, 6)
    assert source.draft(EXPECTED[:7], None, 99) == EXPECTED[7:]
    source.judged(6, 3)
    assert source.draft([10, 11, 12, 99], None, 99) == [], "nothing expected stands behind 99"
    assert source.draft([10, 11, 12, 99, 14], None, 99) == [15, 16, 17]
    assert source.draft(EXPECTED, None, 99) == []
    again = Drafts(Drafting(expected=6), [1], None, greedy=True, expected=EXPECTED)
    assert again.draft([10, 11, 12, 99, 10], None, 99)[:3] == [11, 12, 99], "what was passed is expected no more"


def test_what_is_expected_is_for_greedy_rows_and_those_who_want_it():
    for drafting, greedy in ((Drafting(), False), (Drafting(expected=0), True)):
        assert Drafts(drafting, [1], None, greedy=greedy, expected=EXPECTED).draft([], None, 99) == []


def test_what_the_grammar_forbids_is_not_drafted(model):
    _, words, constraints = model
    expected = list(words('{"recommendation": "maybe", "candidate": "Tamsin Okorie"}')["input_ids"])
    matcher = constraints.matcher(KEYED)
    draft = Drafts(Drafting(), [1], constraints, greedy=True, expected=expected).draft([], matcher, 99)
    assert constraints.text(draft) == '{"recommendation": "'


@pytest.mark.parametrize("about", ["right", "wrong in its middle", "of another row", "forbidden"])
def test_expectations_change_no_text_and_right_ones_need_a_pass_or_two(model, about):
    """A row under a grammar, and a free one."""
    _, words, constraints = model

    def rows() -> list[decode.Row]:
        held = decode.Row(list(words("JSON:")["input_ids"]), 60, matcher=constraints.matcher(KEYED))
        return [held, decode.Row(list(words("The parcel weighs")["input_ids"]), 60)]

    for index in range(2):
        (done,), most = written(model, [rows()[index]], None)
        other = written(model, [rows()[1 - index]], None)[0][0][0]
        ids = done[0]
        row = rows()[index]
        row.expected = {
            "right": ids,
            "wrong in its middle": [*ids[: len(ids) // 2], 7, *ids[len(ids) // 2 + 1 :]],
            "of another row": other,
            "forbidden": list(words('{"candidate": 7}')["input_ids"]),
        }[about]
        drafted, count = written(model, [row], Drafting(lookup=False, forced=False))
        assert drafted == [done]
        assert count <= most
        if about == "right":
            assert count <= 2
        if about == "wrong in its middle":
            assert count < most // 3


def test_lookup_forgets_what_was_taken_back():
    source = Drafts(Drafting(), [7, 7], None, greedy=True)
    assert source.draft([1, 2, 3, 4, 1, 2], None, 9)[:1] == [3]
    assert source.draft([1, 2], None, 9) == [], "nothing stands behind them any more"
    assert source.draft([1, 2, 6, 1, 2], None, 9)[:1] == [6]


def test_a_matcher_that_is_used_up_while_it_is_drafted_for_is_renewed_all_the_same(model):
    _, words, constraints = model
    texts = []
    for drafting in (None, Drafting()):
        prefill = constraints.encode(b"[null")
        renew = partial(constraints.own, USED_UP, prefill)
        row = decode.Row([*words("JSON:")["input_ids"], *prefill], 20, matcher=constraints.matcher(USED_UP, prefill))
        row.renew = renew
        use_up(constraints, constraints.matcher(USED_UP))
        texts.append(written(model, [row], drafting)[0])
        assert row.renew is None
    assert texts[0] == texts[1]


def test_caches_that_keep_states_or_windows_cannot_be_cropped(bytewise):
    _, words, _ = bytewise
    windows = {"Mistral": {"sliding_window": 8}, "GPT_Neo": {"attention_types": [[["global", "local"], 1]]}}
    for name, fields in {"Qwen3": {}, "Bloom": {}, "RWKV": {}, "Mamba": {}, **windows}.items():
        loaded = small(name, words, **fields)
        assert caches.croppable(loaded, caches.of(loaded.config)) == (name == "Qwen3"), name
