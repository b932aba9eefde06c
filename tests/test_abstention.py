"""Abstention: calibrated by law, foreign cases far off, and nothing of a training text to be read."""

import json
import math
import random
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proseform.abstention import Abstention, Kind, fitted, least

THINGS = ("wool hat", "tin of tea", "clay cup", "map", "book", "lamp", "kite", "drum", "bell", "rope")


def letters(count, seed):
    """Short letters that are alike: two to five lines about things, with names that few share."""
    rng = random.Random(f"letters/{seed}")
    for _ in range(count):
        name = "".join(rng.choices("bdfklmnprst", k=3) + rng.choices("aeiou", k=3)).title()
        lines = [f"I sent {rng.randint(1, 9)} of the {rng.choice(THINGS)}." for _ in range(rng.randint(2, 5))]
        yield {"letter": "\n".join([f"Dear {name},", *lines])}


TRAIN = list(letters(400, "train"))
KNOWN = fitted(TRAIN, letters(1000, "held out"), 0.02)


def test_of_further_cases_like_its_own_at_most_the_share_is_strange():
    """Calibrated 100 times anew on other cases: on average no more than the share, as conformal prediction says."""
    shares = []
    for turn in range(20):
        known = fitted(TRAIN, letters(200, f"held out {turn}"), 0.1)
        further = list(letters(200, f"further {turn}"))
        shares.append(sum(bool(known.strange(case)) for case in further) / len(further))
    assert sum(shares) / len(shares) <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / (20 * 200))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Dear Tomas,\nFold the whites into batter, then bake slowly.\nServe with cream.", "unknown_words"),
        ("dear: I; sent = 3 * the\nbook -> sent /* of */ tea\nmap :: 3", "unknown_lines"),
        ("Dear Bob,", "too_short"),
        ("\n".join(["Dear Bob,", *["I sent 3 of the map."] * 60]), "too_long"),
    ],
)
def test_what_is_strange_says_why(text, why):
    assert why in {one.why for one in KNOWN.strange({"letter": text})}


def test_what_lacks_the_common_words_is_strange_and_says_so():
    """However many of its words are known: those of a kind whose texts differ much are."""
    rng = random.Random(3)
    rare = [f"{a}{b}{c}" for a in ("ba", "do", "ki", "lu", "mo") for b in ("ra", "te", "si", "po") for c in "nlrst"]

    def text(head):
        return f"{head} {' '.join(rng.choices(rare, k=12))}"

    kind = Kind.of([text(rng.choice(("my work and my school", "school then work"))) for _ in range(400)])
    own, foreign = text("work and school"), " ".join(rng.choices(rare, k=15))
    assert kind.distances(own)["missing_words"] < 1
    assert kind.distances(foreign)["missing_words"] > 3
    assert kind.distances(foreign)["unknown_words"] < 1


def test_words_that_are_common_in_another_input_tell_nothing():
    """Both speak of work; one alone of school, the other alone of pay. In each other's place both are far off."""
    rng = random.Random(5)
    things = [f"{a}{b}{c}" for a in ("ba", "do", "ki", "lu", "mo") for b in ("ra", "te", "si", "po") for c in "nlrst"]

    def case():
        own, asked = (" ".join(rng.choices(things, k=12)) for _ in range(2))
        return {"letter": f"the work the school {own}", "rule": f"the work the pay {asked}"}

    known = fitted([case() for _ in range(400)], [case() for _ in range(400)], 0.02)
    other = case()
    assert not known.strange(other)
    strange = known.strange({"letter": other["rule"], "rule": other["letter"]})
    assert {(one.input, one.why) for one in strange} >= {("letter", "missing_words"), ("rule", "missing_words")}


def test_what_was_stored_without_common_words_is_read_and_judges_by_the_rest():
    stored = asdict(KNOWN)
    for kind in stored["inputs"].values():
        kind["means"], kind["spreads"] = kind["means"][:4], kind["spreads"][:4]
        del kind["common"]
    old = Abstention.read(json.loads(json.dumps(stored)))
    assert "missing_words" not in old.inputs["letter"].distances("Season with salt.")
    assert old.strange({"letter": "Season with salt."})


def test_a_text_without_words_is_strange():
    for text in ("", " ", "\n\n", "3 4 5", "....", "\ud800", "\0"):
        assert KNOWN.strange({"letter": text})


def test_it_comes_back_from_json_and_judges_alike():
    again = Abstention.read(json.loads(json.dumps(asdict(KNOWN))))
    assert again == KNOWN
    for case in [*letters(50, "further"), {"letter": "Season with salt."}]:
        assert again.strange(case) == KNOWN.strange(case)


def test_the_order_of_the_cases_is_nothing_to_it():
    assert fitted(TRAIN[::-1], reversed(list(letters(1000, "held out"))), 0.02) == KNOWN


def test_no_word_of_a_training_text_can_be_read():
    stored = json.dumps(asdict(KNOWN)).casefold()
    words = {word.strip(",.").casefold() for case in TRAIN for word in case["letter"].split() if len(word) > 4}
    assert words
    assert not [word for word in words if word in stored]


def test_what_is_stored_is_bounded():
    """However many words the training texts have."""
    texts = [" ".join(f"w{chr(97 + n % 26)}{'x' * (n % 7)}{oct(n)}".translate({48 + d: 97 + d for d in range(10)})
                      for n in range(20_000))] * 4  # fmt: skip
    assert len(Kind.of(texts).words) == 16_384 * 4


@pytest.mark.parametrize(("share", "count"), [(0.02, 49), (0.1, 9), (0.5, 1), (0.001, 999)])
def test_too_few_cases_calibrate_nothing(share, count):
    assert least(share) == count
    assert fitted(TRAIN, letters(count - 1, "few"), share) is None
    assert fitted(TRAIN, letters(count, "few"), share).cases == count


def test_without_training_cases_nothing_is_known():
    assert fitted([], letters(100, "few"), 0.02) is None


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=200))
def test_any_text_has_a_distance(text):
    """Finite, and the largest of its ways; strange exactly where it lies beyond the bound."""
    distances = KNOWN.inputs["letter"].distances(text)
    furthest = max(distances.values())
    assert math.isfinite(furthest)
    assert KNOWN.distance({"letter": text}) == furthest
    strange = KNOWN.strange({"letter": text})
    assert bool(strange) == (furthest > KNOWN.bound)
    assert [one.distance for one in strange] == sorted((one.distance for one in strange), reverse=True)


def test_the_furthest_input_decides():
    two = [{"letter": case["letter"], "rule": "at most 100 g"} for case in TRAIN]
    known = fitted(two, two, 0.02)
    own = {"letter": TRAIN[0]["letter"], "rule": "at most 100 g"}
    assert not known.strange(own)
    assert {one.input for one in known.strange({**own, "rule": "Season with salt and pepper."})} == {"rule"}
