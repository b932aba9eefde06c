"""JSON Resume as the text of a CV; anything else is refused, with the field named."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.errors import DocumentError
from proseform.tasks.cv.source import from_json

RESUME: dict[str, Any] = {
    "$schema": "https://raw.githubusercontent.com/jsonresume/resume-schema/v1.0.0/schema.json",
    "basics": {
        "name": "Amina Okafor",
        "label": "Data Engineer",
        "email": "a@example.org",
        "image": "a.png",
        "summary": "Builds\n pipelines.",
    },
    "work": [
        {
            "name": "Cedar Systems",
            "position": "Data Engineer",
            "startDate": "2019-03-01",
            "highlights": ["Moved to Kafka"],
        },
        {
            "name": "Baobab Works",
            "position": "Analyst",
            "startDate": "2017",
            "endDate": "2019-02",
            "summary": "Reports.",
        },
    ],
    "education": [
        {
            "institution": "City College",
            "area": "Physics",
            "studyType": "BSc",
            "startDate": "2013-09-01",
            "endDate": "2016-06-30",
        }
    ],
    "skills": [
        {"name": "Python", "level": "Master"},
        {"name": "Databases", "level": "Beginner", "keywords": ["SQL", "Redis"]},
        {"name": "Git"},
    ],
    "projects": [{"name": "Atlas", "description": "A map", "startDate": "2020-01-01"}],
    "certificates": [{"name": "Spark", "issuer": "Institute"}],
    "languages": [{"language": "Igbo", "fluency": "Native speaker"}],
}
TEXT = """\
Amina Okafor
Data Engineer

Builds pipelines.

Experience
2019-03 to present, Data Engineer, Cedar Systems
Moved to Kafka
2017 to 2019-02, Analyst, Baobab Works
Reports.

Skills
advanced Python
basic Databases
basic SQL
basic Redis
Git

Education
2013-09 to 2016-06, BSc, Physics, City College

Projects
Atlas, A map

Certificates
Spark, Institute"""


def test_a_resume_becomes_the_text_of_a_cv() -> None:
    assert from_json("cv", RESUME) == TEXT


def test_a_name_is_enough() -> None:
    assert from_json("cv", {"basics": {"name": "Wei Chen"}}) == "Wei Chen"


def test_pictures_and_addresses_do_not_reach_the_judge() -> None:
    assert not {word for word in ("a.png", "a@example.org", "Native") if word in from_json("cv", RESUME)}


REFUSED: list[tuple[Any, str]] = [
    ([], "expected an object, found an array"),
    (None, "expected an object, found null"),
    ("Amina", "expected an object, found a string"),
    ({}, "'basics' is missing"),
    ({"basics": []}, "'basics' is an array, expected an object"),
    ({"basics": {}}, "'basics.name' is missing"),
    ({"basics": {"name": " "}}, "'basics.name' is missing"),
    ({"basics": {"name": 7}}, "'basics.name' is a number, expected a string"),
    ({**RESUME, "work": {}}, "'work' is an object, expected an array"),
    ({**RESUME, "work": ["Cedar"]}, r"'work\[0\]' is a string, expected an object"),
    ({**RESUME, "work": [None]}, r"'work\[0\]' is null, expected an object"),
    ({**RESUME, "work": [{"startDate": "March 2019"}]}, r"'work\[0\].startDate' is 'March 2019', expected YYYY"),
    ({**RESUME, "work": [{"startDate": "2019-13"}]}, r"'work\[0\].startDate' is '2019-13'"),
    ({**RESUME, "work": [{"highlights": "many"}]}, r"'work\[0\].highlights' is a string, expected an array"),
    ({**RESUME, "work": [{"highlights": ["a", 1]}]}, r"'work\[0\].highlights\[1\]' is a number"),
    ({**RESUME, "skills": [{"name": "Go", "level": 5}]}, r"'skills\[0\].level' is a number"),
    ({**RESUME, "skills": [{}, {"keywords": {}}]}, r"'skills\[1\].keywords' is an object"),
    ({**RESUME, "awards": "none"}, "'awards' is a string"),
]


@pytest.mark.parametrize(("value", "message"), REFUSED)
def test_what_is_no_resume_is_refused_with_the_field(value: Any, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        from_json("cv", value)


def test_a_job_is_not_read_from_json() -> None:
    with pytest.raises(DocumentError, match="'job' is not read from JSON"):
        from_json("job", RESUME)


KEYS = st.sampled_from(["basics", "name", "work", "skills", "level", "keywords", "startDate"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_text_or_a_typed_refusal(value: Any) -> None:
    with contextlib.suppress(DocumentError):
        assert from_json("cv", value)
