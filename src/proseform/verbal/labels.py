"""Names of fields as words (``required_years`` is written ``Required years``), one to one."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proseform.leaves import Path
from proseform.schema import Schema
from proseform.verbal.order import order

PLAIN = re.compile(r"[^\W\d_][^\W_]*(?:[ -][^\W\d_][^\W_]*)*")
"""Words that need no quotes: letters and digits, a letter first, with single blanks and hyphens between them."""
RESERVED = frozenset({"yes", "no", "none"})
"""Words for true, false and null."""

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a schema's fields, both ways.

    Attributes:
        words: Name to label, for names that have one; every other is quoted as JSON quotes it.
        names: The same the other way.
        order: The names of the fields that lead to an object, to those of its own fields in the order in which they
            are written.
        offered: Texts that the schema itself offers, which are written without quotes.
    """

    words: Mapping[str, str]
    names: Mapping[str, str]
    order: Mapping[tuple[str, ...], tuple[str, ...]]
    offered: frozenset[str]

    @classmethod
    def of(cls, schema: Schema) -> Labels:
        """Read the names, titles and choices of a schema.

        >>> labels = Labels.of(Schema({"properties": {"due_at": {"enum": ["now", "no"]}, "7": {}}}))
        >>> labels.label("due_at"), labels.label("7"), sorted(labels.offered)
        ('Due at', '"7"', ['now'])
        """
        titles: dict[str, set[str]] = {}
        offered: set[str] = set()
        for _, node in schema.subschemas():
            for name, field in _fields(node):
                title = field.get("title") if isinstance(field, Mapping) else None
                titles.setdefault(name, set()).add(title if isinstance(title, str) and title else _words(name))
            offered |= {word for word in (*_listed(node.get("enum")), node.get("const")) if _bare(word)}
        words = {name: _capital(min(known) if len(known) == 1 else _words(name)) for name, known in titles.items()}
        counts = Counter(words.values())
        words = {name: label for name, label in words.items() if PLAIN.fullmatch(label) and counts[label] == 1}
        return cls(words, {label: name for name, label in words.items()}, order(schema.document), frozenset(offered))

    def rank(self, path: Path) -> Callable[[str], int]:
        """Where a field of the object at a path is written; what the schema does not name comes last."""
        names = self.order.get(tuple(step for step in path if isinstance(step, str)), ())
        return lambda name: names.index(name) if name in names else len(names)

    def label(self, name: str) -> str:
        """A name as it is written."""
        return self.words.get(name) or json.dumps(name, ensure_ascii=False)


def _fields(node: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The properties of a subschema."""
    properties = node.get("properties")
    yield from properties.items() if isinstance(properties, Mapping) else ()


def _listed(value: Any) -> list[Any]:
    """A list, or nothing."""
    return value if isinstance(value, list) else []


def _bare(word: Any) -> bool:
    """Whether a text may be written without quotes."""
    return isinstance(word, str) and PLAIN.fullmatch(word) is not None and word not in RESERVED


def _words(name: str) -> str:
    """A name as words: ``due_at`` and ``dueAt`` are ``due at``.

    >>> _words("due_at"), _words("dueAt"), _words("ID")
    ('due at', 'due at', 'ID')
    """
    humps = _HUMPS.split(name)
    return " ".join([humps[0], *(hump.lower() for hump in humps[1:])]).replace("_", " ").strip()


def _capital(text: str) -> str:
    """A text with a capital first, other letters as they are."""
    return text[:1].upper() + text[1:]
