"""Widen a grammar until the compiler takes it, and tell where: what only a compiler can find out.

Two patterns that overlap, alternatives that are not disjoint, a pattern that looks around: whether llguidance takes
them cannot be read off a schema. Where it refuses, the subschemas that it may mean are compiled one by one, and those
that it refuses lose the keyword, or keep a wider one. Nothing is ever narrowed. Runs in a confined process; see
:mod:`proseform.infer.grammars.examine`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from proseform.infer.grammars.compile import matcher
from proseform.schema.pointer import escaped

Node = dict[str, Any]

NOTHING_BEGINS = "no character can begin a document"
_ROUNDS = 12
_SEARCH_S = 1.0
_TRIED_ONE_BY_ONE = 200
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_LEXICAL = ("pattern", "format", "multipleOf", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum",
            "exclusiveMaximum")  # fmt: skip
_EVERY = ("format", "pattern", "minProperties", "maxProperties", "oneOf", "patternProperties", *_BOUNDS, "minLength",
          "maxLength", "minItems", "maxItems", "allOf", "anyOf", "required", "additionalProperties", "prefixItems",
          "items", "properties", "$ref", "enum", "const", "type")  # fmt: skip
"""Keywords in the order in which a subschema of which nothing is known loses them."""


def settle(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Compile a grammar, widened as far as it must be.

    Args:
        asked: ``grammar``: a document of :class:`proseform.schema.grammar.Grammar`; ``lexical``: whether to leave
            everything about the characters of strings and numbers to the verifier, as compiling it took too long.

    Returns:
        ``grammar``: the document that compiles; ``widenings``: triples of its place in the document, keyword and
        reason; ``milliseconds`` of the last compilation. Or, where nothing helps, ``refused``: the compiler's words,
        and ``place``.
    """
    _tokenizer()  # not part of what compiling costs
    document: Node = json.loads(json.dumps(asked["grammar"]))
    widened: list[tuple[str, str, str]] = []
    if asked.get("lexical"):
        for place, node in nodes(document):
            widened += [(place, key, "compiling it takes too long") for key in _drop(*_LEXICAL)(node)]
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        fault = refusal(document)
        milliseconds = 1000 * (time.perf_counter() - start)
        if not fault:
            return {"grammar": document, "widenings": widened, "milliseconds": milliseconds}
        if fault == NOTHING_BEGINS or fault.startswith("Unsatisfiable"):
            break
        places = _widened(document, fault)
        if not places:
            break
        widened += places
    return {"refused": fault, "place": _place(document, time.process_time() + _SEARCH_S)}


def refusal(document: Mapping[str, Any]) -> str:
    """Why the compiler does not take a document, in its words, or that no token can begin one; empty is good."""
    try:
        machine = matcher(_tokenizer(), document)
        if machine.is_error():
            return _first_line(machine.get_error())
        begun = machine.compute_bitmask()
        if machine.is_error():
            words = _first_line(machine.get_error())
            return NOTHING_BEGINS if "NoExtension" in words else words
    except Exception as error:  # noqa: BLE001 - whatever a compiler of 1,000 dependencies raises is its refusal
        return _first_line(f"{type(error).__name__}: {error}")
    return "" if any(begun) or machine.is_accepting() else NOTHING_BEGINS


def nodes(document: Node) -> Iterator[tuple[str, Node]]:
    """Every subschema of a grammar with its place, inner ones first."""
    stack: list[tuple[str, Any, bool]] = [("", document, False)]
    while stack:
        place, node, seen = stack.pop()
        if not isinstance(node, dict):
            continue
        if seen:
            yield place, node
            continue
        stack.append((place, node, True))
        for key in ("properties", "patternProperties", "$defs"):
            stack += [(f"{place}/{key}/{escaped(name)}", child, False) for name, child in node.get(key, {}).items()]
        for key in ("allOf", "anyOf", "oneOf", "prefixItems"):
            stack += [(f"{place}/{key}/{index}", child, False) for index, child in enumerate(node.get(key, ()))]
        for key in ("additionalProperties", "items"):
            stack.append((f"{place}/{key}", node.get(key), False))


@cache
def _tokenizer() -> Any:
    """One token a byte: what compiles does not depend on the vocabulary."""
    from llguidance import LLTokenizer

    return LLTokenizer("byte")


def _first_line(words: str) -> str:
    """An error of llguidance without its drawing of the place in a pattern."""
    lines = [line.strip() for line in words.strip().splitlines()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (errors or lines or ["no reason"])[0][:300]


def _widened(document: Node, fault: str) -> list[tuple[str, str, str]]:
    """Widen what a refusal may mean; what was widened."""
    circle = re.search(r"circular references.*(#/[$]defs/.*|#)$", fault)
    if circle and (places := _uncircled(document, circle[1], fault)):
        return places
    for words, keywords, widen in _REMEDIES:
        if re.search(words, fault):
            places = _each(document, keywords, widen, fault)
            if places:
                return places
    return _anything(document, fault)


def _uncircled(document: Node, reference: str, fault: str) -> list[tuple[str, str, str]]:
    """What is joined with a reference that leads back goes; where none is by that name, what is joined with any."""
    for names in ({reference}, None):
        widened = [(place, key, fault) for place, node in nodes(document) for key in _parted(node, names)]
        if widened:
            return widened
    return []


def _parted(node: Node, names: set[str] | None) -> list[str]:
    """Part a subschema from references to some names, or to any: what stands beside them goes, or they go."""

    def led(one: Any) -> bool:
        return isinstance(one, dict) and "$ref" in one and (names is None or one["$ref"] in names)

    beside = [key for key in node if key not in {"$ref", "$defs"}]
    if led(node) and beside:
        return _drop(*beside)(node)
    members = node.get("allOf", [])
    kept = [one for one in members if not led(one)]
    if len(kept) < len(members):
        node["allOf"] = kept
        return ["allOf"] if kept else _drop("allOf")(node)
    for key in ("oneOf", "anyOf"):
        if any(map(led, node.get(key, ()))) and len(beside) > 1:
            return _drop(key)(node)
    return []


def _each(
    document: Node, keywords: tuple[str, ...], widen: Callable[[Node], list[str]], fault: str
) -> list[tuple[str, str, str]]:
    """Widen the subschemas with some of the keywords that do not compile by themselves; else all of them."""
    candidates = [(place, node) for place, node in nodes(document) if not node.keys().isdisjoint(keywords)]
    alone = len(candidates) <= _TRIED_ONE_BY_ONE
    chosen = []
    for place, node in candidates:
        if alone and not refusal(_alone(node, keywords, document)):
            continue
        chosen += [(place, keyword, fault) for keyword in widen(node)]
    if not chosen:
        chosen = [(place, keyword, fault) for place, node in candidates for keyword in widen(node)]
    return chosen


def _alone(node: Node, keywords: tuple[str, ...], document: Node) -> Node:
    """A subschema that can be compiled by itself."""
    if "oneOf" in keywords or "allOf" in keywords:
        return {**node, "$defs": document.get("$defs", {})}
    kept = {key: value for key, value in node.items() if key in {*keywords, "type", "minLength", "maxLength", "format"}}
    for key in ("properties", "patternProperties"):
        if key in kept:
            kept[key] = dict.fromkeys(node[key], True)
    return kept


def _drop(*keywords: str) -> Callable[[Node], list[str]]:
    """Lose keywords."""

    def widen(node: Node) -> list[str]:
        return [key for key in keywords if node.pop(key, None) is not None]

    return widen


def _any_of(node: Node) -> list[str]:
    """Alternatives of which one holds become alternatives of which at least one holds."""
    branches = node.pop("oneOf")
    if "anyOf" in node:
        node["allOf"] = [*node.get("allOf", []), {"anyOf": node.pop("anyOf")}]
    node["anyOf"] = branches
    return ["oneOf"]


def _pattern(node: Node) -> list[str]:
    """A pattern goes; where it only cannot be joined with a length, the lengths go."""
    if "pattern" not in node:
        return _pattern_properties(node) if "patternProperties" in node else []
    if {"minLength", "maxLength", "format"} & node.keys() and not refusal(
        {"type": "string", "pattern": node["pattern"]}
    ):
        return _drop("minLength", "maxLength", "format")(node)
    return _drop("pattern")(node)


def _pattern_properties(node: Node) -> list[str]:
    """Properties by pattern become properties by any name: each conforms to what one of the patterns says."""
    schemas = list(node.pop("patternProperties").values())
    if node.get("additionalProperties") is False:
        node["additionalProperties"] = {"anyOf": schemas}
    else:
        node.pop("additionalProperties", None)
    return ["patternProperties"]


def _branches(node: Node) -> list[str]:
    """A conjunction loses the members that branch."""
    kept = [one for one in node.pop("allOf") if isinstance(one, dict) and not {"anyOf", "oneOf", "$ref"} & one.keys()]
    if kept:
        node["allOf"] = kept
    return ["allOf"]


def _anything(document: Node, fault: str) -> list[tuple[str, str, str]]:
    """Widen the innermost subschema that does not compile by itself, by its first keyword that matters."""
    for place, node in nodes(document):
        whole = {**node, "$defs": document.get("$defs", {})}
        if not refusal(whole):
            continue
        for key in _EVERY:
            if key in node and not refusal({other: value for other, value in whole.items() if other != key}):
                del node[key]
                return [(place, key, fault)]
        if place:
            lost = [key for key in node if key != "$defs"]
            for key in lost:
                del node[key]
            return [(place, key, fault) for key in lost]
    return []


def _place(document: Node, ends: float) -> str:
    """The innermost subschema that does not compile by itself; the root where all others do, or time was up."""
    for place, node in nodes(document):
        if time.process_time() > ends:
            break
        if refusal({**node, "$defs": document.get("$defs", {})}):
            return place
    return ""


_REMEDIES: tuple[tuple[str, tuple[str, ...], Callable[[Node], list[str]]], ...] = (
    (r"oneOf", ("oneOf",), _any_of),
    (r"patternPropert\w+ regex", ("patternProperties",), _pattern_properties),
    (r"regex|look-?around|backreference|pattern", ("pattern", "patternProperties"), _pattern),
    (r"range|multipleOf", _BOUNDS, _drop(*_BOUNDS)),
    (r"[Uu]nknown format", ("format",), _drop("format")),
    (r"min/maxProperties|Properties", ("minProperties", "maxProperties"), _drop("minProperties", "maxProperties")),
    (r"too large", ("allOf",), _branches),
)
