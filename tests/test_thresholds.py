"""The gate: opens on figures alone, closes on whatever is missing, and is a value either way."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import config, digest, task, thresholds
from proseform.config import Check, Gate
from proseform.errors import InputError
from proseform.report import FIGURES
from proseform.suites import Study, blind
from proseform.thresholds import GateVerdict

BUNDLE, TASK = digest.of_json("bundle"), digest.of_json("task")
META = {"task_contract": TASK, "split": "test", "digests": {"bundle": BUNDLE}}
LOW = {"value": 0.4, "low": 0.35, "high": 0.45, "n": 200, "how": "one evaluation for all cases"}
ANYTHING = Gate(above_blind=False, **{name: Check(at_least=-1.0, cases=1) for name in FIGURES})


def figure(value, n=200):
    return {"value": value, "low": max(-1.0, value - 0.05), "high": min(1.0, value + 0.05), "n": n}


def report(meta=META, baseline=None, **figures):
    """A report in which everything is nearly perfect, except for the figures stated here."""
    return {
        "meta": meta,
        "figures": {**{name: figure(1.0) for name in FIGURES}, **figures},
        "baseline": {"evaluator_reward": LOW, "recommendation_right": LOW} if baseline is None else baseline,
    }


def judge(raw, gate=None):
    return thresholds.judge(raw, gate or Gate(verified_right=Check(at_least=0.9)), BUNDLE, TASK)


def test_a_good_report_opens_it_and_every_threshold_has_a_row():
    verdict = judge(report())
    assert verdict.reasons == ()
    assert verdict.open
    assert [check.name for check in verdict.checks] == list(FIGURES)
    assert (verdict.bundle, verdict.task, verdict.report) == (BUNDLE, TASK, digest.of_json(report()))


def test_what_is_verified_but_wrong_closes_it_where_a_run_asks():
    wrong = report(verified_right=figure(0.9))
    assert [reason.partition(":")[0] for reason in judge(wrong).reasons] == ["verified_right"]
    assert [reason.partition(":")[0] for reason in judge(report(verified_right=None)).reasons] == ["verified_right"]
    for asked_for_nothing in (Gate(), Gate(verified_right=False)):
        assert judge(wrong, asked_for_nothing).open
    assert config.load("small").gate.verified_right.at_least == 0.9


def test_a_gate_checks_the_figures_of_the_report_and_no_others():
    beside = {"above_blind", "agreement"}
    assert [name for name in Gate.model_fields if name not in beside] == list(FIGURES)


def test_of_free_prose_the_second_formatters_agreement_is_asked_for_too():
    free = {**META, "prose": "free"}
    assert judge(report(free, agreement=figure(1.0))).open
    for low in (figure(0.8), None):
        closed = judge(report(free, agreement=low))
        assert [reason.partition(":")[0] for reason in closed.reasons] == ["agreement"]
    assert judge(report(agreement=figure(0.1))).open


@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_closes_it_alone_and_is_named(name):
    verdict = judge(report(**{name: figure(-0.5)}))
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith(f"{name}: -0.5 [")


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "missing", [None, {}, {"value": 1.0, "low": 1.0, "high": 1.0, "n": 0}], ids=["none", "empty", "of no cases"]
)
def test_a_figure_that_is_missing_closes_it(name, missing):
    verdict = judge(report(**{name: missing}), ANYTHING)
    assert verdict.reasons == (f"{name}: not measured; its low end must be at least -1, on at least 1 cases",)


@pytest.mark.parametrize("n", [1, 49, 50])
def test_a_report_on_too_few_cases_cannot_open_it(n):
    verdict = judge(report(**{name: figure(1.0, n) for name in FIGURES}))
    assert verdict.open == (n >= 50)
    assert len(verdict.reasons) == (0 if verdict.open else len(FIGURES))


@pytest.mark.parametrize(
    "raw", [{}, {"figures": {}}, {"meta": META}, {"meta": META, "baseline": {}}],
    ids=["empty", "no meta", "no figures", "no baseline"],
)  # fmt: skip
def test_an_empty_report_closes_it(raw):
    assert not judge(raw).open
    assert not judge(raw, ANYTHING).open


@pytest.mark.parametrize(
    ("meta", "what"),
    [
        ({**META, "task_contract": digest.of_json("other")}, "task"),
        ({**META, "digests": {"bundle": digest.of_json("other")}}, "bundle"),
        ({"split": "test", "digests": {"bundle": BUNDLE}}, "task (none)"),
        ({"split": "test", "task_contract": TASK}, "bundle (none)"),
        ({**META, "digests": {}}, "bundle (none)"),
        ({**META, "digests": {"bundle": ""}}, "bundle (none)"),
        ({**META, "split": "valid"}, "the split valid, not of test"),
        ({**META, "split": ""}, "the split (none), not of test"),
        ({name: value for name, value in META.items() if name != "split"}, "the split (none), not of test"),
    ],
)
def test_a_digest_or_a_split_that_is_missing_or_another_closes_it(meta, what):
    verdict = judge(report(meta=meta))
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith(f"the report is of {what}")


def test_a_bundle_without_a_digest_closes_it():
    meta = {**META, "digests": {"bundle": ""}}
    assert not thresholds.judge(report(meta=meta), Gate(), "", TASK).open


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(["interval", "value"]), st.booleans())
def test_what_decides_is_what_the_check_says(value, threshold, by, at_least):
    bound = {"at_least": threshold} if at_least else {"at_most": threshold}
    gate = Gate(above_blind=False, formatter_exact=Check(by=by, **bound))
    check = next(
        row for row in judge(report(formatter_exact=figure(value)), gate).checks if row.name == "formatter_exact"
    )
    end = value if by == "value" else figure(value)["low" if at_least else "high"]
    assert check.passed == (end >= threshold if at_least else end <= threshold)


@given(st.fixed_dictionaries({name: st.floats(0, 1) for name in FIGURES}), st.sampled_from(FIGURES), st.floats(0, 1))
def test_a_better_figure_never_closes_an_open_gate(values, name, better):
    gate = Gate(above_blind=False, **{key: Check(at_least=0.5) for key in FIGURES})
    before = judge(report(**{key: figure(value) for key, value in values.items()}), gate)
    raised = {**values, name: max(values[name], better)}
    after = judge(report(**{key: figure(value) for key, value in raised.items()}), gate)
    assert after.open or not before.open


@pytest.mark.parametrize("name", ["evaluator_reward", "recommendation_right"])
def test_a_threshold_that_needs_no_reading_closes_it(name):
    threshold = getattr(Gate(), name).at_least
    reached = {**LOW, "high": threshold}
    baseline = {"evaluator_reward": LOW, "recommendation_right": LOW, name: reached}
    verdict = judge(report(baseline=baseline))
    assert len(verdict.reasons) == 1
    assert "without reading an input (one evaluation for all cases)" in verdict.reasons[0]
    assert judge(report(baseline={**baseline, name: {**LOW, "high": threshold - 0.01}})).open
    assert not judge(report(baseline={**baseline, name: None})).open


@pytest.mark.parametrize("raw", [report(), report(lift=None), report(schema_valid=figure(0.5))])
def test_a_verdict_comes_back_from_json(raw):
    verdict = judge(raw)
    assert GateVerdict.from_dict(json.loads(json.dumps(verdict.as_dict()))) == verdict


def test_open_is_derived_and_never_read():
    """Writing `"open": true` into a verdict, or `"passed": true` into a check, does not open its gate."""
    raw = judge(report(lift=None)).as_dict()
    checks = [{**check, "passed": True} for check in raw["checks"]]
    assert not GateVerdict.from_dict({**raw, "open": True, "reasons": [], "checks": checks}).open


def test_a_verdict_of_another_version_is_refused_in_words():
    raw = judge(report()).as_dict()
    old = [{"name": "lift", "wanted": 0.0, "found": 0.1, "low": 0.0, "high": 0.2, "n": 9, "passed": True, "sure": True}]
    with pytest.raises(InputError, match="another version"):
        GateVerdict.from_dict({**raw, "checks": old})


def test_a_verdict_without_checks_is_closed():
    assert not GateVerdict((), (), "r", BUNDLE, TASK).open


@pytest.mark.parametrize("run", config.shipped())
def test_shipped_thresholds_lie_above_what_needs_no_reading(run):
    """On the cases that the run measures: the blind baselines that ask no model."""
    knobs, cv = config.load(run), task.load("cv")
    level = knobs.dataset.level or cv.levels[0]
    study = Study(
        cv,
        cv.rubric(knobs.grpo.rubric, knobs.grpo.accuracy_exponent),
        cv.schema,
        level,
        cases=tuple(cv.generate(level, "test", knobs.dataset.test_seed, knobs.evaluate.cases)),
        train=tuple(cv.generate(level, "train", knobs.dataset.seed, 300)),
    )
    best = blind.summarise([], study)["blind"]["best"]
    assert knobs.gate.evaluator_reward.at_least > best["reward"]["high"]
    assert knobs.gate.recommendation_right.at_least > best["headline_right"]["high"]
