"""Generated cases: exact, disjoint, reproducible; and how careless the careless annotator is."""

from __future__ import annotations

import functools
import random
import re
from itertools import islice

import pytest

from proseform import task
from proseform.case import SPLITS, Case
from proseform.claims.dates import covered
from proseform.errors import InputError
from proseform.tasks.cv import career, drawing, form, source

CV = task.load("cv")
MONTHS = {
    name: index
    for index, name in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"])
}


@functools.cache
def cases(level: str) -> list[Case]:
    """A thousand cases; not made while tests are collected, which every worker does."""
    return list(source.generate(level, "train", 5, 1000))


def _month(text: str) -> int:
    """A month read back from a CV's words."""
    if match := re.fullmatch(r"(\d{4})-(\d\d)", text):
        return 12 * int(match[1]) + int(match[2]) - 1
    if match := re.fullmatch(r"(\d\d)/(\d{4})", text):
        return 12 * int(match[2]) + int(match[1]) - 1
    name, year = text.split()
    return 12 * int(year) + MONTHS[name]


def _months_in(case: Case) -> int:
    """The months that the CV's own text shows, as a set of months."""
    cv = case.inputs["cv"]
    if stated := re.search(r"^Experience: (\d+) years?$", cv, re.MULTILINE):
        return 12 * int(stated[1])
    updated = re.search(r"^Updated (.+)$", cv, re.MULTILINE)
    worked: set[int] = set()
    for period in case.answer["periods"]:
        assert period in cv
        first, last = period.split(" to ")
        end = _month(updated[1]) if last == "present" and updated else _month(last)
        worked |= set(range(_month(first), end + 1))
    return len(worked)


@pytest.mark.parametrize("level", CV.levels)
def test_answers_follow_from_the_texts(level: str) -> None:
    """Months, verdicts, counts, score and recommendation are recomputed from CV and job as they are written."""
    for case in cases(level):
        answer, cv, job = case.answer, case.inputs["cv"], case.inputs["job"]
        months = _months_in(case)
        experience = answer["experience"]
        assert 12 * experience["years"] + experience["months"] == months == case.facts["months"]
        assert f"{experience['required_years']} year" in job
        enough = "missing" if not months else "met" if months >= 12 * experience["required_years"] else "below"
        assert experience["verdict"] == enough
        points = {"required": [0, 0], "preferred": [0, 0]}
        points["required"][0] += enough == "met"
        points["required"][1] += 1
        for item in answer["requirements"]:
            assert f"{item['needed']} {item['skill']}" in job
            ranks = ["none", *form.SKILL_LEVELS]
            met = ranks.index(item["found"]) >= ranks.index(item["needed"])
            assert item["verdict"] == ("met" if met else "below" if item["quote"] else "missing")
            assert item["quote"] in cv
            assert (item["found"] in item["quote"]) == bool(item["quote"])
            points[item["importance"]][0] += met
            points[item["importance"]][1] += 1
            assert (item["skill"] in answer["strengths"]) == met != (item["skill"] in answer["gaps"])
        got, most = (2 * points["required"][side] + points["preferred"][side] for side in (0, 1))
        assert abs(answer["score"] - 100 * got / most) <= 0.5
        limits = (answer["score"] >= 50) + (answer["score"] >= 75)
        assert answer["recommendation"] == ("reject", "consider", "interview")[limits]


@pytest.mark.parametrize("level", ["starter", "junior"])
def test_what_is_missing_is_nowhere_in_an_easy_cv(level: str) -> None:
    for case in cases(level):
        lines = {line.split(" ", 1)[1] for line in case.inputs["cv"].split("\n")[4:]}
        for item in case.answer["requirements"]:
            assert (item["skill"] in lines) == (item["verdict"] != "missing")


def test_hard_cvs_mention_skills_that_they_do_not_show() -> None:
    """Hearsay is the trap of the hard levels: the CV has it, often of a missing skill, and it is never the evidence."""
    trapped = 0
    for case in cases("expert"):
        for sentence in case.facts["hearsay"]:
            assert sentence in case.inputs["cv"]
            for item in case.answer["requirements"]:
                assert not item["quote"] or item["quote"] not in sentence
                trapped += item["verdict"] == "missing" and item["skill"] in sentence
    assert trapped > 300


def test_expert_lives_have_gaps_overlaps_presents_and_none_at_all() -> None:
    lives = [[tuple(period) for period in case.facts["periods"]] for case in cases("expert")]
    sums = [(sum(last - first + 1 for first, last in life), covered(life), life) for life in lives]
    assert sum(total > distinct for total, distinct, _ in sums) > 100, "overlaps"
    assert (
        sum(
            bool(life) and max(p[1] for p in life) - min(p[0] for p in life) + 1 > distinct
            for _, distinct, life in sums
        )
        > 100
    ), "gaps"
    assert sum(not life for life in lives) > 10, "no work"
    assert sum("to present" in case.inputs["cv"] for case in cases("expert")) > 100
    for sign in ("\n- ", "\n\nSkills", ". "):
        assert sum(sign in case.inputs["cv"] for case in cases("expert")) > 100, "bullets, sections, paragraphs"


@pytest.mark.parametrize("level", CV.levels)
def test_splits_share_no_person_and_no_job(level: str) -> None:
    """Three thousand cases, two seeds: disjointness does not depend on the seed."""
    seen: dict[str, str] = {}
    for split in SPLITS:
        for seed in (0, 1):
            for case in source.generate(level, split, seed, 500):
                assert len(case.groups) == 2
                for group in case.groups:
                    assert seen.setdefault(group, split) == split


def test_splits_are_disjoint_across_levels_too() -> None:
    seen: dict[str, str] = {}
    for level in CV.levels:
        for split in SPLITS:
            for case in source.generate(level, split, 3, 300):
                person = f"{case.answer['candidate']}"
                assert seen.setdefault(person, split) == split


PINNED = {"Amina Okafor": "train", "Ingrid Cohen": "train", "Omar Haddad": "test", "Jan Novak": "valid"}


def test_a_split_does_not_depend_on_the_salted_hash() -> None:
    """Fixed values: another process must agree."""
    assert [drawing.split_of(f"person:{name}") for name in PINNED] == list(PINNED.values())


def test_more_cases_begin_with_the_same_ones_and_come_lazily() -> None:
    assert list(source.generate("junior", "test", 4, 5)) == list(islice(source.generate("junior", "test", 4, 10**9), 5))


def test_seeds_and_levels_differ() -> None:
    firsts = {
        next(source.generate(level, split, seed, 1)).prose for level in CV.levels for split in SPLITS for seed in (0, 1)
    }
    assert len(firsts) == 4 * 3 * 2


def test_an_unknown_level_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="no level 'senior'; there are: starter, junior"):
        next(source.generate("senior", "train", 0, 1))


def test_recommendations_are_balanced_enough_to_be_learned() -> None:
    for level in CV.levels:
        for recommendation in ("reject", "consider", "interview"):
            assert sum(case.answer["recommendation"] == recommendation for case in cases(level)) > 200, level


@pytest.mark.parametrize("level", CV.levels)
def test_careless_annotators_are_as_careless_as_documented(level: str) -> None:
    """Rates over a thousand annotations, with room for chance."""
    rng = random.Random(7)
    pairs = [(case, source.annotate(case, rng)) for case in cases(level)]
    scans = [form.scan(text) for _, text in pairs]
    left_out = {name: sum(not scan.claims[name] for scan in scans) / len(scans) for name in form.SECTIONS}
    assert {name for name, share in left_out.items() if share} == set(source.LEFT_OUT)
    for name, rate in source.LEFT_OUT.items():
        assert abs(left_out[name] - rate) < 0.05, name
    assert left_out["gaps"] > 0.5
    assert sum(any(not scan.claims[name] for name in form.SECTIONS) for scan in scans) / len(scans) >= 0.55
    stated = [scan.only("recommendation") for scan in scans]
    gold = [case.answer["recommendation"] for case, _ in pairs]
    wrong = sum(one != other for one, other in zip(stated, gold, strict=True)) / len(pairs)
    assert abs(wrong - source.RANDOM_RECOMMENDATION * 2 / 3) < 0.05
    assert not any(scan.strange for scan in scans), "still recognisably the form"


def test_careless_evidence_is_mostly_right() -> None:
    rng = random.Random(8)
    total = right = 0
    for case in cases("starter"):
        for claim, truth in zip(
            form.scan(source.annotate(case, rng)).claims["requirements"], case.answer["requirements"], strict=True
        ):
            total, right = total + 1, right + (claim == truth)
    assert 0.97 < right / total < 1


def test_annotations_come_from_the_given_chance_alone() -> None:
    case = cases("starter")[0]
    assert [source.annotate(case, random.Random(1)) for _ in range(2)] == [source.annotate(case, random.Random(1))] * 2


@pytest.mark.parametrize("months", [1, 3, 4, 17, 60, 200])
def test_a_smooth_career_has_exactly_the_months_asked_for(months: int) -> None:
    for seed in range(50):
        life = career.draw(random.Random(seed), months, rugged=False)
        assert covered(life.periods) == months
        assert len(life.words) == len(life.periods) <= 4
