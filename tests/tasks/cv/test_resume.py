"""JSON Resume as the text of a CV; anything else is refused, with the field named."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
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
2020-01 to present

Certificates
Spark, Institute

Languages
Igbo, Native speaker

Contact
a@example.org"""


def test_a_resume_becomes_the_text_of_a_cv() -> None:
    assert from_json("cv", RESUME) == TEXT


def test_a_name_is_enough() -> None:
    assert from_json("cv", {"basics": {"name": "Wei Chen"}}) == "Wei Chen"


# Every field of every version of the schema; words in capitals are its own.
FULL: dict[str, Any] = {
    "basics": {
        "name": "Amina Okafor", "label": "LABEL", "image": "no.png", "picture": "no.gif", "email": "EMAIL",
        "phone": "PHONE", "url": "URL", "website": "SITE", "summary": "SUMMARY",
        "location": {
            "address": "STREET", "postalCode": "CODE", "city": "CITY", "countryCode": "COUNTRY", "region": "REGION",
        },
        "profiles": [{"network": "NETWORK", "username": "USER", "url": "PROFILE"}],
    },
    "work": [{
        "name": "FIRM", "company": "FORMER", "location": "PLACE", "description": "TRADE", "position": "POST",
        "url": "FIRM-URL", "website": "FIRM-SITE", "startDate": "2011-01-02", "endDate": "2012-03-04",
        "summary": "DUTY", "highlights": ["DEED"],
    }],
    "volunteer": [{
        "organization": "CLUB", "position": "HELPER", "url": "CLUB-URL", "website": "CLUB-SITE", "startDate": "2001",
        "endDate": "2002-02", "summary": "HELP", "highlights": ["HELPED"],
    }],
    "education": [{
        "institution": "SCHOOL", "url": "SCHOOL-URL", "area": "SUBJECT", "studyType": "DEGREE", "startDate": "2003",
        "endDate": "2004", "score": "SCORE", "gpa": "GPA", "courses": ["COURSE"],
    }],
    "awards": [{"title": "PRIZE", "date": "2005-05-05", "awarder": "JURY", "summary": "PRAISE"}],
    "certificates": [{"name": "CERTIFICATE", "date": "2006-06", "url": "CERT-URL", "issuer": "ISSUER"}],
    "publications": [{
        "name": "BOOK", "publisher": "PRESS", "releaseDate": "2007", "url": "BOOK-URL", "website": "BOOK-SITE",
        "summary": "STORY",
    }],
    "skills": [{"name": "SKILL", "level": "Master", "keywords": ["TOOL"]}, {"name": "CRAFT", "level": "LEVEL"}],
    "languages": [{"language": "TONGUE", "fluency": "FLUENCY"}],
    "interests": [{"name": "INTEREST", "keywords": ["PASTIME"]}],
    "references": [{"name": "REFEREE", "reference": "OPINION"}],
    "projects": [{
        "name": "PROJECT", "description": "AIM", "highlights": ["OUTCOME"], "keywords": ["TOPIC"],
        "startDate": "2008-08-08", "endDate": "2009-09", "url": "PROJECT-URL", "roles": ["ROLE"],
        "entity": "ENTITY", "type": "TYPE",
    }],
    "meta": {"canonical": "no", "version": "no", "lastModified": "no"},
}  # fmt: skip


def test_every_field_of_every_version_has_its_place() -> None:
    """But the picture and what is said of the file; a name of an older version beside its new one stands too."""
    text = from_json("cv", FULL)
    words = {word for leaf in leaves(FULL) for word in leaf.split() if word.isupper()}
    assert len(words) > 60
    assert not {word for word in words if word not in text}
    months = (
        "2011-01 to 2012-03",
        "2001 to 2002-02",
        "2003 to 2004",
        "2005-05",
        "2006-06",
        "2007",
        "2008-08 to 2009-09",
    )
    assert not [month for month in months if month not in text]
    assert not re.search(r"\bno\b", text)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"company": "Fjord", "website": "fjord.example"}, {"name": "Fjord", "url": "fjord.example"}),
        ({"name": "Fjord", "startDate": "2019-03-01T00:00:00.000Z"}, {"name": "Fjord", "startDate": "2019-03"}),
        ({"name": "Fjord", "startDate": 2019, "endDate": "Present"}, {"name": "Fjord", "startDate": "2019"}),
        ({"name": "Fjord", "endDate": "", "highlights": "One deed"}, {"name": "Fjord", "highlights": ["One deed"]}),
    ],
)
def test_older_forms_read_as_the_newer(older: dict[str, Any], newer: dict[str, Any]) -> None:
    texts = [from_json("cv", {"basics": {"name": "Wei Chen"}, "work": [work]}) for work in (older, newer)]
    assert texts[0] == texts[1]
    assert "Fjord" in texts[0]


def test_other_spellings_of_dates_and_lists_are_kept() -> None:
    """People write dates in many ways; a skill may be a word alone."""
    value = {
        "bio": {"firstName": "Wei", "lastName": "Chen"},
        "work": [
            {"position": "Analyst", "startDate": "03/2019", "endDate": "Herbst 2020", "team": {"size": 4, "led": True}}
        ],
        "skills": ["Python", {"name": "SQL", "level": 5}],
        "hobbies": ["Chess", ["Go"]],
    }
    assert from_json("cv", value) == (
        "Wei Chen\n\nExperience\n03/2019 to Herbst 2020, Analyst\nteam: 4, yes\n\nSkills\nPython\n5 SQL\n\n"
        "hobbies\nChess, Go"
    )


def test_nothing_is_cut() -> None:
    """A summary may be as long as a document."""
    summary = " ".join(f"word{number}" for number in range(1_000))
    assert summary in from_json(
        "cv", {"basics": {"name": "Wei Chen", "summary": summary}, "work": [{"summary": summary}]}
    )


def leaves(value: Any) -> Iterator[str]:
    """Every string of a value."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from leaves(one)
    elif isinstance(value, str):
        yield value


REFUSED: list[tuple[Any, str]] = [
    ([], "expected an object, found an array"),
    (None, "expected an object, found null"),
    ("Amina", "expected an object, found a string"),
    ({}, "'basics' is missing"),
    ({"basics": []}, "'basics' is an array, expected an object"),
    ({"basics": {}}, "'basics.name' is missing"),
    ({"basics": {"name": " "}}, "'basics.name' is missing"),
    ({"basics": {"name": True}}, "'basics.name' is a boolean, expected a string"),
    ({**RESUME, "work": {}}, "'work' is an object, expected an array"),
    ({**RESUME, "work": [["Cedar"]]}, r"'work\[0\]' is an array, expected an object"),
    ({**RESUME, "work": [None]}, r"'work\[0\]' is null, expected an object"),
    ({**RESUME, "work": [{"startDate": ["2019"]}]}, r"'work\[0\].startDate' is an array, expected a string"),
    ({**RESUME, "work": [{"highlights": True}]}, r"'work\[0\].highlights' is a boolean, expected an array"),
    ({**RESUME, "work": [{"highlights": ["a", ["b"]]}]}, r"'work\[0\].highlights\[1\]' is an array"),
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


KEYS = st.sampled_from(["basics", "name", "work", "skills", "level", "keywords", "startDate", "other"])
WORDS = st.text("abcé 7", min_size=1, max_size=9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_text_or_a_typed_refusal(value: Any) -> None:
    with contextlib.suppress(DocumentError):
        assert from_json("cv", value)


@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_no_word_is_lost(more: dict[str, Any]) -> None:
    """Whatever stands beside a name is in the text, unless the whole is refused."""
    value = {**more, "basics": {"name": "Wei Chen", "other": more}}
    with contextlib.suppress(DocumentError):
        text = from_json("cv", value)
        assert not [leaf for leaf in leaves(value) if " ".join(leaf.split()) not in text]
