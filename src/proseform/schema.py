"""A JSON schema as a value: validated outside the engine, always, by its own draft.

A schema of any draft from 4 to 2020-12 is taken. Verdicts are by the schema as it was given; an engine is given
:attr:`Schema.grammar`, which may be wider (:mod:`proseform.grammar`). What would cost too much to read or to check
values by is refused up front (:mod:`proseform.bounds`, :mod:`proseform.cost`), as is what refers out of the schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import jsonschema_rs

from proseform import bounds, cost, digest, signature, writable
from proseform.draft import NEWEST, VALIDATORS, Draft, detect
from proseform.errors import InputError
from proseform.grammar import NOTHING, Grammar, Widening, write
from proseform.subschemas import graph

_CHILDREN = {
    "properties": "map", "$defs": "map", "definitions": "map", "items": "one", "additionalProperties": "one",
    "prefixItems": "list", "anyOf": "list", "allOf": "list",
}  # fmt: skip
_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000, size_limit=1 << 20, dfa_size_limit=1 << 20)
"""Patterns run in linear time, or give up where they look around (.2 ms for 100,000 steps back)."""


_FORMATS = {
    name: jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True).is_valid
    for name in sorted(writable.CHECKED)
}
"""Formats are checked in every draft, also those that a later draft brought: that is what their authors mean."""


_KINDS = {list: "an array", str: "text", bool: "true or false", int: "a number", float: "a number", type(None): "null"}


class Schema:
    """A JSON Schema of draft 4, 6, 7, 2019-09 or 2020-12.

    Attributes:
        document: The schema as it was given.
        draft: The draft that it is read as.
        looks: The most subschemas that are looked at to check one value, its parts not counted.

    Args:
        document: The schema itself; it is not copied and must not be changed afterwards.
        where: What to call it in errors.

    Raises:
        InputError: Not a schema; one that is too large, too deep or too intertwined; one that has no document; or one
            that refers out of itself. The place is named.
    """

    def __init__(self, document: Any, where: str = "schema") -> None:
        if not isinstance(document, Mapping):
            kind = _KINDS.get(type(document), type(document).__name__)
            raise InputError(f"{where}: a schema is an object, this is {kind}.")
        bounds.check(document, where)
        self.document, self.where = dict(document), where
        self.draft: Draft = detect(self.document, where)
        self._nodes = graph(self.document, self.draft.number, where)
        self.looks = cost.looks(self._nodes, where)
        self._grammar = write(self._nodes, self.draft.number)
        if self._grammar.document == NOTHING:
            reasons = "; ".join(map(str, self.widenings)) or "something in it requires itself, or is false"
            raise InputError(f"{where}: no document of it can be written: {reasons}.")
        try:
            self._validator = VALIDATORS[self.draft.number](
                self.document,
                validate_formats=True,
                offline=True,
                pattern_options=_PATTERNS,
                formats=None if self.draft.number == NEWEST else _FORMATS,
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            place = "".join(f"/{step}" for step in getattr(error, "instance_path", ())) or "/"
            words = f"at {place}: {getattr(error, 'message', str(error))[:300]}"
            raise InputError(f"{where}: is no JSON schema of {self.draft.name}, {words}.") from error

    @property
    def grammar(self) -> dict[str, Any]:
        """The schema for an engine: draft 2020-12, without what engines do not enforce; never narrower."""
        return self._grammar.document

    @property
    def widenings(self) -> tuple[Widening, ...]:
        """What the grammar does not enforce and only the verifier does; empty where the grammar enforces all."""
        return self._grammar.widenings

    @property
    def places(self) -> Mapping[str, str]:
        """JSON pointers of the grammar's subschemas to those of the schema as it was given."""
        return self._grammar.places

    def widened(self, document: Mapping[str, Any], widenings: Iterable[Widening]) -> Schema:
        """The same schema with a grammar that was widened further, as only a compiler can tell where.

        Args:
            document: The wider grammar.
            widenings: What the verifier enforces in its place, beside what it did before.
        """
        other = object.__new__(Schema)
        other.__dict__.update(self.__dict__)
        other._grammar = Grammar(dict(document), (*self.widenings, *widenings), self.places)
        return other

    @cached_property
    def digest(self) -> str:
        """The digest of the document."""
        return digest.of_json(self.document)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the top-level properties, in order."""
        return tuple(self.document.get("properties", {}))

    def fault(self, value: Any) -> tuple[str, str] | None:
        """The first fault of a value as (JSON pointer, reason), or None where it conforms.

        >>> Schema({"type": "object", "properties": {"a": {"type": "integer"}}}).fault({"a": "x"})
        ('/a', '"x" is not of type "integer"')
        """
        try:
            steps = cost.steps(self._nodes, value) if self._recursive else self.looks
            if steps > cost.MAX_STEPS:
                return "/", f"checking it by this schema takes more than {cost.MAX_STEPS} steps"
            if self._validator.is_valid(value):
                return None
            if steps > cost.MAX_WORDED:
                return "/", "it does not conform; the schema is too intertwined to say where"
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            return "".join(f"/{bounds.escaped(step)}" for step in error.instance_path) or "/", error.message
        except ValueError as error:
            return "/", f"it cannot be checked: {error}"
        return None

    @cached_property
    def _recursive(self) -> bool:
        """Whether steps may grow with the depth of a value."""
        return cost.recursive(self._nodes)

    def unbounded(self) -> list[str]:
        """The paths of everything that has no bound: strings, arrays, numbers, open objects. Empty is good.

        >>> Schema({"type": "string"}).unbounded()
        ['/: a string without maxLength, enum or const']
        """
        nodes = dict(_walk(self.document, ""))
        references = {path: _target(node) for path, node in nodes.items() if "$ref" in node}
        endless = [f"{path}: a reference to what holds it" for path in references if _leads_back(path, references)]
        return [f"{path or '/'}: {fault}" for path, node in nodes.items() if (fault := _open_end(node))] + endless

    def project(self, fields: Iterable[str]) -> Schema:
        """The same schema with only some of its top-level properties, in the schema's own order.

        Raises:
            InputError: A field that the schema does not have.
        """
        kept = set(fields)
        unknown = kept - set(self.fields)
        if unknown:
            raise InputError(f"The schema has no field {', '.join(sorted(unknown))}; it has {', '.join(self.fields)}.")
        properties = {name: node for name, node in self.document["properties"].items() if name in kept}
        required = [name for name in self.document.get("required", ()) if name in kept]
        return Schema({**self.document, "properties": properties, "required": required})

    def signature(self) -> str:
        """The schema in one short line, as the formatter is shown it.

        >>> Schema({"type": "object", "properties": {
        ...     "verdict": {"enum": ["yes", "no"]}, "score": {"type": "integer", "minimum": 0, "maximum": 9},
        ...     "tags": {"type": "array", "items": {"type": "string"}}}}).signature()
        '{verdict: yes|no, score: 0..9, tags: [text]}'
        """
        return signature.of(self.grammar)


def _walk(node: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every subschema with its path, the root first."""
    if not isinstance(node, Mapping):
        return
    yield path, node
    for keyword, shape in _CHILDREN.items():
        child = node.get(keyword)
        if shape == "map" and isinstance(child, Mapping):
            for name, sub in child.items():
                yield from _walk(sub, f"{path}/{keyword}/{name.replace('~', '~0').replace('/', '~1')}")
        elif shape == "list" and isinstance(child, list):
            for index, sub in enumerate(child):
                yield from _walk(sub, f"{path}/{keyword}/{index}")
        elif shape == "one":
            yield from _walk(child, f"{path}/{keyword}")


def _target(node: Mapping[str, Any]) -> str:
    """Where a reference points, as a path of :func:`_walk`; a remote one stays what it is, no reference is the root."""
    return str(node.get("$ref", "#")).removeprefix("#")


def _leads_back(start: str, references: Mapping[str, str]) -> bool:
    """Whether following the reference at ``start`` comes to ``start`` again."""
    seen, todo = set(), [references[start]]
    while todo:
        target = todo.pop()
        inside = [path for path in references if path == target or path.startswith(f"{target}/")]
        if start in inside:
            return True
        todo += [references[path] for path in inside if references[path] not in seen]
        seen.add(target)
    return False


def _open_end(node: Mapping[str, Any]) -> str:
    """Why a subschema is unbounded, or nothing."""
    if {"enum", "const", "$ref", "anyOf", "allOf"} & node.keys():
        return ""
    kinds = node.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds or []
    if not kinds:
        return "no type"
    if "string" in kinds and "maxLength" not in node:
        return "a string without maxLength, enum or const"
    if "array" in kinds and not {"maxItems", "items"} <= node.keys():
        return "an array without items and maxItems"
    if {"integer", "number"} & set(kinds) and not {"minimum", "maximum"} <= node.keys():
        return "a number without minimum and maximum"
    if "object" in kinds and node.get("additionalProperties") is not False:
        return "an object that is not closed (additionalProperties: false)"
    return ""
