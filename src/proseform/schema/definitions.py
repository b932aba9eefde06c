"""The definitions of a grammar: what its references lead to, each under a name that needs no escaping."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from proseform.schema.draft import REFERENCE_ALONE, Number
from proseform.schema.graph import Node

_ANNOTATIONS = frozenset({
    "$schema", "$id", "id", "$anchor", "$comment", "$defs", "definitions", "title", "description", "default",
    "examples", "deprecated", "readOnly", "writeOnly",
})  # fmt: skip
"""Keywords that say nothing of a value."""


class Definitions:
    """Names subschemas that are referred to. Iterate to write them: those that writing adds come too, each once.

    Args:
        nodes: The graph of the schema.
        draft: Its draft.
        inhabited: The places that may have a document; a reference to any other is ``False``.
    """

    def __init__(self, nodes: Mapping[str, Node], draft: Number, inhabited: Collection[str]) -> None:
        self._nodes, self._draft, self._inhabited = nodes, draft, inhabited
        self._names: dict[str, str] = {}
        self._pending: list[str] = []

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Place and name of each definition that was referred to and not written yet."""
        while self._pending:
            place = self._pending.pop(0)
            yield place, self._names[place]

    def refer(self, place: str) -> dict[str, Any] | bool:
        """A reference to a place, in the words of draft 2020-12; references that only refer on are passed over."""
        while True:
            node = self._nodes[place]
            if isinstance(node.schema, bool) or place not in self._inhabited:
                return node.schema is True
            only = len(node.edges) == 1 and node.edges[0].keyword == "$ref"
            if not only or (self._draft > REFERENCE_ALONE and len(node.schema.keys() - _ANNOTATIONS) > 1):
                break
            place = node.edges[0].target
        if not place:
            return {"$ref": "#"}
        if place not in self._names:
            self._names[place] = self._name(place)
            self._pending.append(place)
        return {"$ref": f"#/$defs/{self._names[place]}"}

    def _name(self, place: str) -> str:
        """A name for a definition: its own where it has one, with a number where that is taken."""
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", place.rsplit("/", 1)[-1])[-60:] or "_"
        taken = set(self._names.values())
        return name if name not in taken else next(n for i in range(2, 10**6) if (n := f"{name}_{i}") not in taken)
