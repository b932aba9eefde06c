"""Cases as gRPC's messages: BYTES tensors in a request, their contents beside each or raw, and in its response.

The response has the form of the request: raw contents for raw contents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proseform.errors import InputError, ProseformError
from proseform.infer.answer import Answer
from proseform.serve import tensors
from proseform.serve.exchange import Response
from proseform.serve.grpc import messages
from proseform.serve.tensors import HINT, OUTPUTS, Asked, Columns, shown
from proseform.task import Task

KIND = "application/grpc+proto"
"""The content type of a message."""


def asked(message: Any, task: Task) -> Asked:
    """The cases of a ``ModelInferRequest``.

    Raises:
        InputError: It is invalid; the tensor is named.
    """
    raw = message.raw_input_contents
    if raw and len(raw) != len(message.inputs):
        raise InputError(f"raw_input_contents has {len(raw)} elements for {len(message.inputs)} tensors.", hint=HINT)
    tensors.check_numbers(len(message.inputs), len(message.outputs))
    columns = Columns()
    for number, tensor in enumerate(message.inputs):
        name, contents = tensor.name, tensor.contents.bytes_contents
        if raw and contents:
            raise InputError(f"{shown(name)} has contents, and raw_input_contents has them too.", hint="Send one.")
        if raw:
            elements = tensors.unpacked(memoryview(raw[number]), name)
        else:
            elements = (tensors.decoded(text, name, at) for at, text in enumerate(contents))
        shape = list(tensor.shape[: tensors.MAX_DIMENSIONS + 1])  # one more tells that it is too long
        columns.add(name, tensor.datatype, shape, elements)
    outputs = [output.name for output in message.outputs] or OUTPUTS
    return Asked(columns.cases(task), {tensors.output(name): bool(raw) for name in outputs}, message.id)


def response(asked: Asked, outcomes: Sequence[Answer | ProseformError], model: str) -> Response:
    """The ``ModelInferResponse``: the requested tensors, in the order of the cases."""
    message = messages.new("ModelInferResponse", model_name=model, id=asked.id)
    for name, raw, column in tensors.given(asked, outcomes):
        output = message.outputs.add(name=name, datatype="BYTES", shape=[len(column)])
        if raw:
            message.raw_output_contents.append(tensors.packed(column))
        else:
            output.contents.bytes_contents.extend(map(tensors.encoded, column))
    return written(message)


def written(message: Any) -> Response:
    """A message as a response."""
    return Response(200, message.SerializeToString(), KIND)
