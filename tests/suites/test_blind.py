"""The blind baseline: what is earned without reading, and that it is not earned by reading."""

import pytest

from proseform.suites import blind
from tests.suites.measured import outcomes, study

STUDY = study(cases=40)


def summary(of=STUDY, judged=()):
    return blind.summarise([row for row in judged if row.suite == "blind"], of)["blind"]


def test_the_best_way_counts_by_its_upper_bound():
    baseline = summary(judged=outcomes(STUDY))
    for score, best in baseline["best"].items():
        chance = [baseline["chance"]["right"]["high"]] if score == "headline_right" else []
        assert best["high"] == max([row[score]["high"] for row in baseline["rows"] if row[score]] + chance)


def test_a_model_that_reads_earns_nothing_when_it_is_asked_blind():
    rows = {row["how"]: row for row in summary(judged=outcomes(STUDY))["rows"]}
    assert rows["the model, with parcel of another case"]["reward"]["value"] == 0


def test_ways_that_ask_no_model_need_none():
    hows = [row["how"] for row in summary()["rows"]]
    assert hows == [
        "one evaluation for all cases",
        "the most similar training case, without reading parcel",
        "the most similar training case, without reading rule",
        "what the task itself can write unread",
    ]


def test_nothing_is_chosen_on_held_out_cases():
    """The same training cases give the same texts, whatever is held out."""
    few, many = (dict(blind.unread_answers(study(cases=n))) for n in (5, 20))
    for how, answered in few.items():
        assert [row.text for row in answered] == [row.text for row in many[how][:5]]


def test_chance_is_the_commonest_label_of_training():
    chance = summary()["chance"]
    labels = [case.answer["verdict"] for case in STUDY.train]
    assert chance["label"] == max(sorted({*labels}), key=labels.count)
    right = sum(case.answer["verdict"] == chance["label"] for case in STUDY.cases) / len(STUDY.cases)
    assert chance["right"]["value"] == pytest.approx(right)
    assert chance["labels"] == 2


def test_without_training_cases_only_models_are_asked():
    none = study(cases=5, train=())
    assert blind.unread_answers(none) == []
    assert summary(none)["chance"] is None
