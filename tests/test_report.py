"""The report: figures with honest intervals, and a page that no text can break out of."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from statistics import fmean

import pytest

from proseform import curves, histogram, report
from proseform.suites import where
from proseform.suites.answers import NO_LABEL
from tests.suites.measured import HOSTILE, TASK, outcomes, study

METRICS = {
    "grpo": [{"step": n, "reward": n / 20, "frac_zero_variance": 0.1, "loss": float("nan")} for n in range(1, 11)]
}
META = {"run": "small", "machine": "2 cores", "digests": {"dataset": "sha256:" + "a" * 64}}
STUDY = study()


def summary(shipped="grpo", of=STUDY, rows=None, **changes):
    rows = outcomes(of, **changes) if rows is None else rows
    return report.summarise(rows, of, meta=META, shipped=shipped, metrics=METRICS)


def mean(rows, score, **fields):
    """The mean of a score over rows of some kind."""
    return fmean(row.scores[score] for row in where(rows, **fields))


def test_the_figures_are_those_of_the_records():
    rows = outcomes(STUDY)
    figures = {name: figure["value"] for name, figure in summary()["figures"].items()}
    sampled = {
        name: mean(rows, "reward", suite="evaluations", subject=name, decoding="sampled") for name in ("sft", "grpo")
    }
    prose = {"suite": "evaluations", "subject": "grpo", "decoding": "greedy"}
    ends = where(rows, suite="answers", subject="grpo", decoding="constrained")
    verified = [row for row in ends if row.scores["verified"]]
    assert 0 < len(verified) < len(ends), "some answers are verified, and some are not"
    assert figures == pytest.approx(
        {
            "schema_valid": 1,
            "formatter_exact": 1,
            "evaluator_reward": mean(rows, "reward", **prose),
            "recommendation_right": mean(
                rows, "headline_right", suite="answers", subject="grpo", decoding="constrained"
            ),
            "verified_right": mean(verified, "whole_right"),
            "lift": sampled["grpo"] - sampled["sft"],
        },
        abs=1e-5,
    )


def test_variants_are_those_of_the_records_in_their_order():
    whole = summary()
    assert [variant["variant"] for variant in whole["variants"]] == ["base", "base, few-shot", "sft", "grpo"]
    assert [variant["greedy"]["reward"]["n"] for variant in whole["variants"]] == [20, 20, 20, 20]
    assert whole["variants"][0]["reasons"] == {"form": 20}
    assert list(whole["answers"]) == ["base", "base, few-shot", "sft", "grpo"]
    assert [level["level"] for level in whole["levels"]] == ["hard"]


def test_lifts_are_paired_and_stand_between_any_two_variants():
    rows = outcomes(STUDY)
    lifts = {
        (lift["before"], lift["after"]): lift
        for lift in summary()["lifts"]
        if (lift["score"], lift["decoding"]) == ("reward", "greedy")
    }
    assert len(lifts) == 6
    gain = mean(rows, "reward", suite="evaluations", subject="grpo", decoding="greedy")
    assert lifts["base, few-shot", "grpo"]["value"] == pytest.approx(gain, abs=1e-5)
    assert lifts["base, few-shot", "grpo"]["low"] > 0


def test_the_baseline_is_the_best_blind_way():
    whole = summary()
    best = whole["blind"]["best"]
    assert whole["baseline"] == {"evaluator_reward": best["reward"], "recommendation_right": best["headline_right"]}
    assert best["reward"]["how"]


def test_the_confusion_matrix_counts_every_answer_once():
    confusion = summary()["confusion"]
    assert confusion["labels"] == ["send", "refuse"]
    assert confusion["columns"][-1] == NO_LABEL
    assert sum(map(sum, confusion["counts"])) == 20


def test_an_example_marks_its_quotes_in_the_inputs():
    """Pieces are the input whole and in order; marks are numbers of the quotes, which say what stands beside them."""
    example = next(one for one in summary()["examples"] if one["right"])
    case = STUDY.by_id[example["id"]]
    assert {name: "".join(row["text"] for row in rows) for name, rows in example["inputs"].items()} == case.inputs
    quotes = {quote["pointer"]: quote for quote in example["quotes"]}
    assert (quotes["/grams"]["quote"], quotes["/grams"]["input"]) == (str(case.answer["grams"]), "parcel")
    for name, rows in example["inputs"].items():
        for number in {mark for row in rows for mark in row["marks"]}:
            shown = "".join(row["text"] for row in rows if number in row["marks"])
            assert (shown, name) == (example["quotes"][number - 1]["quote"], example["quotes"][number - 1]["input"])
    page = report.render(summary())
    assert f'<mark title="/grams ">{case.answer["grams"]}</mark><sup>1</sup>' in page


def test_examples_hold_right_and_wrong_ones():
    examples = summary()["examples"]
    assert {example["right"] for example in examples} == {True, False}
    assert all(example["wrong_fields"] or example["right"] or example["verdict"] != "verified" for example in examples)


def test_a_users_own_cases_are_not_shown():
    rows = outcomes(STUDY, bad="A secret about Ana.")
    whole = report.summarise(rows, STUDY, meta=META, texts=False)
    for text in (json.dumps(whole), report.render(whole)):
        assert "secret about Ana" not in text
        assert STUDY.cases[0].prose not in text
        assert STUDY.cases[0].inputs["parcel"] not in text
    assert "kept apart" in report.render(whole)


def test_a_report_is_json_and_equal_records_give_equal_reports():
    whole = summary()
    assert json.loads(json.dumps(whole, allow_nan=False)) == whole
    assert summary() == whole
    assert report.render(summary()) == report.render(whole)


def test_nothing_measured_is_none_and_still_a_page():
    empty = report.summarise([], study(cases=0, train=(), strange=(), harder={}), meta={})
    assert set(empty["figures"].values()) == {None}
    assert "not measured" in report.render(empty)


def test_greedy_stands_in_for_samples_that_were_not_drawn():
    rows = [row for row in outcomes(STUDY) if row.decoding != "sampled"]
    whole = summary(rows=rows)
    assert whole["figures"]["lift"]["value"] > 0
    assert "Most likely text (greedy)" in report.render(whole)


class Page(HTMLParser):
    """Elements, attributes and text of a page, whose elements must nest."""

    VOID = frozenset({"meta", "br", "img"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.open, self.texts = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_is_well_formed_and_fetches_nothing():
    text = report.render(summary())
    page = Page(text)
    assert page.open == []
    assert not {"script", "img", "link", "iframe", "object"} & set(page.tags)
    assert not {"src", "href", "xlink:href"} & {name for name, _ in page.attributes}
    assert not re.search(r"url\(|@import|https?://", text)
    assert "default-src 'none'" in text


def test_hostile_text_stays_text():
    page = Page(report.render(summary(bad=HOSTILE)))
    assert page.open == []
    assert not {"script", "img"} & set(page.tags)
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert any("<script>alert(1)</script>" in text for text in page.texts)
    assert any("{{ 7 * 7 }}" in text for text in page.texts)


def test_hostile_names_stay_text_too():
    """Variants, reasons, fields, metadata: whatever reaches the page is escaped."""
    of = study(cases=3)
    rows = [replace(row, subject=HOSTILE) if row.subject == "base" else row for row in outcomes(of)]
    meta = {"machine": HOSTILE, "run": HOSTILE, "digests": {HOSTILE: HOSTILE}}
    page = Page(report.render(report.summarise(rows, of, meta=meta)))
    assert page.open == []
    assert not {"script", "img"} & set(page.tags)


def test_the_page_says_what_the_figures_say():
    whole = summary()
    text = " ".join(Page(report.render(whole)).texts)
    assert "sha256:" + "a" * 64 in text
    for heading in (
        "What each training step added",
        "Without reading",
        "How reinforcement went",
        "Right, field by field",
        "Other levels",
    ):
        assert heading in text
    for estimate in (whole["figures"]["evaluator_reward"], whole["baseline"]["evaluator_reward"]):
        assert f"{100 * estimate['value']:.1f}" in text
    assert "base, few-shot" in text
    assert TASK.title in text


def test_each_curve_of_grpo_stands_beside_what_to_do_and_alarms_and_histograms_are_drawn():
    """A page for people who were not there: every figure that was recorded has its sentence."""
    known = {curve.name: curve for curve in curves.known()}
    bars = {f"histogram/form/{part}": 2.0 for part in histogram.BINS[:4]}
    rows = [{"step": n, "reward": 0.4, "kl": 0.1 * n, "all_zero": 0.9, "clipped": None, **bars} for n in range(1, 8)]
    whole = {**summary(), "training": {"grpo": rows}}
    text = " ".join(Page(report.render(whole)).texts)
    for name in ("reward", "kl", "all_zero"):
        assert known[name].title in text
        assert known[name].sentence in text
    assert known["clipped"].sentence not in text  # never recorded
    (alarm,) = curves.alarms(rows)
    assert alarm in text
    assert "step 7, to 50: 25 %" in text
