"""What a schema says about the shortest way to the end of a document: an estimate that guides the search for endings.

The grammar decides what is allowed; this only says what is likely to be short. It looks at types, ``required``, enums,
constants, least lengths and counts, through references, ``allOf``, ``anyOf`` and ``oneOf``. Left out, so estimated too
low: patterns, formats other than the common ones, ``not``, ``if`` and everything that relates two places.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from proseform.infer.endings.cursor import Cursor, Frame
from proseform.infer.endings.shapes import Shape, both, plain
from proseform.schema.pointer import at

_ESCAPE = re.compile(rb"\\.", re.DOTALL)

_MOST_SHAPES = 16
"""Alternatives of one place that are told apart; further ones are left out of the estimate."""

_DEEPEST = 24
"""Levels of references and alternatives within one another that are followed."""


class Cost(NamedTuple):
    """What the shortest document of a place holds.

    Attributes:
        size: Its bytes.
        texts: Its free strings: those of no enum, constant, pattern or format.
    """

    size: float = 0.0
    texts: int = 0


class Guide:
    """Estimates over one schema.

    Args:
        document: The schema. It must not be changed afterwards.
    """

    def __init__(self, document: Any) -> None:
        self._document = document
        self._shapes: dict[int, tuple[Shape, ...]] = {}
        self._costs: dict[int, Cost] = {}
        self._kept: list[Any] = []  # nodes that were put together here, so that no other takes their id

    def root(self) -> tuple[Any, ...]:
        """The subschemas of the whole document: one."""
        return (self._document,)

    def below(self, nodes: Sequence[Any], frame: Frame) -> tuple[Any, ...]:
        """The subschemas that may hold for the member of a container that is written, given those of the container."""
        children: dict[int, Any] = {}
        for node in nodes:
            for shape in self.shapes(node):
                child = _item(shape, frame.item) if frame.array else _member(shape, frame.names)
                if child is not False:
                    children[id(child)] = child
        return tuple(children.values()) or (True,)

    def rest(self, nodes: Sequence[Any], frame: Frame) -> Cost:
        """What a container takes behind the member that is written, its end included.

        Args:
            nodes: The subschemas that may hold for the container.
            frame: The container.
        """
        shapes = [shape for node in nodes for shape in self.shapes(node)]
        costs = [
            self._array(shape, frame.item + 1) if frame.array else self._object(shape, frame.names) for shape in shapes
        ]
        return min(costs, default=Cost(1))

    def due(self, nodes: Sequence[Any], names: tuple[str, ...]) -> tuple[str, ...]:
        """Keys that some alternative still requires."""
        shapes = [shape for node in nodes for shape in self.shapes(node)]
        return tuple({name: None for shape in shapes for name in shape.required if name not in names})

    def constants(self, nodes: Sequence[Any]) -> tuple[str, ...]:
        """The strings that enums and constants offer, as they are written, without quotes."""
        shapes = [shape for node in nodes for shape in self.shapes(node)]
        texts = [value for shape in shapes for value in shape.constants or () if isinstance(value, str)]
        return tuple(_json(text)[1:-1].decode() for text in texts)

    def samples(self, nodes: Sequence[Any]) -> tuple[bytes, ...]:
        """Strings of patterns and formats, as they are written, without quotes."""
        shapes = [shape for node in nodes for shape in self.shapes(node)]
        return tuple({_json(shape.sample)[1:-1]: None for shape in shapes if shape.sample})

    def missing(self, nodes: Sequence[Any], cursor: Cursor) -> int:
        """Characters that a free string lacks until it may end; 0 where that is not all that holds it open."""
        shapes = [shape for node in nodes for shape in self.shapes(node) if "string" in shape.kinds]
        return min((shape.least[0] - characters(cursor.lexeme) for shape in shapes if shape.free), default=0)

    def estimate(self, cursor: Cursor, levels: Sequence[tuple[Any, ...]]) -> Cost:
        """What a document still takes behind a position.

        Args:
            cursor: The position.
            levels: The subschemas that may hold: of the document, then of the current member of each open container.
        """
        rests = [self.rest(nodes, frame) for nodes, frame in zip(levels, cursor.frames, strict=False)]
        here = self._here(cursor, levels)
        return Cost(here.size + sum(rest.size for rest in rests), here.texts + sum(rest.texts for rest in rests))

    def _here(self, cursor: Cursor, levels: Sequence[tuple[Any, ...]]) -> Cost:
        """What the value or key that is written, or about to begin, still takes."""
        match cursor.mode:
            case "value" | "colon":
                if cursor.frames and cursor.frames[-1] == Frame(array=True) and self._empty(levels[-2]):
                    return Cost()
                cost = min((self.cost(node) for node in levels[-1]), default=Cost())
                return Cost(cost.size + 2 * (cursor.mode == "colon"), cost.texts)
            case "string":
                written = b'"' + cursor.lexeme
                shapes = [shape for node in levels[-1] for shape in self.shapes(node) if "string" in shape.kinds]
                return Cost(min((_string_rest(shape, written) for shape in shapes), default=1.0))
            case "literal":
                return Cost(2.0)
            case "member" | "key":
                names = cursor.frames[-1].names
                keys = [_json(name)[1:-1] for name in self.due(levels[-2], names)]
                if cursor.mode == "member":
                    return Cost(8.0 * bool(names and not keys))
                expected = any(name.startswith(cursor.lexeme) for name in keys)
                return Cost(-1.0 - len(cursor.lexeme) if expected else 9.0)
        return Cost()

    def _empty(self, nodes: Sequence[Any]) -> bool:
        """Whether an array that has just begun may end."""
        return any(shape.least[1] == 0 for node in nodes for shape in self.shapes(node) if "array" in shape.kinds)

    def cost(self, node: Any) -> Cost:
        """The shortest document of a subschema; infinite where it goes round in circles."""
        key = id(node)
        if key not in self._costs:
            self._costs[key] = Cost(math.inf)
            self._costs[key] = min((self._shortest(shape) for shape in self.shapes(node)), default=Cost(math.inf))
        return self._costs[key]

    def shapes(self, node: Any) -> tuple[Shape, ...]:
        """The alternatives of a subschema."""
        key = id(node)
        if key not in self._shapes:
            self._shapes[key] = (Shape(),)
            self._kept.append(node)
            self._shapes[key] = tuple(self._unfolded(node, _DEEPEST))[:_MOST_SHAPES]
        return self._shapes[key]

    def _unfolded(self, node: Any, depth: int) -> list[Shape]:
        """A subschema as alternatives without references and connectives."""
        if not isinstance(node, Mapping):
            return [] if node is False else [Shape()]
        shapes = [plain(node)]
        if depth == 0:
            return shapes
        parts = [node[key] for key in ("allOf",) if isinstance(node.get(key), list)]
        conjuncts = [[part] for group in parts for part in group]
        conjuncts += [node[key] for key in ("anyOf", "oneOf") if isinstance(node.get(key), list)]
        if "$ref" in node:
            conjuncts.append([self._target(str(node["$ref"]))])
        for alternatives in conjuncts:
            unfolded = [shape for part in alternatives for shape in self._unfolded(part, depth - 1)][:_MOST_SHAPES]
            shapes = [both(one, other) for one in shapes for other in unfolded][:_MOST_SHAPES]
        return shapes

    def _target(self, reference: str) -> Any:
        """What a local reference points at; anything where there is nothing."""
        return at(self._document, reference.removeprefix("#"), True)

    def _shortest(self, shape: Shape) -> Cost:
        """The shortest value of one alternative."""
        if shape.constants is not None:
            return Cost(min((float(len(_json(value))) for value in shape.constants), default=math.inf))
        return min((self._typed(shape, kind) for kind in shape.kinds), default=Cost(math.inf))

    def _typed(self, shape: Shape, kind: str) -> Cost:
        """The shortest value of one type."""
        match kind:
            case "object":
                inner = self._object(shape, ())
                return Cost(inner.size - bool(inner.size > 1) + 1, inner.texts)
            case "array":
                inner = self._array(shape, 0)
                return Cost(inner.size - bool(inner.size > 1) + 1, inner.texts)
            case "string":
                return Cost(2.0 + shape.least[0], int(shape.free))
            case "integer" | "number":
                return Cost(float(len(str(math.ceil(shape.low)))) if 0 < shape.low < math.inf else 1.0)
        return Cost(4.0)

    def _object(self, shape: Shape, names: tuple[str, ...]) -> Cost:
        """The members that an object still lacks, and its end; each member with its comma."""
        size, texts, count = 1.0, 0, len(names)
        for name in shape.required:
            if name not in names:
                cost = self.cost((shape.properties or {}).get(name, shape.others))
                size, texts, count = size + len(_json(name)) + 4 + cost.size, texts + cost.texts, count + 1
        return Cost(size + 8 * max(0, shape.least[2] - count), texts)

    def _array(self, shape: Shape, count: int) -> Cost:
        """The items that an array still lacks, and its end."""
        size, texts = 1.0, 0
        for index in range(count, min(shape.least[1], count + 64)):
            cost = self.cost(_item(shape, index))
            size, texts = size + 2 + cost.size, texts + cost.texts
        return Cost(size, texts)


def characters(lexeme: bytes) -> int:
    """Characters of a string as it is written, the last one perhaps cut."""
    plain = _ESCAPE.sub(b"x", lexeme)
    return sum(byte & 0xC0 != 0x80 for byte in plain)  # noqa: PLR2004 - a byte of UTF-8 that begins no character


def _item(shape: Shape, index: int) -> Any:
    """The subschema of an item."""
    return shape.prefix[index] if index < len(shape.prefix) else shape.items


def _member(shape: Shape, names: tuple[str, ...]) -> Any:
    """The subschema of the member that is written."""
    return (shape.properties or {}).get(names[-1], shape.others) if names else True


def _string_rest(shape: Shape, written: bytes) -> float:
    """Bytes until a string that has begun may end."""
    if shape.constants is not None:
        choices = [text for value in shape.constants if (text := _json(value)).startswith(written)]
        return min((float(len(text) - len(written)) for text in choices), default=1.0)
    return 1.0 + max(0, shape.least[0] - characters(written) + 1)


def _json(value: Any) -> bytes:
    """A value as :data:`proseform.infer.FORM` writes it."""
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")
