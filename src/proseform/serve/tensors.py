"""The Open Inference Protocol's tensors, by HTTP (:mod:`proseform.serve.v2`) and gRPC (:mod:`proseform.serve.grpc`).

Each input of the task is a tensor of type BYTES, and so is each output; the n-th element of each belongs to the n-th
case. As raw bytes each element is its length in four bytes (little-endian) and then its text.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from proseform.errors import InputError, ProseformError
from proseform.infer.answer import Answer
from proseform.serve import faults, reading
from proseform.serve.admission import MAX_INSTANCES
from proseform.task import Task

OUTPUTS = ("answer", "prose", "bundle", "error")
HINT = "Send BYTES tensors of shape [cases], one for each input."
MAX_TENSORS = 256
"""Most tensors in one request, and most outputs that it names."""
MAX_DIMENSIONS = 8
"""Most sizes in a tensor's shape."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request.

    Attributes:
        instances: The cases, input name to text.
        outputs: The tensors to return, and whether each is raw.
        id: The request's id, which the response repeats; empty where it has none.
    """

    instances: list[dict[str, Any]]
    outputs: Mapping[str, bool]
    id: str


@dataclass(slots=True)
class Columns:
    """The tensors of a request, which give its cases."""

    _texts: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, datatype: Any, shape: Any, elements: Iterable[str]) -> None:
        """Add a tensor by its elements, of which no more are read than a request may have.

        Raises:
            InputError: Its name was there, its type is another, it has too many elements, or its shape has another
                number of them.
        """
        if name in self._texts:
            raise InputError(f"{shown(name)} occurs twice.", hint=HINT)
        if datatype != "BYTES":
            raise InputError(f"{shown(name)} is of type {datatype!r:.20}, expected BYTES.", hint=HINT)
        if isinstance(shape, list) and len(shape) > MAX_DIMENSIONS:
            raise InputError(f"{shown(name)}: its shape has more than {MAX_DIMENSIONS} sizes.", hint=HINT)
        if not isinstance(shape, list) or not all(type(size) is int and 0 <= size < 1 << 31 for size in shape):
            raise InputError(f"{shown(name)}: its shape is no list of sizes.", hint=HINT)
        column = list(islice(elements, MAX_INSTANCES + 1))
        if len(column) > MAX_INSTANCES:
            hint = f"Send 1 to {MAX_INSTANCES} cases in a request."
            raise InputError(f"{shown(name)} has more than {MAX_INSTANCES} elements.", hint=hint)
        if len(column) != math.prod(shape):
            raise InputError(
                f"{shown(name)} has {len(column)} elements, which is not its shape {shape!r:.80}.", hint=HINT
            )
        self._texts[name] = column

    def cases(self, task: Task) -> list[dict[str, Any]]:
        """The cases, input name to text.

        Raises:
            InputError: There is no tensor, or they differ in their numbers of elements.
        """
        lengths = {len(column) for column in self._texts.values()}
        if len(lengths) != 1:
            sizes = ", ".join(map(str, sorted(lengths))) or "no"
            hint = "Send one element for each case in every tensor."
            raise InputError(f"The tensors have {sizes} elements.", hint=hint)
        rows = zip(*self._texts.values(), strict=True)
        return [
            {name: reading.as_text(task, name, text) for name, text in zip(self._texts, row, strict=True)}
            for row in rows
        ]


def check_numbers(inputs: int, outputs: int) -> None:
    """Refuse a request that has, or names, more tensors than any task has.

    Raises:
        InputError: There are more than :data:`MAX_TENSORS`.
    """
    if max(inputs, outputs) > MAX_TENSORS:
        raise InputError(f"There are more than {MAX_TENSORS} tensors.", hint=HINT)


def shown(name: str) -> str:
    """A tensor's name in errors."""
    return f"Tensor {name!r:.60}"


def unpacked(data: memoryview, name: str) -> Iterator[str]:
    """The elements of a tensor out of its raw bytes.

    Raises:
        InputError: One is cut off, or no UTF-8.
    """
    at = 0
    while len(data):
        length = int.from_bytes(data[:4], "little")
        if len(data) < 4 or len(data) - 4 < length:  # noqa: PLR2004 - bytes of a length
            raise InputError(f"{shown(name)}: element {at} is cut off.")
        yield decoded(bytes(data[4 : 4 + length]), name, at)
        data, at = data[4 + length :], at + 1


def packed(column: Sequence[str]) -> bytes:
    """Elements as the raw bytes of a tensor."""
    return b"".join(struct.pack("<I", len(text)) + text for text in map(encoded, column))


def decoded(text: bytes, name: str, at: int) -> str:
    """An element's text.

    Args:
        text: Its bytes.
        name: The tensor's.
        at: The element's place in it.

    Raises:
        InputError: It is no UTF-8.
    """
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{shown(name)}: element {at} is no UTF-8.", hint="Send text in UTF-8.") from error


def encoded(text: str) -> bytes:
    """Text as bytes; a lone surrogate becomes a question mark."""
    return text.encode(errors="replace")


def output(name: Any) -> str:
    """The name of an output that a request names.

    Raises:
        InputError: There is no such output.
    """
    if name not in OUTPUTS:
        raise InputError(f"No output {name!r:.60}.", hint=f"There are {', '.join(OUTPUTS)}.")
    return str(name)


def given(asked: Asked, outcomes: Sequence[Answer | ProseformError]) -> Iterator[tuple[str, bool, list[str]]]:
    """Each requested output: its name, whether it is raw, and its elements."""
    rows = [_row(outcome) for outcome in outcomes]
    for name, raw in asked.outputs.items():
        yield name, raw, [row[name] for row in rows]


def _row(outcome: Answer | ProseformError) -> dict[str, str]:
    """One case as elements of the outputs."""
    if isinstance(outcome, Answer):
        text = json.dumps(outcome.value, ensure_ascii=False)
        return {"answer": text, "prose": outcome.prose, "bundle": outcome.bundle, "error": ""}
    error = json.dumps(faults.as_json(outcome), ensure_ascii=False)
    return {"answer": "", "prose": "", "bundle": "", "error": error}
