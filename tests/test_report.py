"""The report: figures with honest intervals, and a page that no text can break out of."""

import json
import random
import re
from html.parser import HTMLParser
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import outcome, report
from proseform.testing import toy_task

TASK = toy_task()
RUBRIC = TASK.rubric()
HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(2)> \"' {{ 7 * 7 }} {% raw %} &amp; \u202e"
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(SHARES)
def test_an_estimate_lies_within_its_interval_and_in_the_unit_interval(values):
    found = report.estimate(values)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.value == pytest.approx(fmean(values), abs=1e-5)
    assert found.n == len(values)


@given(SHARES, st.integers(2, 5))
def test_repeating_every_case_makes_no_interval_narrower(values, times):
    """Four completions of one case are one case: this is what keeps sampled figures honest."""
    once = report.estimate(values, range(len(values)))
    again = report.estimate(values * times, list(range(len(values))) * times)
    assert again.n == once.n
    assert (again.value, again.low, again.high) == pytest.approx((once.value, once.low, once.high), abs=1e-4)


@given(st.integers(1, 400), st.data())
def test_a_share_has_wilsons_interval(n, data):
    """Wilson 1927, by its defining equation: the ends are where |p - x| = z sqrt(x(1-x)/n)."""
    right = data.draw(st.integers(0, n))
    found = report.estimate([1.0] * right + [0.0] * (n - right))
    for end in (found.low, found.high):
        if 0 < end < 1:
            assert (right / n - end) ** 2 == pytest.approx(report.Z**2 * end * (1 - end) / n, abs=1e-4)


@given(SHARES)
def test_the_order_of_values_does_not_matter(values):
    assert report.estimate(values) == report.estimate(values[::-1])


@pytest.mark.parametrize("value", [0.0, 0.1, 0.5, 1.0])
def test_unanimity_is_not_certainty(value):
    found = report.estimate([value] * 20)
    assert found.high - found.low > 0.1


def test_more_cases_make_it_narrower():
    widths = [found.high - found.low for n in (5, 50, 500) if (found := report.estimate([1, 1, 1, 0] * n))]
    assert widths == sorted(widths, reverse=True)


def test_nothing_gives_no_estimate():
    assert report.estimate([]) is None


def rows(cases=20, seed=0, hostile=False):
    """Outcomes of variants that rises, with an evaluator that says hostile things where it is wrong."""
    rng = random.Random(seed)
    found, schema = [], TASK.format("full")
    bad = HOSTILE if hostile else "I'd be happy to help!"
    all_cases = list(TASK.generate("easy", "test", 0, cases))
    for variant, skill in (("base", 0.0), ("sft", 0.5), ("grpo", 0.9)):
        for case in all_cases:
            texts = [case.prose if rng.random() < skill else bad for _ in range(3)]
            found.append(outcome.judged(case, TASK, RUBRIC, texts[0], variant=variant))
            found += [outcome.judged(case, TASK, RUBRIC, text, variant=variant, mode="sampled") for text in texts[1:]]
            text = json.dumps(
                dict(case.answer) if rng.random() < skill else {**case.answer, "verdict": "send", "note": "x"}
            )
            found.append(outcome.answered(case, TASK, schema, text, variant=variant, constrained=True))
            found.append(outcome.answered(case, TASK, schema, bad, variant=variant, constrained=False))
    for case in all_cases:
        for of in ("gold", "own", "schemas"):
            text = json.dumps(dict(case.answer))
            found.append(outcome.formatted(case.id, schema, text, dict(case.answer), of=of, constrained=True))
            found.append(
                outcome.formatted(
                    case.id, schema, text + bad * (of == "own"), dict(case.answer), of=of, constrained=False
                )
            )
    for case in TASK.generate("hard", "test", 0, 5):
        found.append(outcome.judged(case, TASK, RUBRIC, case.prose, variant="grpo"))
    return found, all_cases


METRICS = {
    "grpo": [{"step": n, "reward": n / 20, "frac_zero_variance": 0.1, "loss": float("nan")} for n in range(1, 11)]
}


def made(shipped="grpo", **changes):
    found, cases = rows(**changes)
    meta = {"run": "small", "machine": "2 cores", "digests": {"dataset": "sha256:" + "a" * 64}}
    return report.summarise(found, TASK, meta=meta, level="easy", shipped=shipped, metrics=METRICS, cases=cases)


def of(found, name, **wanted):
    """The mean of what rows of some kind say."""
    return fmean(row[name] for row in found if all(row.get(key) == value for key, value in wanted.items()))


def test_the_figures_are_those_of_the_rows():
    found, _ = rows()
    figures = {name: figure["value"] for name, figure in made()["figures"].items()}
    sampled = {
        variant: of(found, "reward", kind="evaluator", variant=variant, mode="sampled") for variant in ("sft", "grpo")
    }
    assert figures == pytest.approx(
        {
            "schema_valid": 1,
            "formatter_exact": 1,
            "evaluator_reward": of(found, "reward", kind="evaluator", variant="grpo", mode="greedy", level="easy"),
            "recommendation_right": of(found, "headline_right", kind="answer", variant="grpo", constrained=True),
            "lift": sampled["grpo"] - sampled["sft"],
        },
        abs=1e-5,
    )


def test_the_ladder_is_in_the_order_of_the_rows_and_of_the_trained_level():
    whole = made()
    assert [variant["variant"] for variant in whole["variants"]] == ["base", "sft", "grpo"]
    assert [variant["greedy"]["reward"]["n"] for variant in whole["variants"]] == [20, 20, 20]
    assert whole["variants"][0]["reasons"] == {"form": 60}
    assert [level["level"] for level in whole["levels"]] == ["easy", "hard"]


def test_the_confusion_matrix_counts_every_answer_once():
    confusion = made()["confusion"]
    assert confusion["labels"] == ["send", "refuse"]
    assert confusion["columns"][-1] == report.NONE
    assert sum(map(sum, confusion["counts"])) == 20


def test_examples_hold_right_and_wrong_ones():
    examples = made()["examples"]
    assert {example["right"] for example in examples} == {True, False}
    assert all(example["wrong_fields"] or example["right"] or example["verdict"] != "verified" for example in examples)


def test_a_report_is_json_and_equal_rows_give_equal_reports():
    whole = made()
    assert json.loads(json.dumps(whole, allow_nan=False)) == whole
    assert made() == whole
    assert report.render(made()) == report.render(whole)


def test_nothing_measured_is_none_and_still_a_page():
    empty = report.summarise([], TASK, meta={}, level="easy")
    assert set(empty["figures"].values()) == {None}
    assert "not measured" in report.render(empty)


def test_greedy_stands_in_for_samples_that_were_not_drawn():
    found = [row for row in rows()[0] if row.get("mode") != "sampled"]
    whole = report.summarise(found, TASK, meta={}, level="easy")
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
    text = report.render(made())
    page = Page(text)
    assert page.open == []
    assert not {"script", "img", "link", "iframe", "object"} & set(page.tags)
    assert not {"src", "href", "xlink:href"} & {name for name, _ in page.attributes}
    assert not re.search(r"url\(|@import|https?://", text)
    assert "default-src 'none'" in text


def test_hostile_text_stays_text():
    page = Page(report.render(made(shipped="base", hostile=True)))
    assert page.open == []
    assert not {"script", "img"} & set(page.tags)
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert any("<script>alert(1)</script>" in text for text in page.texts)
    assert any("{{ 7 * 7 }}" in text for text in page.texts)


def test_hostile_names_stay_text_too():
    """Rungs, reasons, fields, metadata: whatever reaches the page is escaped."""
    found, cases = rows(cases=3)
    for row in found:
        if row.get("variant") == "base":
            row["variant"] = HOSTILE
    meta = {"machine": HOSTILE, "run": HOSTILE, "digests": {HOSTILE: HOSTILE}}
    page = Page(report.render(report.summarise(found, TASK, meta=meta, level="easy", cases=cases)))
    assert page.open == []
    assert not {"script", "img"} & set(page.tags)


def test_the_page_says_what_the_figures_say():
    whole = made()
    text = " ".join(Page(report.render(whole)).texts)
    assert "sha256:" + "a" * 64 in text
    for heading in (
        "What each training step added",
        "How reinforcement went",
        "Right, field by field",
        "Harder levels",
    ):
        assert heading in text
    assert f"{100 * whole['figures']['evaluator_reward']['value']:.1f}" in text
