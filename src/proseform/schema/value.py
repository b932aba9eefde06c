"""A JSON schema as a value: validated outside the engine, always, by its own draft.

A schema of any draft from 4 to 2020-12 is taken. Verdicts are by the schema as it was given; an engine is given
:attr:`Schema.grammar`, which may be wider (:mod:`proseform.schema.grammar`). What would cost too much to read, or to
check values by, is refused up front (:mod:`proseform.schema.bounds`, :mod:`proseform.schema.cost`), as is what refers
out of the schema.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import jsonschema_rs

from proseform import digest
from proseform.errors import InputError
from proseform.schema import bounds, cost, pointer, projection, signature, unbounded, writable
from proseform.schema.draft import NEWEST, REFERENCE_ALONE, VALIDATORS, Draft, detect
from proseform.schema.grammar import NOTHING, Grammar, Widening
from proseform.schema.graph import graph
from proseform.schema.writer import write

_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000, size_limit=1 << 20, dfa_size_limit=1 << 20)
"""Patterns run in linear time, or give up where they look around (.2 ms for 100,000 steps back)."""

_FORMATS = {
    name: jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True).is_valid
    for name in sorted(writable.CHECKED)
}
"""Formats are checked in every draft, also those that a later draft brought: that is what their authors mean."""

_SILENT = frozenset({"not", "propertyNames", "additionalItems"})
"""Keywords whose subschemas hold of no part of a conforming value, or are not reported."""
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
        other.__dict__.pop("_signature", None)
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

    def steps(self, value: Any) -> int:
        """How many subschemas are looked at to check a value; its parts are counted where the schema is recursive."""
        return cost.steps(self._nodes, value) if self._recursive else self.looks

    def exceeds(self, value: Any, most: int) -> bool:
        """Whether checking a value takes more than ``most`` comparisons, see :func:`.cost.comparisons`.

        >>> Schema({"items": {"enum": [0.5, 1.5]}}).exceeds([1.5, 1.5], 7)
        True
        """
        return cost.steps(self._nodes, value, most, cost.comparisons) > most

    def fault(self, value: Any) -> tuple[str, str] | None:
        """The first fault of a value as (JSON pointer, reason), or None where it conforms.

        >>> Schema({"type": "object", "properties": {"a": {"type": "integer"}}}).fault({"a": "x"})
        ('/a', '"x" is not of type "integer"')
        """
        try:
            steps = self.steps(value)
            if steps > cost.MAX_STEPS:
                return "/", f"checking it by this schema takes more than {cost.MAX_STEPS} steps"
            if self._validator.is_valid(value):
                return None
            if steps > cost.MAX_WORDED:
                return "/", "it does not conform; the schema is too intertwined to say where"
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            return "".join(f"/{pointer.escaped(step)}" for step in error.instance_path) or "/", error.message
        except ValueError as error:
            return "/", f"it cannot be checked: {error}"
        return None

    @cached_property
    def _recursive(self) -> bool:
        """Whether steps may grow with the depth of a value."""
        return cost.recursive(self._nodes)

    def subschemas(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every subschema that the root reaches, the root included, with its JSON pointer; true and false left out."""
        for place, node in self._nodes.items():
            if isinstance(node.schema, Mapping):
                yield place, node.schema

    def annotated(self) -> set[str]:
        """The places of the subschemas whose keywords :meth:`annotations` can give."""
        reached, left = set[str](), [""]
        while left:
            place = left.pop()
            if place not in reached:
                reached.add(place)
                left += (edge.target for edge in self._nodes[place].edges if edge.keyword not in _SILENT)
        if self.draft.number <= REFERENCE_ALONE:
            return {place for place, schema in self.subschemas() if place in reached and "$ref" not in schema}
        return reached

    def annotations(self, value: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Keywords that are no assertions, such as ``title`` and those that start with ``x-``, where they apply.

        Args:
            value: A value that conforms; of ``anyOf`` and the like only the branches that it conforms to apply.

        Yields:
            The JSON pointer of a part of the value, where the subschema stands, and its annotations.

        >>> list(Schema({"items": {"title": "a word"}}).annotations(["x"]))
        [('/0', '/items', {'title': 'a word'})]
        """
        for row in self._validator.evaluate(value).annotations():
            if isinstance(row["annotations"], Mapping):
                yield row["instanceLocation"], row["schemaLocation"], row["annotations"]

    def unbounded(self) -> list[str]:
        """The paths of everything that has no bound: strings, arrays, numbers, open objects. Empty is good.

        >>> Schema({"type": "string"}).unbounded()
        ['/: a string without maxLength, enum or const']
        """
        return unbounded.places(self.document)

    def project(self, fields: Iterable[str]) -> Schema:
        """The same schema with only some of its top-level properties, in the schema's own order.

        Raises:
            InputError: A field that the schema does not have.
        """
        kept = set(fields)
        unknown = kept - set(self.fields)
        if unknown:
            raise InputError(f"The schema has no field {', '.join(sorted(unknown))}; it has {', '.join(self.fields)}.")
        return Schema(projection.of(self.document, kept))

    def signature(self) -> str:
        """The schema in one short line, as the formatter is shown it.

        >>> Schema({"type": "object", "properties": {
        ...     "verdict": {"enum": ["yes", "no"]}, "score": {"type": "integer", "minimum": 0, "maximum": 9},
        ...     "tags": {"type": "array", "items": {"type": "string"}}}}).signature()
        '{verdict: yes|no, score: 0..9, tags: [text]}'
        """
        return self._signature

    def stated(self) -> str:
        """The schema as JSON in one line, as models are shown it that know JSON Schema: without keywords of our own.

        >>> Schema({"type": "object", "properties": {"x-y": {"type": "null", "x-from": "note"}}}).stated()
        '{"type": "object", "properties": {"x-y": {"type": "null"}}}'
        """
        return self._stated

    @cached_property
    def _stated(self) -> str:
        """See :meth:`stated`."""
        own = {place: node for place, node in self.subschemas() if any(name.startswith(_OURS) for name in node)}
        return json.dumps(_without(self.document, "", own), ensure_ascii=False)

    @cached_property
    def _signature(self) -> str:
        """See :meth:`signature`; every prompt of the formatter has it."""
        return signature.of(self.grammar)


_OURS = "x-"
"""How names of keywords begin that JSON Schema does not have."""


def _without(node: Any, place: str, own: Container[str]) -> Any:
    """A part of a schema without keywords of our own in the subschemas that have some."""
    if isinstance(node, Mapping):
        return {
            name: _without(child, f"{place}/{pointer.escaped(name)}", own)
            for name, child in node.items()
            if not (place in own and name.startswith(_OURS))
        }
    if isinstance(node, list):
        return [_without(child, f"{place}/{index}", own) for index, child in enumerate(node)]
    return node
