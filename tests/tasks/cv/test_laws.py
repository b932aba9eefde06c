"""The CV task keeps what every task owes, and its data files hold together."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from proseform import laws, task
from proseform.case import Case
from proseform.tasks.cv import drawing, judgement, source, synonyms
from proseform.tasks.cv.data import data

CV = task.load("cv")


def test_every_law_holds() -> None:
    laws.check(CV)


def test_gold_cases_are_what_the_generator_writes_now() -> None:
    """cases.jsonl is made, not written: three cases of each level's test split with seed 2026."""
    cases = [case for level in CV.levels for case in source.generate(level, "test", 2026, 3)]
    assert list(CV.gold) == [Case.from_json(case.to_json()) for case in cases]


def test_levels_of_the_task_are_the_levels_that_can_be_drawn() -> None:
    assert list(CV.levels) == list(drawing.LEVELS)


def test_schema_is_rich_and_its_formats_grow() -> None:
    assert len(CV.schema.fields) >= 10
    sizes = [len(fields) for fields in CV.formats.values()]
    assert sizes == sorted(sizes) == [3, 6, len(CV.schema.fields)]


@pytest.mark.parametrize(
    ("name", "skills", "roles"), [("starter", 12, 6), ("junior", 40, 12), ("professional", 100, 8), ("expert", 300, 20)]
)
def test_levels_are_as_wide_as_the_readme_says(name: str, skills: int, roles: int) -> None:
    assert len(set(drawing.skills(name))) >= skills
    assert len(set(drawing.roles(name))) >= roles


def test_words_of_the_data_fit_the_form() -> None:
    """A skill with a comma, a colon, a quote or a level word could not be read back."""
    names = {*drawing.skills("starter"), *drawing.skills("junior"), *drawing.skills("expert")}
    assert all(len(name) <= 40 and not set(name) & set('",:\n') for name in names)
    assert not any(
        word in name.lower().split() for name in names for word in (*judgement.SKILL_LEVELS, "none", "experience", "or")
    )


def test_synonyms_are_those_of_the_words() -> None:
    """synonyms.toml is made, not written."""
    assert dict(data("synonyms")) == synonyms.synonyms()


def test_one_case_of_the_starter_level_reads_as_documented() -> None:
    """The form that small models are trained on, to the letter: a change here is a change of every trained model."""
    case = next(islice(source.generate("starter", "train", 0, 1), 1))
    assert case.id == "starter-train-0-000000"
    assert case.inputs["cv"].split("\n")[2:4] == [
        f"Experience: {case.answer['requirements'][-1]['periods'][0]}",
        "Skills:",
    ]
    assert case.inputs["job"].split("\n")[:2] == [case.answer["role"], "Requires:"]
    assert case.prose.startswith(f"{case.answer['candidate']} for {case.answer['role']}.\nRequires ")
    assert json.loads(case.to_json())["answer"] == case.answer
