"""What the bundle abstains from: coverage of its own cases, foreign ones by kind."""

from dataclasses import asdict

import pytest

from proseform.abstention import fitted
from proseform.suites import foreign, strangers, where
from tests.suites.measured import TASK, outcomes, study


def inputs(split, count):
    return [case.inputs for case in TASK.generate("easy", split, 3, count)]


KNOWN = fitted(inputs("train", 400), inputs("valid", 400), 0.02)
STUDY = study(cases=60, abstention=KNOWN)
ENDS = where(outcomes(STUDY), suite="answers", subject="grpo", decoding="constrained")


def summary(of=STUDY, ends=ENDS):
    return foreign.summarise(ends, of)["abstention"]


def test_without_abstention_there_is_nothing_to_say():
    assert summary(study(cases=5)) is None


def test_no_model_is_asked():
    assert not where(outcomes(STUDY), suite="foreign")


def test_coverage_counts_the_cases_that_are_answered():
    strange = [case for case in STUDY.cases if KNOWN.strange(case.inputs)]
    given = summary()
    assert given["coverage"]["value"] == pytest.approx(1 - len(strange) / len(STUDY.cases))
    assert sum(given["why"].values()) == len(strange)
    assert given["answered"]["whole_right"]["n"] == len(STUDY.cases) - len(strange)


def test_accuracy_is_of_those_that_are_answered_alone():
    """A bound so near that only some cases are answered."""
    distances = sorted(KNOWN.distance(case.inputs) for case in STUDY.cases)
    near = type(KNOWN)(**{**asdict(KNOWN), "inputs": KNOWN.inputs, "bound": distances[len(distances) // 3]})
    answered = {case.id for case in STUDY.cases if not near.strange(case.inputs)}
    assert 0 < len(answered) < len(STUDY.cases)
    given = summary(study(cases=60, abstention=near))
    right = [row.scores["whole_right"] for row in ENDS if row.case in answered]
    assert given["answered"]["whole_right"]["value"] == pytest.approx(sum(right) / len(right))


def test_every_kind_is_tried_in_the_place_of_every_input():
    rows = {row["kind"]: row for row in summary()["foreign"]}
    for name, other in (("parcel", "rule"), ("rule", "parcel")):
        assert {f"{kind} as {name}" for kind in strangers.kinds()} <= rows.keys()
        assert f"{other} as {name}" in rows
    assert "level hard" in rows
    for row in rows.values():
        if not row["kind"].startswith("level"):  # the toy's levels differ in their numbers, which are no words
            assert row["abstained"]["value"] == 1, row
            assert row["auroc"] > 0.99, row


@pytest.mark.parametrize("kind", strangers.kinds())
def test_documents_are_whole_invented_and_as_long_as_asked(kind):
    for length in (1, 80, 2000):
        text = strangers.document(kind, length, "a")
        longest = max(len(line) for line in text.splitlines())
        assert length <= len(text) + 1 <= length + longest + 1
        assert "{number}" not in text
        assert not [word for word in strangers.kinds()[kind] if f"{{{word}}}" in text]
        assert text != strangers.document(kind, length, "b") or length == 1


@pytest.mark.parametrize(
    ("own", "others", "share"),
    [
        ([0.0], [1.0], 1.0),
        ([1.0], [0.0], 0.0),
        ([1.0], [1.0], 0.5),
        ([0.0, 2.0], [1.0], 0.5),
        ([1, 1, 2], [2, 3], 11 / 12),
    ],
)
def test_auroc_is_the_share_of_pairs_in_order(own, others, share):
    pairs = [(near < far) + (near == far) / 2 for near in own for far in others]
    assert foreign.auroc(own, others) == pytest.approx(share) == pytest.approx(sum(pairs) / len(pairs))
