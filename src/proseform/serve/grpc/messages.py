"""The messages of the Open Inference Protocol's ``GRPCInferenceService``, as far as they are used here.

Fields that are not listed (parameters, contents of other types) are passed over, as protobuf does with fields that a
reader does not know. The descriptors are in a pool of their own: a client's library in the same process has its own.

Source of names and numbers: open-inference-protocol, ``open_inference_grpc.proto``.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from proseform.errors import InputError

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"
_SCALARS = {"bool": Field.TYPE_BOOL, "bytes": Field.TYPE_BYTES, "int64": Field.TYPE_INT64, "string": Field.TYPE_STRING}
_MODEL = "name=1 string, version=2 string"
_TENSOR = "name=1 string, datatype=2 string, shape=3 int64*"
_FIELDS = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "live=1 bool",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "ready=1 bool",
    "ModelReadyRequest": _MODEL,
    "ModelReadyResponse": "ready=1 bool",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "name=1 string, version=2 string, extensions=3 string*",
    "ModelMetadataRequest": _MODEL,
    "ModelMetadataResponse": "name=1 string, versions=2 string*, platform=3 string, "
    "inputs=4 ModelMetadataResponse.TensorMetadata*, outputs=5 ModelMetadataResponse.TensorMetadata*",
    "ModelMetadataResponse.TensorMetadata": _TENSOR,
    "InferTensorContents": "bytes_contents=8 bytes*",
    "ModelInferRequest": "model_name=1 string, model_version=2 string, id=3 string, "
    "inputs=5 ModelInferRequest.InferInputTensor*, outputs=6 ModelInferRequest.InferRequestedOutputTensor*, "
    "raw_input_contents=7 bytes*",
    "ModelInferRequest.InferInputTensor": f"{_TENSOR}, contents=5 InferTensorContents",
    "ModelInferRequest.InferRequestedOutputTensor": "name=1 string",
    "ModelInferResponse": "model_name=1 string, model_version=2 string, id=3 string, "
    "outputs=5 ModelInferResponse.InferOutputTensor*, raw_output_contents=6 bytes*",
    "ModelInferResponse.InferOutputTensor": f"{_TENSOR}, contents=5 InferTensorContents",
}
"""Each message's fields: name=number and type; a star for a list."""


def _pool() -> DescriptorPool:
    """The messages' descriptors."""
    file = FileDescriptorProto(name="open_inference.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        outer, _, inner = name.rpartition(".")
        within = next(message for message in file.message_type if message.name == outer).nested_type if outer else None
        message = (file.message_type if within is None else within).add(name=inner)
        for text in filter(None, fields.split(", ")):
            field, kind = text.split(" ")
            label, number = field.split("=")
            stated = message.field.add(name=label, number=int(number), label=Field.LABEL_OPTIONAL)
            if kind.endswith("*"):
                stated.label = Field.LABEL_REPEATED
            kind = kind.removesuffix("*")
            if kind in _SCALARS:
                stated.type = _SCALARS[kind]
            else:
                stated.type, stated.type_name = Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    pool = DescriptorPool()
    pool.Add(file)
    return pool


POOL = _pool()


def new(name: str, /, **values: Any) -> Any:
    """A message of this name."""
    return GetMessageClass(POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))(**values)


def read(name: str, data: bytes) -> Any:
    """A message of this name out of its bytes.

    Raises:
        InputError: They are no such message.
    """
    message = new(name)
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise InputError(f"The body is no {name} of the Open Inference Protocol.") from error
    return message
