"""JSON Resume 1.2 (https://jsonresume.org/schema) as the text of a CV, in the dated form that the higher levels use.

Knowingly left out: pictures, addresses, links, and everything that no judgement may rest on. The file's own words are
kept; only levels are mapped to basic, intermediate and advanced, and dates are cut to the month.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from proseform.errors import DocumentError

_SECTIONS = (
    "work", "volunteer", "education", "awards", "certificates", "publications",
    "skills", "languages", "interests", "references", "projects",
)  # fmt: skip
_DATE = re.compile(r"([12][0-9]{3})(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?")
_LEVELS = {
    "basic": ("basic", "beginner", "novice", "elementary", "foundation", "junior", "entry"),
    "intermediate": ("intermediate", "competent", "proficient", "medium", "working"),
    "advanced": ("advanced", "expert", "master", "senior", "fluent", "professional", "strong"),
}
_LONGEST = 300
"""Characters that are kept of one field."""
_KINDS = {
    type(None): "null", bool: "a boolean", int: "a number", float: "a number",
    str: "a string", list: "an array", dict: "an object",
}  # fmt: skip


def from_json(input_name: str, value: Any) -> str:
    """The text of a CV that was given as JSON Resume.

    Args:
        input_name: ``cv``; nothing else is read from JSON.
        value: The parsed JSON.

    Raises:
        DocumentError: Not JSON Resume; the field is named.
    """
    if input_name != "cv":
        raise DocumentError(
            f"The input '{input_name}' is not read from JSON.",
            hint="Give it as Markdown or plain text; a CV may be JSON Resume 1.2.",
        )
    if not isinstance(value, Mapping):
        raise DocumentError(
            f"JSON Resume: expected an object, found {_kind(value)}.", hint="See https://jsonresume.org/schema."
        )
    if "basics" not in value:
        raise DocumentError("JSON Resume: field 'basics' is missing.", hint="See https://jsonresume.org/schema.")
    basics = _object(value["basics"], "basics")
    name = _text(basics, "name", "basics")
    if not name:
        raise DocumentError("JSON Resume: field 'basics.name' is missing.", hint="An evaluation names its candidate.")
    for section in _SECTIONS:
        _rows(value, section)
    parts = [[name, *filter(None, (_text(basics, "label", "basics"),))]]
    if summary := _text(basics, "summary", "basics"):
        parts.append([summary])
    for title, section, lines in _WRITERS:
        written = [
            line for index, row in enumerate(_rows(value, section)) for line in lines(row, f"{section}[{index}]")
        ]
        if written:
            parts.append([title, *written])
    return "\n\n".join("\n".join(part) for part in parts)


def _work(row: Mapping[str, Any], where: str) -> Iterator[str]:
    """Period, position and employer; then what was done."""
    yield ", ".join(filter(None, (_period(row, where), _text(row, "position", where), _text(row, "name", where))))
    if summary := _text(row, "summary", where):
        yield summary
    yield from _texts(row, "highlights", where)


def _project(row: Mapping[str, Any], where: str) -> Iterator[str]:
    """Projects are written without their dates: they are not counted as work."""
    yield ", ".join(filter(None, (_text(row, "name", where), _text(row, "description", where))))
    yield from _texts(row, "highlights", where)


def _education(row: Mapping[str, Any], where: str) -> Iterator[str]:
    """Period, degree, subject and school."""
    yield ", ".join(
        filter(None, (_period(row, where), *(_text(row, key, where) for key in ("studyType", "area", "institution"))))
    )


def _skill(row: Mapping[str, Any], where: str) -> Iterator[str]:
    """One line for the skill and one for each keyword, with the level before it where it is known."""
    stated = _text(row, "level", where)
    level = next(
        (
            ours
            for ours, words in _LEVELS.items()
            if any(word in words for word in re.findall("[a-z]+", stated.lower()))
        ),
        stated,
    )
    names = [_text(row, "name", where), *_texts(row, "keywords", where)]
    yield from (f"{level} {name}".strip() for name in names if name)


def _certificate(row: Mapping[str, Any], where: str) -> Iterator[str]:
    """Name and issuer."""
    yield ", ".join(filter(None, (_text(row, "name", where), _text(row, "issuer", where))))


_WRITERS: tuple[tuple[str, str, Callable[[Mapping[str, Any], str], Iterator[str]]], ...] = (
    ("Experience", "work", _work),
    ("Skills", "skills", _skill),
    ("Education", "education", _education),
    ("Projects", "projects", _project),
    ("Certificates", "certificates", _certificate),
)


def _period(row: Mapping[str, Any], where: str) -> str:
    """``2015-03 to 2018-02``, or the one end that is given."""
    start, end = (_month(row, key, where) for key in ("startDate", "endDate"))
    if not start:
        return end
    return f"{start} to {end or 'present'}"


def _month(row: Mapping[str, Any], key: str, where: str) -> str:
    """A date of the schema, cut to the month."""
    stated = _text(row, key, where)
    match = _DATE.fullmatch(stated)
    if stated and not match:
        raise DocumentError(
            f"JSON Resume: field '{where}.{key}' is '{stated[:40]}', expected YYYY-MM-DD, YYYY-MM or YYYY."
        )
    return stated[:7]


def _object(value: Any, where: str) -> Mapping[str, Any]:
    """An object, or the error."""
    if not isinstance(value, Mapping):
        raise DocumentError(f"JSON Resume: field '{where}' is {_kind(value)}, expected an object.")
    return value


def _rows(value: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    """The rows of a section, none where it is absent."""
    rows = value.get(section)
    if rows is None:
        return []
    if not isinstance(rows, list):
        raise DocumentError(f"JSON Resume: field '{section}' is {_kind(rows)}, expected an array.")
    return [_object(row, f"{section}[{index}]") for index, row in enumerate(rows)]


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    """A text field on one line; empty where it is absent."""
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DocumentError(f"JSON Resume: field '{where}.{key}' is {_kind(value)}, expected a string.")
    return " ".join(value.split())[:_LONGEST]


def _texts(row: Mapping[str, Any], key: str, where: str) -> list[str]:
    """A list of texts; none where it is absent."""
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise DocumentError(f"JSON Resume: field '{where}.{key}' is {_kind(value)}, expected an array.")
    return [
        text for index, item in enumerate(value) if (text := _text({f"{key}[{index}]": item}, f"{key}[{index}]", where))
    ]


def _kind(value: Any) -> str:
    """A JSON type in words."""
    return _KINDS.get(type(value), "no JSON")
