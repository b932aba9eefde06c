"""The definitions of a grammar: what its references lead to, each under a name that needs no escaping."""

from __future__ import annotations

import re
from collections import deque
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
        self._pending: deque[str] = deque()
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._ends: dict[str, str] = {}

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Place and name of each definition that was referred to and not written yet."""
        while self._pending:
            place = self._pending.popleft()
            yield place, self._names[place]

    def refer(self, place: str) -> dict[str, Any] | bool:
        """A reference to a place, in the words of draft 2020-12; references that only refer on are passed over."""
        place = self._end(place)
        schema = self._nodes[place].schema
        if isinstance(schema, bool) or place not in self._inhabited:
            return schema is True
        if not place:
            return {"$ref": "#"}
        if place not in self._names:
            self._names[place] = self._name(place)
            self._pending.append(place)
        return {"$ref": f"#/$defs/{self._names[place]}"}

    def _end(self, place: str) -> str:
        """Where references that only refer on lead to in the end; each is followed once."""
        passed = []
        while place not in self._ends and self._only_refers(place):
            passed.append(place)
            place = self._nodes[place].edges[0].target
        end = self._ends.get(place, place)
        self._ends.update(dict.fromkeys(passed, end))
        return end

    def _only_refers(self, place: str) -> bool:
        """Whether a subschema says nothing but what it refers to."""
        node = self._nodes[place]
        if isinstance(node.schema, bool) or place not in self._inhabited:
            return False
        only = len(node.edges) == 1 and node.edges[0].keyword == "$ref"
        return only and (self._draft <= REFERENCE_ALONE or len(node.schema.keys() - _ANNOTATIONS) <= 1)

    def _name(self, place: str) -> str:
        """A name for a definition: its own where it has one, with the least number from 2 on where that is taken."""
        own = name = re.sub(r"[^A-Za-z0-9_.-]+", "_", place.rsplit("/", 1)[-1])[-60:] or "_"
        while name in self._taken:
            number = self._numbers[own] = self._numbers.get(own, 1) + 1
            name = f"{own}_{number}"
        self._taken.add(name)
        return name
