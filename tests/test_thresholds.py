"""The gate: opens on figures alone, closes on whatever is missing, and is a value either way."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import digest, thresholds
from proseform.config import Gate
from proseform.thresholds import GateVerdict

BUNDLE, TASK = digest.of_json("bundle"), digest.of_json("task")
NAMES = list(Gate.model_fields)


def figure(value, n=200):
    return {"value": value, "low": max(0.0, value - 0.05), "high": min(1.0, value + 0.05), "n": n}


def report(**figures):
    """A report in which everything is perfect, but for what is given."""
    return {"meta": {"task_contract": TASK}, "figures": {**{name: figure(1.0) for name in NAMES}, **figures}}


def judge(raw, gate=None):
    return thresholds.judge(raw, gate or Gate(), BUNDLE, TASK)


def test_a_good_report_opens_it_and_every_threshold_has_a_row():
    verdict = judge(report())
    assert verdict.open
    assert verdict.reasons == ()
    assert [check.name for check in verdict.checks] == NAMES
    assert (verdict.bundle, verdict.task, verdict.report) == (BUNDLE, TASK, digest.of_json(report()))


@pytest.mark.parametrize("name", NAMES)
def test_each_figure_closes_it_alone_and_is_named(name):
    verdict = judge(report(**{name: figure(-0.5)}))
    assert not verdict.open
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith(f"{name}: found -0.5")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "missing", [None, {}, {"value": 1.0, "low": 1.0, "high": 1.0, "n": 0}], ids=["none", "empty", "of no cases"]
)
def test_a_figure_that_is_missing_closes_it(name, missing):
    verdict = judge(report(**{name: missing}), Gate(**dict.fromkeys(NAMES, 0.0)))
    assert not verdict.open
    assert verdict.reasons == (f"{name}: not measured, wanted at least 0",)


@pytest.mark.parametrize(
    "raw", [{}, {"figures": {}}, {"meta": {"task_contract": TASK}}], ids=["empty", "no meta", "no figures"]
)
def test_an_empty_report_closes_it(raw):
    assert not judge(raw).open


def test_the_report_of_another_task_or_bundle_closes_it():
    other = digest.of_json("other")
    for meta, what in (
        ({"task_contract": other}, "task"),
        ({"task_contract": TASK, "digests": {"bundle": other}}, "bundle"),
        ({}, "task"),
    ):
        verdict = judge({**report(), "meta": meta})
        assert not verdict.open
        assert verdict.reasons[0].startswith(f"the report is of {what}")
    assert judge({**report(), "meta": {"task_contract": TASK, "digests": {"bundle": BUNDLE}}}).open


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_value_decides_and_the_interval_says_how_sure(value, wanted):
    check = judge(report(formatter_exact=figure(value)), Gate(formatter_exact=wanted)).checks[
        NAMES.index("formatter_exact")
    ]
    assert check.passed == (value >= wanted)
    assert check.sure == (figure(value)["low"] >= wanted)
    assert check.passed or not check.sure


@given(st.fixed_dictionaries({name: st.floats(0, 1) for name in NAMES}), st.sampled_from(NAMES), st.floats(0, 1))
def test_a_better_figure_never_closes_an_open_gate(values, name, better):
    gate = Gate(**dict.fromkeys(NAMES, 0.5))
    before = judge(report(**{key: figure(value) for key, value in values.items()}), gate)
    raised = {**values, name: max(values[name], better)}
    after = judge(report(**{key: figure(value) for key, value in raised.items()}), gate)
    assert after.open or not before.open


@pytest.mark.parametrize("raw", [report(), report(lift=None), report(schema_valid=figure(0.5))])
def test_a_verdict_comes_back_from_json(raw):
    verdict = judge(raw)
    assert GateVerdict.from_dict(json.loads(json.dumps(verdict.as_dict()))) == verdict


def test_open_is_derived_and_never_read():
    """Writing `"open": true` into a verdict does not open its gate."""
    raw = judge(report(lift=None)).as_dict()
    assert not GateVerdict.from_dict({**raw, "open": True, "reasons": []}).open


def test_a_verdict_without_checks_is_closed():
    assert not GateVerdict((), (), "r", BUNDLE, TASK).open
