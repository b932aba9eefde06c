"""JSON Resume (https://jsonresume.org/schema, to 1.2) as the text of a CV, in the dated form of the higher levels.

Every field has its place; one that no version of the schema knows stands behind its row under its own name. The file's
words are kept whole; only levels of skills are mapped to basic, intermediate and advanced, and dates are cut to the
month. A date that is written otherwise stays as it is.

Knowingly left out: pictures, and what is said of the file itself (``meta``, ``$schema``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from proseform.errors import DocumentError

_ISO = re.compile(r"([12][0-9]{3}(?:-(?:0[1-9]|1[0-2]))?)(?:-[0-3][0-9](?:T.*)?)?")
_PRESENT = frozenset({"present", "current", "currently", "now", "today", "ongoing"})
_LEVELS = {
    "basic": ("basic", "beginner", "novice", "elementary", "foundation", "junior", "entry"),
    "intermediate": ("intermediate", "competent", "proficient", "medium", "working"),
    "advanced": ("advanced", "expert", "master", "senior", "fluent", "professional", "strong"),
}
_KINDS = {
    type(None): "null", bool: "a boolean", int: "a number", float: "a number",
    str: "a string", list: "an array", dict: "an object",
}  # fmt: skip
_OF_THE_FILE = frozenset({"$schema", "meta"})
_SEE = "See https://jsonresume.org/schema."


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
            hint="Give it as Markdown or plain text; a CV may be JSON Resume.",
        )
    if not isinstance(value, Mapping):
        raise DocumentError(f"JSON Resume: expected an object, found {_kind(value)}.", hint=_SEE)
    key = next((key for key in ("basics", "bio") if key in value), "")
    if not key:
        raise DocumentError("JSON Resume: field 'basics' is missing.", hint=_SEE)
    basics = _Row.of(value[key], key)
    name = basics.text("name") or " ".join(filter(None, (basics.text("firstName"), basics.text("lastName"))))
    if not name:
        raise DocumentError("JSON Resume: field 'basics.name' is missing.", hint="An evaluation names its candidate.")
    parts = [[name, *_given(basics.text("label"))], _given(basics.text("summary", "bio"))]
    known = {key, *_OF_THE_FILE}
    for title, names, lines in _WRITERS:
        section = next((one for one in names if value.get(one) is not None), names[0])
        known.add(section)
        written = [line for row in _rows(value, section) for line in (*lines(row), *row.rest()) if line]
        parts.append([title, *written] if written else [])
    contact = [line for line in (*_contact(basics), *basics.rest()) if line]
    parts.append(["Contact", *contact] if contact else [])
    parts += [[title, text] for title, one in value.items() if title not in known and (text := _flat(one))]
    return "\n\n".join("\n".join(part) for part in parts if part)


class _Row:
    """An object of the file, and which of its fields have not been asked for.

    Args:
        value: The object.
        where: Its path, for messages.
    """

    def __init__(self, value: Mapping[str, Any], where: str) -> None:
        self._value, self._where = value, where
        self._left = dict.fromkeys(value)

    @classmethod
    def of(cls, value: Any, where: str) -> _Row:
        """An object; a string alone is its name.

        Raises:
            DocumentError: It is neither.
        """
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, Mapping):
            raise DocumentError(f"JSON Resume: field '{where}' is {_kind(value)}, expected an object.", hint=_SEE)
        return cls(value, where)

    def text(self, *keys: str) -> str:
        """The first of some fields that is given, on one line; empty where none is.

        Raises:
            DocumentError: It is neither a string nor a number.
        """
        for key in keys:
            value = self._value.get(key)
            text = self._line(value, key)
            if value is None or text:
                self._left.pop(key, None)
            if text:
                return text
        return ""

    def texts(self, *keys: str) -> list[str]:
        """The texts of the first of some lists that is given; a string alone is a list of one.

        Raises:
            DocumentError: It is neither, or holds something else than strings and numbers.
        """
        for key in keys:
            value = self._value.get(key)
            if value is not None:
                self._left.pop(key, None)
                if isinstance(value, Mapping | bool):
                    raise self._error(key, value, "an array")
                items = value if isinstance(value, list) else [value]
                return _given(*(self._line(item, f"{key}[{index}]") for index, item in enumerate(items)))
        return []

    def flat(self, *keys: str) -> str:
        """Fields that may be objects, with what they hold on one line."""
        given = [key for key in keys if key in self._left]
        for key in given:
            del self._left[key]
        return ", ".join(_given(*(_flat(self._value[key]) for key in given)))

    def period(self) -> str:
        """``2015-03 to 2018-02``, or the one end that is given."""
        start, end = _month(self.text("startDate")), _month(self.text("endDate"))
        return f"{start} to {end or 'present'}" if start else end

    def rest(self) -> Iterator[str]:
        """The fields that were not asked for, each under its own name."""
        for key in self._left:
            if text := _flat(self._value[key]):
                yield f"{key}: {text}"
        self._left = {}

    def _line(self, value: Any, key: str) -> str:
        """A string or a number on one line."""
        if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
            raise self._error(key, value, "a string")
        return "" if value is None else " ".join(str(value).split())

    def _error(self, key: str, value: Any, expected: str) -> DocumentError:
        """The error for a field of another type."""
        field = f"{self._where}.{key}"
        return DocumentError(f"JSON Resume: field '{field}' is {_kind(value)}, expected {expected}.", hint=_SEE)


def _work(row: _Row) -> Iterator[str]:
    """Period, position and employer; what that is; then what was done."""
    yield ", ".join(_given(row.period(), row.text("position"), row.text("name", "company", "organization")))
    yield row.flat("description", "location", "url", "website")
    yield row.text("summary")
    yield from row.texts("highlights")
    yield ", ".join(row.texts("keywords"))


def _project(row: _Row) -> Iterator[str]:
    """A project's dates come last in its details: it is not counted as work."""
    yield ", ".join(_given(row.text("name"), row.text("description", "summary")))
    yield from row.texts("highlights")
    told = (*row.texts("roles"), *row.texts("keywords"), row.flat("entity", "type", "url", "website"), row.period())
    yield ", ".join(_given(*told))


def _education(row: _Row) -> Iterator[str]:
    """Period, degree, subject and school; grade and courses."""
    yield ", ".join(_given(row.period(), *(row.text(key) for key in ("studyType", "area", "institution"))))
    score = row.text("score", "gpa")
    yield f"Grade: {score}" if score else ""
    yield from row.texts("courses")
    yield row.flat("location", "url", "website")
    yield row.text("summary")


def _skill(row: _Row) -> Iterator[str]:
    """One line for the skill and one for each keyword, with the level before it where it is known."""
    stated = row.text("level")
    words = re.findall("[a-z]+", stated.lower())
    level = next((ours for ours, theirs in _LEVELS.items() if any(word in theirs for word in words)), stated)
    names = _given(row.text("name"), *row.texts("keywords"))
    yield from (f"{level} {name}".strip() for name in names or [""])


def _certificate(row: _Row) -> Iterator[str]:
    """Name, issuer and date."""
    yield ", ".join(_given(row.text("name", "title"), row.text("issuer", "authority"), _month(row.text("date"))))
    yield row.flat("url", "website")


def _language(row: _Row) -> Iterator[str]:
    """Language and how well it is spoken."""
    yield ", ".join(_given(row.text("language", "name"), row.text("fluency", "level")))


def _award(row: _Row) -> Iterator[str]:
    """Date, title and who gave it; what for."""
    yield ", ".join(_given(_month(row.text("date")), row.text("title", "name"), row.text("awarder", "issuer")))
    yield row.flat("url", "website")
    yield row.text("summary")


def _publication(row: _Row) -> Iterator[str]:
    """Date, title and publisher; what it is about."""
    date = _month(row.text("releaseDate", "date"))
    yield ", ".join(_given(date, row.text("name", "title"), row.text("publisher", "publication")))
    yield row.flat("url", "website")
    yield row.text("summary")


def _interest(row: _Row) -> Iterator[str]:
    """An interest and what of it."""
    yield ": ".join(_given(row.text("name"), ", ".join(row.texts("keywords"))))


def _reference(row: _Row) -> Iterator[str]:
    """Who says what."""
    yield ": ".join(_given(row.text("name"), row.text("reference")))


def _contact(basics: _Row) -> Iterator[str]:
    """Addresses and profiles; the picture is none of the text."""
    basics.flat("image", "picture")
    yield basics.flat("email", "phone")
    yield basics.flat("url", "website")
    yield basics.flat("location")
    yield basics.flat("profiles")


_WRITERS: tuple[tuple[str, tuple[str, ...], Callable[[_Row], Iterator[str]]], ...] = (
    ("Experience", ("work",), _work),
    ("Skills", ("skills",), _skill),
    ("Education", ("education",), _education),
    ("Projects", ("projects",), _project),
    ("Certificates", ("certificates", "certifications"), _certificate),
    ("Languages", ("languages",), _language),
    ("Volunteering", ("volunteer",), _work),
    ("Awards", ("awards",), _award),
    ("Publications", ("publications",), _publication),
    ("Interests", ("interests",), _interest),
    ("References", ("references",), _reference),
)
"""Sections in their order: title, names in the file, and what writes a row."""


def _given(*texts: str) -> list[str]:
    """Those texts that are not empty."""
    return [text for text in texts if text]


def _month(stated: str) -> str:
    """A date of the schema, cut to the month; ``present`` for now; any other as it is written."""
    match = _ISO.fullmatch(stated)
    if match:
        return match[1]
    return "present" if stated.lower() in _PRESENT else stated


def _rows(value: Mapping[str, Any], section: str) -> list[_Row]:
    """The rows of a section, none where it is absent."""
    rows = value.get(section)
    if rows is None:
        return []
    if not isinstance(rows, list):
        raise DocumentError(f"JSON Resume: field '{section}' is {_kind(rows)}, expected an array.", hint=_SEE)
    return [_Row.of(row, f"{section}[{index}]") for index, row in enumerate(rows)]


def _flat(value: Any) -> str:
    """Every string and number within a value, on one line; it may be nested as deep as JSON is."""
    out, left = [], [value]
    while left:
        one = left.pop()
        if isinstance(one, Mapping):
            left += reversed(list(one.values()))
        elif isinstance(one, list):
            left += reversed(one)
        elif one is not None and not isinstance(one, bool):
            out.append(" ".join(str(one).split()))
        elif one is not None:
            out.append("yes" if one else "no")
    return ", ".join(_given(*out))


def _kind(value: Any) -> str:
    """A JSON type in words."""
    return _KINDS.get(type(value), "no JSON")
