"""A JSON schema as a value: validated outside the engine, always, and known to be enforceable inside it.

On 1,414 real-world schemas the best decoders either refused some or let invalid JSON through, so a schema is
checked three times: that it is a schema, that a decoder can enforce it, and, for tasks, that it is bounded.
Left out on purpose: remote references, and the keywords in :data:`UNENFORCEABLE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import jsonschema_rs

from proseform import digest, signature
from proseform.errors import InputError

DIALECT = "https://json-schema.org/draft/2020-12/schema"
UNENFORCEABLE = frozenset(
    {"uniqueItems", "contains", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "oneOf",
     "propertyNames", "unevaluatedProperties", "unevaluatedItems", "patternProperties", "$dynamicRef"},
)  # fmt: skip
"""Keywords that token-level decoders refuse or, worse, ignore."""

_CHILDREN = {
    "properties": "map", "$defs": "map", "definitions": "map", "items": "one", "additionalProperties": "one",
    "prefixItems": "list", "anyOf": "list", "allOf": "list",
}  # fmt: skip


class Schema:
    """A JSON Schema (draft 2020-12).

    Args:
        document: The schema itself; it is not copied and must not be changed afterwards.
        where: What to call it in errors.

    Raises:
        InputError: Not a schema, or one that uses a keyword no decoder enforces or a remote reference.
    """

    def __init__(self, document: Mapping[str, Any], where: str = "schema") -> None:
        if not isinstance(document, Mapping):
            raise InputError(f"{where}: a schema is an object, this is {type(document).__name__}.")
        self.document = dict(document)
        if self.document.get("$schema", DIALECT).rstrip("#") != DIALECT:
            raise InputError(
                f"{where}: is written in {self.document['$schema']}.",
                hint=f"Write it in {DIALECT}, or leave $schema out.",
            )
        try:
            jsonschema_rs.meta.validate(self.document)
            self._validator = jsonschema_rs.validator_for(self.document, validate_formats=True, offline=True)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            path = "/".join(map(str, getattr(error, "instance_path", ()))) or "its root"
            raise InputError(f"{where}: not a JSON schema, at {path}: {getattr(error, 'message', error)}.") from error
        nodes = dict(_walk(self.document, ""))
        for path, node in nodes.items():
            banned = UNENFORCEABLE & node.keys()
            if banned:
                raise InputError(
                    f"{where}: {path or '/'} uses {', '.join(sorted(banned))}, which decoders cannot enforce.",
                    hint="State it as plain properties, enums and bounds, or check it behind the answer.",
                )
            if _target(node) not in nodes:
                hint = "References point at a subschema of the same schema, by its path."
                raise InputError(f"{where}: {path or '/'} refers to '{node['$ref']}'.", hint=hint)

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
        for error in self._validator.iter_errors(value):
            return "".join(f"/{step}" for step in error.instance_path) or "/", error.message
        return None

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
        wanted = set(fields)
        unknown = wanted - set(self.fields)
        if unknown:
            raise InputError(f"The schema has no field {', '.join(sorted(unknown))}; it has {', '.join(self.fields)}.")
        properties = {name: node for name, node in self.document["properties"].items() if name in wanted}
        required = [name for name in self.document.get("required", ()) if name in wanted]
        return Schema({**self.document, "properties": properties, "required": required})

    def signature(self) -> str:
        """The schema in one short line, as the formatter is shown it.

        >>> Schema({"type": "object", "properties": {
        ...     "verdict": {"enum": ["yes", "no"]}, "score": {"type": "integer", "minimum": 0, "maximum": 9},
        ...     "tags": {"type": "array", "items": {"type": "string"}}}}).signature()
        '{verdict: yes|no, score: 0..9, tags: [text]}'
        """
        return signature.of(self.document)


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
