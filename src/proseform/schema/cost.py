"""What it costs to check a value by a schema, bounded before a validator is asked.

A validator looks at a subschema once for each way that leads to it: an ``allOf`` chain of 27 links that each refer
twice to the next is 1.9 kB and 2^27 looks. Looks are counted here without making them. Steps are counted for one value;
by the graph of :mod:`proseform.schema.graph`, each pair of subschema and part of the value once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from proseform.errors import InputError
from proseform.schema.graph import Edge, Node

MAX_LOOKS = 100_000
"""At one value, by all ways (1 ms in jsonschema-rs, without words for the fault). Public schemas need 4,200."""

MAX_STEPS = 1_000_000
"""To check one value: 10 ms in jsonschema-rs."""

MAX_WORDED = 2_000
"""Looks up to which the fault of a value is told in words: jsonschema-rs gathers the faults of every branch."""


def looks(nodes: Mapping[str, Node], where: str) -> int:
    """The most looks that a subschema costs at one value.

    Raises:
        InputError: More than :data:`MAX_LOOKS`, or a subschema that refers to itself before it says anything.
    """
    counted: dict[str, int] = {}
    for place in _from_the_leaves(nodes, where):
        same = [edge.target for edge in nodes[place].edges if edge.position == "same"]
        counted[place] = 1 + sum(counted[target] for target in same)
        if counted[place] > MAX_LOOKS:
            raise InputError(
                f"{where}: {place or '/'} is too intertwined: checking one value by it takes more than "
                f"{MAX_LOOKS} looks at its subschemas.",
                hint="Refer to each definition once.",
            )
    return max(counted.values())


def look(_: Node) -> int:
    """What a look at a subschema counts: one step, whatever it says."""
    return 1


def comparisons(node: Node) -> int:
    """What a look at a subschema counts with what it is compared with: names, subschemas, values of an ``enum``.

    A text is found among texts at once; other values are compared one by one.

    >>> comparisons(Node("", {"enum": ["a", "b"]})), comparisons(Node("", {"enum": [{}, 0.5]}))
    (1, 3)
    """
    if isinstance(node.schema, bool):
        return 1
    enum, names = node.schema.get("enum", ()), node.schema.get("required", ())
    listed = 0 if all(isinstance(value, str) for value in enum) else len(enum)
    return 1 + len(node.edges) + listed + (len(names) if isinstance(names, list) else 0)


def steps(nodes: Mapping[str, Node], value: Any, most: int = MAX_STEPS, weight: Callable[[Node], int] = look) -> int:
    """How often a validator looks at a subschema to check one value; ``most + 1`` where that is more than ``most``.

    It takes time for ``most`` steps at most: each edge from one pair of subschema and part to another is a step of its
    own, so that more edges than ``most`` are more steps than that.

    >>> from proseform.schema.graph import graph
    >>> twice = graph({"allOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]}, 2020, "schema")
    >>> [steps(twice, value) for value in ([], [[]], [[[]]])], steps(twice, [[[]]], most=20)
    ([3, 11, 27], 21)
    """
    counted: dict[tuple[str, int], int] = {}
    todo: list[tuple[str, Any]] = [("", value)]
    edges = 0
    while todo:
        place, part = todo[-1]
        key = (place, id(part))
        if key in counted:
            todo.pop()
            continue
        applied = (pair for edge in nodes[place].edges for pair in _applied(edge, part))
        further = list(islice(applied, most + 1 - edges))
        open_pairs = [pair for pair in further if (pair[0], id(pair[1])) not in counted]
        if edges + len(further) > most or len(todo) + len(open_pairs) > most:
            return most + 1
        if open_pairs:
            todo += open_pairs
            continue
        edges += len(further)
        counted[key] = weight(nodes[place]) + sum(counted[target, id(inner)] for target, inner in further)
        if counted[key] > most:
            return most + 1
        todo.pop()
    return counted["", id(value)]


def recursive(nodes: Mapping[str, Node]) -> bool:
    """Whether some subschema comes back to itself, so that steps may grow with the depth of a value."""
    state: dict[str, bool] = {}
    todo: list[tuple[str, bool]] = [("", False)]
    while todo:
        place, leaving = todo.pop()
        if leaving:
            state[place] = True
        elif place not in state:
            state[place] = False
            todo.append((place, True))
            for edge in nodes[place].edges:
                if state.get(edge.target) is False:
                    return True
                if edge.target not in state:
                    todo.append((edge.target, False))
    return False


def _applied(edge: Edge, part: Any) -> Iterator[tuple[str, Any]]:
    """The pairs of subschema and part that an edge leads to."""
    if edge.position == "same":
        yield edge.target, part
    elif isinstance(part, Mapping):
        match edge.keyword:
            case "properties":
                if edge.steps[1] in part:
                    yield edge.target, part[edge.steps[1]]
            case "patternProperties" | "additionalProperties" | "unevaluatedProperties":
                yield from ((edge.target, child) for child in part.values())
    elif isinstance(part, list) and edge.keyword in _ITEMS:
        index = edge.steps[1] if len(edge.steps) > 1 else None
        if index is None:
            yield from ((edge.target, child) for child in part)
        elif isinstance(index, int) and index < len(part):
            yield edge.target, part[index]


def _from_the_leaves(nodes: Mapping[str, Node], where: str) -> Iterator[str]:
    """Places in an order in which what a subschema applies to its own value comes before it.

    Raises:
        InputError: There is no such order, as a subschema refers to itself.
    """
    state: dict[str, bool] = {}
    for start in nodes:
        todo = [(start, False)]
        while todo:
            place, leaving = todo.pop()
            if leaving:
                state[place] = True
                yield place
            elif place not in state:
                state[place] = False
                todo.append((place, True))
                for edge in nodes[place].edges:
                    if edge.position == "same" and state.get(edge.target) is False:
                        raise InputError(
                            f"{where}: {edge.target or '/'} refers to itself before it says anything; no value can be "
                            "checked by it.",
                            hint="A recursive schema names what lies between: a property, or the items of an array.",
                        )
                    if edge.position == "same" and edge.target not in state:
                        todo.append((edge.target, False))


_ITEMS = frozenset({"items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"})
