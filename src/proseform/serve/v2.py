"""KServe's V2, the Open Inference Protocol: one BYTES tensor for each input; replies with answer, prose, bundle, error.

The n-th element of each tensor belongs to the n-th case. Tensors are JSON or, by the binary extension, raw bytes after
the JSON: each element is its length in four bytes (little-endian) and then its text. Left out: gRPC, sequences, other
data types.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proseform.errors import InputError, ProseformError
from proseform.infer.answer import Answer
from proseform.serve import faults, reading
from proseform.serve.exchange import Exchange, Response, written

OUTPUTS = ("answer", "prose", "bundle", "error")
LENGTH = "inference-header-content-length"
"""The header with the number of bytes of a body that are JSON; binary data follow."""
_HINT = "Send BYTES tensors of shape [cases], one for each input."


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to V2.

    Attributes:
        instances: The cases, input name to text.
        outputs: The tensors to return, and whether each is binary.
        id: The request's id, which the response repeats; empty where it has none.
    """

    instances: list[dict[str, Any]]
    outputs: Mapping[str, bool]
    id: str


async def read(exchange: Exchange, reader: reading.Reader) -> Asked:
    """Read a request.

    Raises:
        InputError: The request is invalid; the tensor is named.
    """
    data = await exchange.body()
    stated = exchange.headers.get(LENGTH, str(len(data)))
    if not (stated.isascii() and stated.isdigit() and len(stated) < 19 and int(stated) <= len(data)):  # noqa: PLR2004
        raise InputError(f"The header {LENGTH} is {stated!r:.40}; the body has {len(data)} bytes.")
    head, rest = data[: int(stated)], memoryview(data)[int(stated) :]
    body = await reader.json(head)
    if not isinstance(body, dict) or not isinstance(body.get("inputs"), list):
        raise InputError("Field 'inputs' is missing or no list.", hint=_HINT)
    columns: dict[str, list[str]] = {}
    for number, tensor in enumerate(body["inputs"]):
        name, column, rest = _tensor(tensor, f"inputs[{number}]", rest)
        if name in columns:
            raise InputError(f"Tensor {name!r:.60} occurs twice.", hint=_HINT)
        columns[name] = column
    if len(rest):
        raise InputError(f"{len(rest)} bytes follow that no tensor claims.", hint="State binary_data_size in each.")
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        sizes = ", ".join(map(str, sorted(lengths))) or "no"
        raise InputError(f"The tensors have {sizes} elements.", hint="Send one element for each case in every tensor.")
    cases = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    identity = body.get("id", "")
    if not isinstance(identity, str):
        raise InputError(f"Field 'id' is {type(identity).__name__}, expected text.")
    return Asked(
        [{name: reading.as_text(reader.task, name, text) for name, text in case.items()} for case in cases],
        _outputs(body),
        identity,
    )


def response(asked: Asked, outcomes: Sequence[Answer | ProseformError], model: str) -> Response:
    """The response: the requested tensors, in the order of the cases."""
    rows = [_row(outcome) for outcome in outcomes]
    outputs: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for name, binary in asked.outputs.items():
        output: dict[str, Any] = {"name": name, "shape": [len(rows)], "datatype": "BYTES"}
        column = [row[name] for row in rows]
        if binary:
            blob = b"".join(struct.pack("<I", len(text)) + text for text in map(_encoded, column))
            blobs.append(blob)
            output["parameters"] = {"binary_data_size": len(blob)}
        else:
            output["data"] = column
        outputs.append(output)
    about = {"model_name": model, **({"id": asked.id} if asked.id else {})}
    body = written({**about, "outputs": outputs})
    if not blobs:
        return Response(200, body)
    return Response(200, b"".join([body, *blobs]), "application/octet-stream", {LENGTH: str(len(body))})


def error(fault: BaseException) -> tuple[int, dict[str, str]]:
    """An error's HTTP status and body, which the protocol wants as one text."""
    words = faults.as_json(fault)
    return faults.plain_status(fault), {"error": f"{words['reason']}: {words['message']} {words['hint']}".strip()}


def server() -> dict[str, Any]:
    """The server's metadata."""
    return {
        "name": "proseform",
        "version": importlib.metadata.version("proseform"),
        "extensions": ["binary_tensor_data"],
    }


def metadata(model: str, inputs: Sequence[str]) -> dict[str, Any]:
    """The model's metadata."""
    return {
        "name": model,
        "versions": [],
        "platform": "proseform",
        "inputs": [{"name": name, "datatype": "BYTES", "shape": [-1]} for name in inputs],
        "outputs": [{"name": name, "datatype": "BYTES", "shape": [-1]} for name in OUTPUTS],
    }


def _tensor(tensor: Any, where: str, rest: memoryview) -> tuple[str, list[str], memoryview]:
    """A tensor's name and elements, and the binary data that remain."""
    if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
        raise InputError(f"{where} is no tensor with a name.", hint=_HINT)
    name, shown = tensor["name"], f"Tensor {tensor['name']!r:.60}"
    if tensor.get("datatype") != "BYTES":
        raise InputError(f"{shown} is of type {tensor.get('datatype')!r:.20}, expected BYTES.", hint=_HINT)
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and 0 <= size < 1 << 31 for size in shape):
        raise InputError(f"{shown}: its shape is no list of sizes.", hint=_HINT)
    parameters = tensor.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise InputError(f"{shown}: its parameters are {type(parameters).__name__}, expected an object.", hint=_HINT)
    if "binary_data_size" in parameters:
        column, rest = _unpacked(parameters["binary_data_size"], shown, rest)
    else:
        column = _flat(tensor.get("data"), shown)
    if len(column) != math.prod(shape):
        raise InputError(f"{shown} has {len(column)} elements, which is not its shape {shape}.", hint=_HINT)
    return name, column, rest


def _unpacked(size: Any, shown: str, rest: memoryview) -> tuple[list[str], memoryview]:
    """The elements of a binary tensor, and the binary data that remain."""
    if type(size) is not int or not 0 <= size <= len(rest):
        raise InputError(f"{shown}: its binary_data_size is {size!r:.20}; {len(rest)} bytes follow.")
    data, rest = rest[:size], rest[size:]
    column: list[str] = []
    while len(data):
        length = int.from_bytes(data[:4], "little")
        if len(data) < 4 or len(data) - 4 < length:  # noqa: PLR2004 - bytes of a length
            raise InputError(f"{shown}: element {len(column)} is cut off.")
        try:
            column.append(bytes(data[4 : 4 + length]).decode())
        except UnicodeDecodeError as error:
            raise InputError(f"{shown}: element {len(column)} is no UTF-8.", hint="Send text in UTF-8.") from error
        data = data[4 + length :]
    return column, rest


def _flat(data: Any, shown: str) -> list[str]:
    """The elements of a JSON tensor, which may be nested as its shape is."""
    if not isinstance(data, list):
        raise InputError(f"{shown} has no list of data.", hint=_HINT)
    column: list[str] = []
    todo = list(reversed(data))
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo += reversed(item)
        elif isinstance(item, str):
            column.append(item)
        else:
            raise InputError(f"{shown}: element {len(column)} is {type(item).__name__}, expected text.", hint=_HINT)
    return column


def _outputs(body: Mapping[str, Any]) -> dict[str, bool]:
    """The requested tensors (all, unless the request names some), and whether each is binary."""
    parameters = body.get("parameters") or {}
    requested = body.get("outputs") or [{"name": name} for name in OUTPUTS]
    if not isinstance(requested, list) or not isinstance(parameters, dict):
        raise InputError("Fields 'outputs' and 'parameters' are a list and an object.")
    default, outputs = parameters.get("binary_data_output", False), {}
    for output in requested:
        name = output.get("name") if isinstance(output, dict) else None
        if name not in OUTPUTS:
            raise InputError(f"No output {name!r:.60}.", hint=f"There are {', '.join(OUTPUTS)}.")
        own = output.get("parameters") or {}
        binary = own.get("binary_data", default) if isinstance(own, dict) else None
        if not isinstance(binary, bool):
            raise InputError(f"Output '{name}': its parameter binary_data is neither true nor false.")
        outputs[name] = binary
    return outputs


def _row(outcome: Answer | ProseformError) -> dict[str, str]:
    """One case as elements of the tensors."""
    if isinstance(outcome, Answer):
        text = json.dumps(outcome.value, ensure_ascii=False)
        return {"answer": text, "prose": outcome.prose, "bundle": outcome.bundle, "error": ""}
    error = json.dumps(faults.as_json(outcome), ensure_ascii=False)
    return {"answer": "", "prose": "", "bundle": "", "error": error}


def _encoded(text: str) -> bytes:
    """Text as bytes; a lone surrogate becomes a question mark."""
    return text.encode(errors="replace")
