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

from proseform import digest
from proseform.errors import InputError

UNENFORCEABLE = frozenset(
    {"uniqueItems", "contains", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "oneOf",
     "propertyNames", "unevaluatedProperties", "unevaluatedItems", "patternProperties", "$dynamicRef"},
)  # fmt: skip
"""Keywords that token-level decoders refuse or, worse, ignore."""

_CHILDREN = {"properties": "map", "$defs": "map", "items": "one", "prefixItems": "list", "anyOf": "list", "allOf": "list"}


class Schema:
    """A JSON Schema (draft 2020-12).

    Args:
        document: The schema itself; it is not copied and must not be changed afterwards.
        where: What to call it in errors.

    Raises:
        InputError: Not a schema, or one that uses a keyword no decoder enforces or a remote reference.
    """

    def __init__(self, document: Mapping[str, Any], where: str = "schema") -> None:
        self.document = dict(document)
        try:
            jsonschema_rs.meta.validate(self.document)
        except jsonschema_rs.ValidationError as error:
            path = "/".join(map(str, error.instance_path)) or "its root"
            raise InputError(f"{where}: not a JSON schema, at {path}: {error.message}.") from error
        for path, node in _walk(self.document, ""):
            banned = UNENFORCEABLE & node.keys()
            if banned:
                raise InputError(
                    f"{where}: {path or '/'} uses {', '.join(sorted(banned))}, which decoders cannot enforce.",
                    hint="State it as plain properties, enums and bounds, or check it behind the answer.",
                )
            reference = node.get("$ref", "#")
            if not str(reference).startswith("#"):
                raise InputError(f"{where}: {path or '/'} refers to '{reference}'.", hint="Only references within the schema are followed.")
        self._validator = jsonschema_rs.validator_for(self.document, validate_formats=True)

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
        return [f"{path or '/'}: {fault}" for path, node in _walk(self.document, "") if (fault := _open_end(node))]

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
        return _signature(self.document, self.document.get("$defs", {}))


def _walk(node: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every subschema with its path, the root first."""
    if not isinstance(node, Mapping):
        return
    yield path, node
    for keyword, shape in _CHILDREN.items():
        child = node.get(keyword)
        if shape == "map" and isinstance(child, Mapping):
            for name, sub in child.items():
                yield from _walk(sub, f"{path}/{keyword}/{name}")
        elif shape == "list" and isinstance(child, list):
            for index, sub in enumerate(child):
                yield from _walk(sub, f"{path}/{keyword}/{index}")
        elif shape == "one":
            yield from _walk(child, f"{path}/{keyword}")


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


def _signature(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """See :meth:`Schema.signature`."""
    if "$ref" in node:
        node = definitions[str(node["$ref"]).rsplit("/", 1)[-1]]
    if "enum" in node:
        return "|".join("null" if item is None else str(item) for item in node["enum"])
    if "const" in node:
        return str(node["const"])
    if "anyOf" in node:
        return "|".join(_signature(option, definitions) for option in node["anyOf"])
    match node.get("type"):
        case "object":
            return "{" + ", ".join(f"{name}: {_signature(sub, definitions)}" for name, sub in node.get("properties", {}).items()) + "}"
        case "array":
            return f"[{_signature(node.get('items', {}), definitions)}]"
        case "integer" | "number" if {"minimum", "maximum"} <= node.keys():
            return f"{node['minimum']:g}..{node['maximum']:g}"
        case "string":
            return "text"
        case "boolean":
            return "true|false"
        case other:
            return str(other)
