"""What the references of a schema lead to, by the rules of its draft; part of :mod:`proseform.schema.graph`.

References are resolved by :mod:`referencing`, which knows ``$id``, ``$anchor`` and pointers of every draft. Nothing is
ever fetched: beside the schema itself only the drafts' own meta-schemas are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema_specifications import REGISTRY
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT4, DRAFT6, DRAFT7, DRAFT201909, DRAFT202012

from proseform.errors import InputError
from proseform.schema.draft import Number
from proseform.schema.pointer import escaped

KEYWORDS = ("$ref", "$dynamicRef", "$recursiveRef")

_SPECIFICATIONS = {4: DRAFT4, 6: DRAFT6, 7: DRAFT7, 2019: DRAFT201909, 2020: DRAFT202012}
_BASE = "schema:"


def resolver_of(document: Mapping[str, Any], draft: Number, where: str) -> Any:
    """The resolver at the root of a schema.

    Raises:
        InputError: An ``$id`` that is no URI.
    """
    root = _SPECIFICATIONS[draft].create_resource(document)
    try:
        return _crawled(REGISTRY.with_resource(_BASE, root)).resolver(_BASE).in_subresource(root)
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{where}: an $id in it is no URI ({error}).") from error


def _crawled(registry: Any) -> Any:
    """A registry that was gone through once, where it can be; each reference to an anchor would else do so anew.

    The drafts' own meta-schemas stay what their URIs mean, whatever identifiers a schema gives itself.
    """
    try:
        crawled = registry.crawl()
    except (ValueError, AttributeError, TypeError, LookupError):
        return registry
    if any(crawled[uri] is not resource for uri, resource in REGISTRY.items()):
        return crawled.with_resources(REGISTRY.items()).crawl()
    return crawled


def inside(resolver: Any, schema: Mapping[str, Any], draft: Number, place: str, where: str) -> Any:
    """The resolver inside a subschema, which may have an ``$id`` of its own.

    Raises:
        InputError: That is no URI.
    """
    try:
        return resolver.in_subresource(_SPECIFICATIONS[draft].create_resource(schema))
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{where}: {place} has an $id that is no URI ({error}).") from error


def stated(schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The references of a subschema: keyword and text."""
    return [(key, schema[key]) for key in KEYWORDS if isinstance(schema.get(key), str)]


def resolve(resolver: Any, keyword: str, reference: str, place: str, where: str) -> Any:
    """What a reference leads to, as ``contents`` and ``resolver``; None where only a validation's course decides.

    Raises:
        InputError: It leads out of the schema, to nothing, or to what is no schema.
    """
    try:
        resolved = resolver.lookup(reference)
    except Unresolvable as error:
        if keyword == "$dynamicRef":
            return None
        raise _unresolved(reference, place, where) from error
    except (ValueError, AttributeError, TypeError, LookupError) as error:
        raise _unresolved(reference, place, where) from error
    if not isinstance(resolved.contents, Mapping | bool):
        kind = type(resolved.contents).__name__
        raise InputError(f"{where}: {place or '/'} refers to '{reference}', which is {kind}, not a schema.")
    return resolved


def moves(keyword: str, contents: Any) -> bool:
    """Whether a reference to some contents leads elsewhere where its place was entered from elsewhere."""
    return isinstance(contents, Mapping) and (
        (keyword == "$dynamicRef" and "$dynamicAnchor" in contents)
        or (keyword == "$recursiveRef" and contents.get("$recursiveAnchor") is True)
    )


def places_of(document: Mapping[str, Any]) -> dict[int, str]:
    """The place of every object of a document, by its identity; an object that stands twice has its first place."""
    places: dict[int, str] = {}
    todo: list[tuple[Any, str]] = [(document, "")]
    while todo:
        value, place = todo.pop()
        if isinstance(value, Mapping):
            if id(value) in places:
                continue
            places[id(value)] = place
            todo += [(child, f"{place}/{escaped(key)}") for key, child in value.items()]
        elif isinstance(value, list):
            todo += [(child, f"{place}/{index}") for index, child in enumerate(value)]
    return places


def place_of(contents: Any, reference: str, place: str) -> str:
    """The place of what has no identity in the document: true and false, and what lies in a meta-schema."""
    if isinstance(contents, bool):
        return f"{place}/$ref={str(contents).lower()}"
    return f"meta-schema:{id(contents)}:{reference}"


def _unresolved(reference: str, place: str, where: str) -> InputError:
    """The words for a reference that leads nowhere, or elsewhere."""
    if reference.startswith("#"):
        return InputError(
            f"{where}: {place or '/'} refers to '{reference}', which does not exist.",
            hint="References point at a subschema of the same schema, by its path or its $anchor.",
        )
    return InputError(
        f"{where}: {place or '/'} refers to '{reference}', which lies outside of the schema; nothing is fetched.",
        hint="Put what it refers to under $defs, and refer to it there.",
    )
