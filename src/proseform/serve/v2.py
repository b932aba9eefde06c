"""KServe's V2, the Open Inference Protocol by HTTP: one BYTES tensor for each input, and for each output.

Tensors are JSON or, by the binary extension, raw bytes after the JSON (:mod:`proseform.serve.tensors`). Left out:
sequences, other data types.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proseform.errors import InputError, ProseformError
from proseform.infer.answer import Answer
from proseform.serve import faults, reading, tensors
from proseform.serve.admission import MAX_INSTANCES
from proseform.serve.exchange import Exchange, Response, written
from proseform.serve.tensors import HINT, MAX_DIMENSIONS, OUTPUTS, Asked, Columns, shown

LENGTH = "inference-header-content-length"
"""The header with the number of bytes of a body that are JSON; binary data follow."""
_LISTS = MAX_INSTANCES * MAX_DIMENSIONS
"""Most lists within the data of a JSON tensor: as many as a usable shape can need."""


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
        raise InputError("Field 'inputs' is missing or no list.", hint=HINT)
    requested = body.get("outputs")
    tensors.check_numbers(len(body["inputs"]), len(requested) if isinstance(requested, list) else 0)
    columns = Columns()
    for number, tensor in enumerate(body["inputs"]):
        rest = _add(columns, tensor, f"inputs[{number}]", rest)
    if len(rest):
        raise InputError(f"{len(rest)} bytes follow that no tensor claims.", hint="State binary_data_size in each.")
    identity = body.get("id", "")
    if not isinstance(identity, str):
        raise InputError(f"Field 'id' is {type(identity).__name__}, expected text.")
    return Asked(columns.cases(reader.task), _outputs(body), identity)


def response(asked: Asked, outcomes: Sequence[Answer | ProseformError], model: str) -> Response:
    """The response: the requested tensors, in the order of the cases."""
    outputs: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for name, binary, column in tensors.given(asked, outcomes):
        output: dict[str, Any] = {"name": name, "shape": [len(column)], "datatype": "BYTES"}
        if binary:
            blobs.append(tensors.packed(column))
            output["parameters"] = {"binary_data_size": len(blobs[-1])}
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


def _add(columns: Columns, tensor: Any, where: str, rest: memoryview) -> memoryview:
    """Add a tensor; gives the binary data that remain."""
    if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
        raise InputError(f"{where} is no tensor with a name.", hint=HINT)
    name = tensor["name"]
    parameters = tensor.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise InputError(
            f"{shown(name)}: its parameters are {type(parameters).__name__}, expected an object.", hint=HINT
        )
    if "binary_data_size" not in parameters:
        columns.add(name, tensor.get("datatype"), tensor.get("shape"), _flat(tensor.get("data"), name))
        return rest
    size = parameters["binary_data_size"]
    if type(size) is not int or not 0 <= size <= len(rest):
        raise InputError(f"{shown(name)}: its binary_data_size is {size!r:.20}; {len(rest)} bytes follow.")
    columns.add(name, tensor.get("datatype"), tensor.get("shape"), tensors.unpacked(rest[:size], name))
    return rest[size:]


def _flat(data: Any, name: str) -> Iterator[str]:
    """The elements of a JSON tensor, which may be nested as its shape is."""
    if not isinstance(data, list):
        raise InputError(f"{shown(name)} has no list of data.", hint=HINT)
    todo, at, lists = [iter(data)], 0, 0
    while todo:
        for item in todo[-1]:
            if isinstance(item, list):
                lists += 1
                if lists > _LISTS:
                    raise InputError(f"{shown(name)} has more than {_LISTS} lists within its data.", hint=HINT)
                todo.append(iter(item))
                break
            if not isinstance(item, str):
                raise InputError(f"{shown(name)}: element {at} is {type(item).__name__}, expected text.", hint=HINT)
            yield item
            at += 1
        else:
            todo.pop()


def _outputs(body: Mapping[str, Any]) -> dict[str, bool]:
    """The requested tensors (all, unless the request names some), and whether each is binary."""
    parameters = body.get("parameters") or {}
    requested = body.get("outputs") or [{"name": name} for name in OUTPUTS]
    if not isinstance(requested, list) or not isinstance(parameters, dict):
        raise InputError("Fields 'outputs' and 'parameters' are a list and an object.")
    default, outputs = parameters.get("binary_data_output", False), {}
    for output in requested:
        name = tensors.output(output.get("name") if isinstance(output, dict) else None)
        own = output.get("parameters") or {}
        binary = own.get("binary_data", default) if isinstance(own, dict) else None
        if not isinstance(binary, bool):
            raise InputError(f"Output '{name}': its parameter binary_data is neither true nor false.")
        outputs[name] = binary
    return outputs
