"""Rewards: gold earns everything, nonsense nothing, damage costs, and no trick beats the honest text."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from statistics import mean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proseform import laws, reward, task
from proseform.case import Case
from proseform.checklist import restate
from proseform.tasks.cv import form, judgement, rewards, source, unread

CV = task.load("cv")
RUBRIC = CV.rubric()
CASES = {level: list(source.generate(level, "valid", 21, 60)) for level in CV.levels}
ALL = [case for cases in CASES.values() for case in cases]
TYPICAL = next(
    case
    for case in CASES["starter"]
    if {item["verdict"] for item in case.answer["requirements"]} == {"met", "partly", "missing"}
)


def _reward(text: str, case: Case) -> float:
    return reward.prose(text, case, CV, RUBRIC)


@pytest.mark.parametrize("variant", ["five", "four"])
def test_gold_earns_exactly_one_in_every_variant(variant: str) -> None:
    for case in ALL:
        assert reward.prose(case.prose, case, CV, CV.rubric(variant)) == pytest.approx(1.0, abs=1e-12)
        assert {term(case.prose, case) for term in CV.terms.values()} == {1.0}


def test_gold_quotes_that_a_cv_breaks_over_lines_are_not_invented() -> None:
    """Cases of one's own may quote what a CV breaks; verification folds it."""
    quote = next(text for item in TYPICAL.answer["requirements"] for text in item["quotes"] if " " in text)
    broken = {**TYPICAL.inputs, "cv": TYPICAL.inputs["cv"].replace(quote, quote.replace(" ", "\n"))}
    assert _reward(TYPICAL.prose, replace(TYPICAL, inputs=broken)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "text",
    [*laws.FOREIGN, "Thanks for asking.", '{"score": 50, "recommendation": "consider"}', "\n\n", "Python for SQL."],
)
def test_foreign_text_earns_nothing_in_any_term(text: str) -> None:
    for case in ALL[::10]:
        assert {name: score for name, term in CV.terms.items() if (score := term(text, case))} == {}


@given(st.text(max_size=200), st.sampled_from(ALL))
def test_any_text_scores_within_bounds_and_chance_text_nothing(text: str, case: Case) -> None:
    assert [term(text, case) for term in CV.terms.values()] == [0] * len(CV.terms)


def test_rubric_is_the_one_that_was_decided() -> None:
    assert CV.rubric("five").weights == {
        "accuracy": 0.40,
        "explanation": 0.25,
        "format": 0.15,
        "coverage": 0.15,
        "concision": 0.05,
    }
    assert CV.rubric("four").weights == {"accuracy": 0.40, "explanation": 0.25, "format": 0.15, "coverage": 0.20}
    assert CV.rubric("five").exponents == {"accuracy": 4}


def _read(text: str) -> bool:
    """Whether it is an evaluation of the schema, be it true or not."""
    verdict = form.read(text)
    return verdict.ok and CV.schema.fault(verdict.value) is None


def test_format_is_full_exactly_where_the_reader_and_the_schema_accept() -> None:
    for case in ALL:
        rng = random.Random(case.id)
        for text in (
            case.prose,
            source.annotate(case, rng),
            case.prose.replace("Score: ", "Score: 9"),
            case.prose[:-1],
        ):
            assert (rewards.format(text, case) == 1.0) == _read(text)


def _drop(section: str) -> Callable[[Case], str]:
    return lambda case: form.layout(
        {name: text for name, text in form.sections(case.answer).items() if name != section}
    )


@pytest.mark.parametrize("section", form.SECTIONS)
def test_a_missing_section_costs_coverage_and_format_and_leaves_the_rest_its_worth(section: str) -> None:
    """Without requirements nothing is left but a part of ``format``: the other sections follow from them."""
    for case in ALL[::7]:
        text = _drop(section)(case)
        terms = reward.prose_terms(text, case, CV, RUBRIC)
        assert (0 < terms["coverage"] < 1) == (section != "requirements")
        assert 0 < terms["format"] <= rewards.ATTEMPT
        assert (terms["accuracy"] == 1) == (section in {"header", "strengths", "gaps", "met"})
        assert (terms["accuracy"] == 0) == (section == "requirements")
        assert (terms["explanation"] == 1) == (section == "header")


def test_each_further_missing_section_costs_more() -> None:
    parts = form.sections(TYPICAL.answer)
    scores = []
    for name in ["", "gaps", "strengths", "met", "score", "recommendation", "requirements"]:
        parts.pop(name, None)
        scores.append(_reward(form.layout(parts), TYPICAL))
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)


def test_a_wrong_recommendation_costs_more_than_a_missing_gaps_line() -> None:
    wrong = {
        **TYPICAL.answer,
        "recommendation": "interview" if TYPICAL.answer["recommendation"] != "interview" else "reject",
    }
    assert _reward(form.write(wrong), TYPICAL) < _reward(_drop("gaps")(TYPICAL), TYPICAL) < 0.95


def test_another_candidates_name_costs_coverage() -> None:
    other = form.write({**TYPICAL.answer, "candidate": "Somebody Else"})
    assert rewards.coverage(other, TYPICAL) < 1
    assert rewards.accuracy(other, TYPICAL) == 1


def _quoted(case: Case, quote: Callable[[str], str]) -> str:
    """The case's evaluation with other quotes."""
    requirements = [{**item, "quotes": [*map(quote, item["quotes"])]} for item in case.answer["requirements"]]
    return form.write({**case.answer, "requirements": requirements})


def test_a_quote_that_is_not_in_the_cv_costs_its_verdict_too() -> None:
    terms = reward.prose_terms(_quoted(TYPICAL, lambda _: "advanced everything"), TYPICAL, CV, RUBRIC)
    assert terms["explanation"] < 0.8
    items = TYPICAL.answer["requirements"]
    quoted, there = (sum(bool(item[name]) for item in items) for name in ("quotes", "periods"))
    absent = len(items) - quoted - there
    worth = there + absent * there / (quoted + there)  # only the periods are found, and absence is believed accordingly
    assert terms["accuracy"] == pytest.approx((worth + 2 * worth / len(items)) / (len(items) + 2 + quoted))
    assert terms["coverage"] < 1
    assert terms["format"] == 1


def test_a_longer_quote_that_stands_in_the_cv_is_evidence_too() -> None:
    def longer(case: Case) -> str:
        cv = case.inputs["cv"]
        return _quoted(case, lambda quote: f"with {quote}" if f"with {quote}" in cv else quote)

    case = next(case for case in CASES["expert"] if longer(case) != case.prose)
    assert {term(longer(case), case) for term in CV.terms.values() if term is not rewards.concision} == {1.0}


def test_a_summary_is_held_against_the_evaluations_own_lines() -> None:
    """Wrong lines with the summary that follows from them explain better than wrong lines with the true summary."""
    items = [{**item, "verdict": "met"} for item in TYPICAL.answer["requirements"]]
    consistent = {**TYPICAL.answer, "requirements": items, **judgement.summary(items)}
    stray = {**TYPICAL.answer, "requirements": items}
    assert rewards.explanation(form.write(consistent), TYPICAL) > rewards.explanation(form.write(stray), TYPICAL)


@pytest.mark.parametrize("level", CASES)
def test_judging_unread_earns_less_than_judging_carelessly(level: str) -> None:
    """Who knows the job and the name alone, however the CV turns out, stays far below the careless annotator."""
    rng = random.Random(5)
    careless = mean(_reward(source.annotate(case, rng), case) for case in CASES[level])
    for index in (0, 1):
        assert mean(_reward(source.unread(case)[index], case) for case in CASES[level]) < 0.4 * careless


Rows = list[dict[str, Any]]


def _evaluation(case: Case, rows: Rows) -> str:
    """An evaluation of these requirement lines, with the summary that follows from them."""
    head = {name: case.answer[name] for name in ("candidate", "role", "as_of")}
    return form.write({**head, "requirements": rows, **judgement.summary(rows)})


def _absent(item: dict[str, Any], verdict: str = "") -> dict[str, Any]:
    row = unread._row(item, shown=False)
    return {**row, "verdict": verdict or row["verdict"]}


def _as_asked(item: dict[str, Any], verdict: str = "met") -> dict[str, Any]:
    """The job's words in the place of the CV's."""
    return {**unread._row(item, shown=True), "verdict": verdict}


def _looked_up(item: dict[str, Any], case: Case) -> dict[str, Any]:
    """The thing's name alone, where it stands anywhere in the CV."""
    names = [name for name in item.get("subject", "").split(" or ") if name and name in case.inputs["cv"]]
    return {**item, "quotes": names[:1], "periods": [], "months": 0, "verdict": "met"} if names else _absent(item)


UNREAD: dict[str, Callable[[Rows, Case], Rows]] = {
    "nothing is found": lambda rows, _: [_absent(item) for item in rows],
    "nothing is found, all the same met": lambda rows, _: [_absent(item, "met") for item in rows],
    "nothing is found, which is unclear": lambda rows, _: [_absent(item, "unclear") for item in rows],
    "as asked": lambda rows, _: [_as_asked(item) for item in rows],
    "as asked, and partly": lambda rows, _: [_as_asked(item, "partly") for item in rows],
    "as asked, and missing": lambda rows, _: [_as_asked(item, "missing") for item in rows],
    "every second as asked": lambda rows, _: [(_absent, _as_asked)[at % 2](item) for at, item in enumerate(rows)],
    "the name of each thing": lambda rows, case: [_looked_up(item, case) for item in rows],
    "the candidate's name as the evidence": lambda rows, case: [
        {**_absent(item, "met"), "quotes": [] if item["kind"] == "experience" else [case.answer["candidate"]]}
        for item in rows
    ],
    "half of the lines, and nothing found": lambda rows, _: [_absent(item) for item in rows[::2]],
    "one line is read": lambda rows, _: [rows[0], *map(_absent, rows[1:])],
}


@pytest.mark.parametrize("way", UNREAD)
@pytest.mark.parametrize("level", CASES)
def test_judging_unread_earns_less_than_half_right(level: str, way: str) -> None:
    """Evaluations in full form, true to themselves, that leave the work undone, against honest mediocrity."""
    cases = CASES[level]
    earned = mean(_reward(_evaluation(case, UNREAD[way](case.answer["requirements"], case)), case) for case in cases)
    assert earned < mean(_mediocrity(level))


@cache
def _mediocrity(level: str) -> list[float]:
    """What the gold text of which every second statement is wrong earns."""

    def reads(case: Case) -> Callable[[str], Any]:
        return lambda text: CV.read(text, case.inputs).value

    cases = CASES[level]
    pool = restate.values(reads(case)(case.prose) for case in cases)
    return [_reward(restate.half_right(case.prose, reads(case), pool), case) for case in cases]


def _lines(case: Case) -> list[str]:
    return case.prose.split("\n")


def _swap(case: Case, start: str, line: str) -> str:
    return "\n".join(line if text.startswith(start) else text for text in _lines(case))


def _everything(case: Case) -> str:
    return ", ".join(form.key(item)[1] for item in case.answer["requirements"])


HACKS: dict[str, Callable[[Case], str]] = {
    "every line twice": lambda case: "\n".join(line for line in _lines(case) for _ in (0, 1)),
    "the whole text twice": lambda case: f"{case.prose}\n{case.prose}",
    "all three recommendations": lambda case: (
        f"{case.prose} Recommendation: reject. Recommendation: consider. Recommendation: interview."
    ),
    "all three recommendations, a line each": lambda case: (
        case.prose + "".join(f"\nRecommendation: {r}." for r in ("reject", "consider", "interview"))
    ),
    "every score": lambda case: "\n".join([case.prose, *(f"Score: {points}." for points in range(0, 101, 5))]),
    "every verdict for every skill": lambda case: "\n".join(
        [
            _lines(case)[0],
            *(f"{line.rsplit(', ', 1)[0]}, {v}." for line in _lines(case)[1:-3] for v in ("met", "partly", "missing")),
            *_lines(case)[-3:],
        ]
    ),
    "everything is a strength": lambda case: _swap(case, "Strengths", f"Strengths: {_everything(case)}."),
    "everything is a strength and a gap": lambda case: _swap(case, "Gaps", f"Gaps: {_everything(case)}.").replace(
        "Strengths: ", f"Strengths: {_everything(case)}, "
    ),
    "two lists of gaps": lambda case: f"{case.prose}\nGaps: none.",
    "two candidates": lambda case: f"Somebody Else for {case.answer['role']}.\n{case.prose}",
    "requirements that the job does not have": lambda case: case.prose.replace(
        "\n", '\nRequires basic skill Charm: "advanced Charm", met.\n', 1
    ),
    "the whole CV as evidence": lambda case: case.inputs["cv"] + "\n" + case.prose,
    "talk before": lambda case: f"Certainly! Here is my careful evaluation of this candidate.\n{case.prose}",
    "talk behind": lambda case: f"{case.prose}\nPlease let me know whether you would like anything else.",
    "only the last line": lambda case: _lines(case)[-1],
    "only the evidence": lambda case: "\n".join(_lines(case)[1:-3]),
    "only one requirement": lambda case: "\n".join([*_lines(case)[:2], *_lines(case)[-4:]]),
    "no evidence for anything": lambda case: source.unread(case)[0],
    "everything is met": lambda case: source.unread(case)[1],
    "padding": lambda case: case.prose + "\nGood." * 40,
    "blank sections": lambda case: (
        f"{_lines(case)[0]}\nStrengths: none.\nGaps: none.\nScore: 50. Recommendation: consider."
    ),
    "JSON instead": lambda case: str(case.answer),
}


@pytest.mark.parametrize("hack", HACKS)
def test_no_hack_beats_the_honest_text(hack: str) -> None:
    """Each falls short of 1 on every case where it differs from gold."""
    for case in ALL:
        text = HACKS[hack](case)
        if text != case.prose:
            assert _reward(text, case) < 1 - 1e-3


@pytest.mark.parametrize("level", CASES)
@pytest.mark.parametrize("hack", HACKS)
def test_a_hack_costs_enough_to_be_unlearned(hack: str, level: str) -> None:
    """On the mean of a level it loses at least a twentieth of the reward, which is above the noise of a group."""
    pairs = [(HACKS[hack](case), case) for case in CASES[level]]
    scores = [_reward(text, case) for text, case in pairs if text != case.prose]
    assert mean(scores) < 0.95


LINES = st.lists(st.sampled_from(TYPICAL.prose.split("\n") + CASES["starter"][1].prose.split("\n")), max_size=16)


@settings(max_examples=300)
@given(LINES)
def test_no_arrangement_of_lines_earns_more_than_gold(lines: list[str]) -> None:
    """Any shuffle of this case's lines with another's, doubled or left out, stays in bounds.

    Full marks are for the gold text.
    """
    text = "\n".join(lines)
    score = _reward(text, TYPICAL)
    assert 0 <= score <= 1
    assert score < 1 or text == TYPICAL.prose


def test_careless_annotations_earn_clearly_less_than_gold() -> None:
    """The room that GRPO has: what it enforces is worth a fifth of the reward."""
    rng = random.Random(3)
    cases = list(source.generate("starter", "valid", 31, 500))
    scores = [_reward(source.annotate(case, rng), case) for case in cases]
    assert 0.7 < mean(scores) < 0.9
