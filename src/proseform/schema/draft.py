"""The drafts of JSON Schema: which one a schema is written in, and where its subschemas stand.

Left out: draft 3 and older (refused by name), and vocabularies of a schema's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jsonschema_rs

from proseform.errors import InputError
from proseform.schema.pointer import escaped

Number = Literal[4, 6, 7, 2019, 2020]
Position = Literal["same", "child"]
"""Whether a subschema looks at the same value as the schema that holds it, or at a part of it."""

NEWEST: Number = 2020
CONST_SINCE: Number = 6
DEPENDENT_SINCE: Number = 2019
"""dependentRequired, dependentSchemas, minContains. The ``dependencies`` of before stay in force: the validator
enforces them in every draft."""
REFERENCE_ALONE: Number = 7
"""Up to this draft nothing counts beside a ``$ref``."""

URIS: dict[Number, str] = {
    2020: "https://json-schema.org/draft/2020-12/schema",
    2019: "https://json-schema.org/draft/2019-09/schema",
    7: "http://json-schema.org/draft-07/schema",
    6: "http://json-schema.org/draft-06/schema",
    4: "http://json-schema.org/draft-04/schema",
}

VALIDATORS: dict[Number, type[jsonschema_rs.Validator]] = {
    4: jsonschema_rs.Draft4Validator,
    6: jsonschema_rs.Draft6Validator,
    7: jsonschema_rs.Draft7Validator,
    2019: jsonschema_rs.Draft201909Validator,
    2020: jsonschema_rs.Draft202012Validator,
}

_DATE: dict[Number, str] = {2020: "2020-12", 2019: "2019-09"}
_NAMED = re.compile(r"draft[-/]?(0?[1-9]|2019-09|2020-12)(?!\d)")


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft, and how it was told.

    Attributes:
        number: 4, 6, 7, 2019 (2019-09) or 2020 (2020-12).
        note: Why, where the schema does not say so itself; else empty.
    """

    number: Number
    note: str = ""

    @property
    def name(self) -> str:
        """As people write it: ``2020-12`` or ``draft-07``."""
        return _DATE.get(self.number, f"draft-{self.number:02}")


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword that holds subschemas.

    Attributes:
        shape: One subschema, a list of them, a map of them, one or a list, or a map of subschemas and lists of names.
        position: See :data:`Position`.
        since: The first draft that has it.
        until: The last one.
    """

    shape: Literal["one", "list", "map", "one or list", "map of one or names"]
    position: Position
    since: Number = 4
    until: Number = 2020


KEYWORDS: dict[str, Keyword] = {
    "allOf": Keyword("list", "same"),
    "anyOf": Keyword("list", "same"),
    "oneOf": Keyword("list", "same"),
    "not": Keyword("one", "same"),
    "if": Keyword("one", "same", since=7),
    "then": Keyword("one", "same", since=7),
    "else": Keyword("one", "same", since=7),
    "dependencies": Keyword("map of one or names", "same"),
    "dependentSchemas": Keyword("map", "same", since=2019),
    "properties": Keyword("map", "child"),
    "patternProperties": Keyword("map", "child"),
    "additionalProperties": Keyword("one", "child"),
    "unevaluatedProperties": Keyword("one", "child", since=2019),
    "propertyNames": Keyword("one", "child", since=6),
    "prefixItems": Keyword("list", "child", since=2020),
    "items": Keyword("one or list", "child"),
    "additionalItems": Keyword("one", "child", until=2019),
    "unevaluatedItems": Keyword("one", "child", since=2019),
    "contains": Keyword("one", "child", since=6),
}

DEFINITIONS: dict[str, Number] = {"definitions": 4, "$defs": 2019}
"""Keywords that hold subschemas for references, by the first draft whose meta-schema looks into them."""


def detect(document: Mapping[str, Any], where: str) -> Draft:
    """The draft that a schema is written in: the one that it names, else the newest whose rules it keeps.

    >>> detect({"$schema": "http://json-schema.org/draft-07/schema#"}, "schema").name
    'draft-07'
    >>> detect({"minimum": 0, "exclusiveMinimum": True}, "schema").name
    'draft-04'

    Raises:
        InputError: ``$schema`` is no text or names a draft that is too old, or the schema keeps the rules of no draft;
            with the place of what breaks them.
    """
    stated = document.get("$schema", "")
    if not isinstance(stated, str):
        raise InputError(
            f"{where}: /$schema is {json.dumps(stated, default=repr)[:40]}, expected the URI of a draft.",
            hint=f"Write {URIS[2020]}, or leave it out.",
        )
    known = _named(stated, where)
    if known:
        keep(document, known, where)
        return Draft(known)
    for number in URIS:
        if _fault(document, number) is None:
            reason = "names no draft" if not stated else f"names '{stated[:80]}', which is no draft"
            return Draft(number, f"the schema {reason}; it is read as the newest draft whose rules it keeps")
    keep(document, 2020, where)
    raise AssertionError  # a schema that breaks every draft breaks the newest


def keep(schema: Mapping[str, Any], number: Number, where: str, place: str = "") -> None:
    """Refuse a schema that breaks the rules of a draft, as its meta-schema states them.

    Args:
        schema: The schema, or a part of one.
        number: The draft.
        where: What to call the whole schema in errors.
        place: The JSON pointer of the part.

    Raises:
        InputError: With the place of what breaks them.
    """
    fault = _fault(schema, number)
    if fault is not None:
        broken = place + "".join(f"/{escaped(step)}" for step in fault.instance_path) or "/"
        raise InputError(f"{where}: is no JSON schema of {Draft(number).name}, at {broken}: {fault.message[:300]}.")


def kept(schema: Mapping[str, Any], number: Number) -> Iterator[Mapping[str, Any]]:
    """The schema and every subschema that :func:`keep` looks at beside it: not what other keywords hold.

    >>> list(kept({"$defs": {"a": {"items": {}}}, "x-defs": {"b": {}}}, 2020))
    [{'$defs': {'a': {'items': {}}}, 'x-defs': {'b': {}}}, {'items': {}}, {}]
    """
    todo: list[Any] = [schema]
    while todo:
        part = todo.pop()
        if isinstance(part, Mapping):
            yield part
            todo += [child for _, _, child, _ in children(part, number)]
            for name, since in DEFINITIONS.items():
                if since <= number and isinstance(part.get(name), Mapping):
                    todo += part[name].values()


def children(document: Mapping[str, Any], draft: Number) -> Iterator[tuple[str, tuple[str | int, ...], Any, Position]]:
    """The subschemas of a schema: the keyword, the steps to each, the subschema, and where it looks.

    References are not followed, definitions are not visited: what nothing refers to says nothing.
    """
    for name, keyword in KEYWORDS.items():
        if name not in document or not keyword.since <= draft <= keyword.until:
            continue
        value = document[name]
        if isinstance(value, Mapping) and keyword.shape.startswith("map"):
            for key, child in value.items():
                if isinstance(child, Mapping | bool):
                    yield name, (name, key), child, keyword.position
        elif isinstance(value, list) and "list" in keyword.shape:
            for index, child in enumerate(value):
                yield name, (name, index), child, keyword.position
        elif isinstance(value, Mapping | bool) and keyword.shape.startswith("one"):
            yield name, (name,), value, keyword.position


def _named(stated: str, where: str) -> Number | None:
    """The draft that a ``$schema`` names, or None."""
    if stated.rstrip("#") in {"http://json-schema.org/schema", "https://json-schema.org/schema"}:
        return NEWEST
    match = _NAMED.search(stated.lower())
    if not match or "json-schema.org" not in stated:
        return None
    numbers: dict[str, Number] = {"2019-09": 2019, "2020-12": 2020, "4": 4, "6": 6, "7": 7, "5": 4}
    number = numbers.get(match[1].lstrip("0"))
    if number is None:
        raise InputError(f"{where}: /$schema names {match[0]}, which is not read.", hint="Drafts 4 and later are.")
    return number


def _fault(document: Mapping[str, Any], number: Number) -> jsonschema_rs.ValidationError | None:
    """What breaks the rules of a draft (its meta-schema), or None."""
    try:
        jsonschema_rs.meta.validate({**document, "$schema": URIS[number]})
    except jsonschema_rs.ValidationError as error:
        return error
    return None
