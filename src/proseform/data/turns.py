"""A conversation as a case: what was asked are the inputs, what was answered in JSON is the answer."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from proseform import jsonl
from proseform.errors import RowError
from proseform.schema import Schema
from proseform.strict import DECODER

TEXT, SYSTEM = "text", "system"
"""Names of the inputs: the user's turn, and the system's."""
_ROLES = {"human": "user", "gpt": "assistant", "user": "user", "assistant": "assistant", "system": "system"}
_CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n?```", re.DOTALL)
_LONGEST = 100_000
"""Characters of a Python value that is read."""

_Case = tuple[dict[str, str], dict[str, Any]]


def case(turns: Any, name: str, schema: Schema) -> _Case:
    """Inputs and answer of a conversation: a system's turn or none, one of the user, one of the assistant.

    What follows the assistant's first turn (results of tools, further questions) is passed over.

    Raises:
        RowError: It is no such conversation, or its answer is no JSON; the message is the fault in words.
    """
    read = [_turn(turn, f"{name}.{place}") for place, turn in enumerate(_listed(turns, name))]
    inputs: dict[str, str] = {}
    for place, (role, content, calls) in enumerate(read):
        if role == "assistant":
            if TEXT not in inputs:
                raise RowError(f"field '{name}.{place}': the assistant speaks before the user")
            return inputs, _fitted(calls, schema, name) if calls else answer(content, schema, f"{name}.{place}")
        key = SYSTEM if role == "system" else TEXT
        if key in inputs or role not in ("system", "user"):
            raise RowError(f"field '{name}.{place}': a second turn of the {role} before an answer")
        inputs[key] = content
    raise RowError(f"field '{name}': the assistant does not answer")


def pair(prompt: Any, completion: Any, schema: Schema) -> _Case:
    """Inputs and answer of a prompt and its completion, each a text or messages.

    Raises:
        RowError: As :func:`case`.
    """
    if isinstance(prompt, str) and isinstance(completion, str):
        return {TEXT: prompt}, answer(completion, schema, "completion")
    asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else _listed(prompt, "prompt")
    answered = (
        [{"role": "assistant", "content": completion}]
        if isinstance(completion, str)
        else _listed(completion, "completion")
    )
    return case([*asked, *answered], "prompt", schema)


def answer(text: str, schema: Schema, where: str) -> dict[str, Any]:
    r"""The answer that a text holds: JSON, JSON in a fence, or tool calls.

    Raises:
        RowError: None of them, or no object.

    >>> tool = Schema({"properties": {"symbol": {}}})
    >>> answer("<tool_call>\n{'arguments': {'symbol': 'TSLA'}, 'name': 'quote'}\n</tool_call>", tool, "value")
    {'symbol': 'TSLA'}
    """
    calls = _CALL.findall(text)
    if calls:
        return _fitted([_value(call, where) for call in calls], schema, where)
    fenced = _FENCE.search(text)
    value = _value(fenced[1] if fenced else text, where)
    if not isinstance(value, dict):
        raise RowError(f"field '{where}' holds {jsonl.kind(value)}, expected an object")
    return value


def _fitted(calls: Sequence[Any], schema: Schema, where: str) -> dict[str, Any]:
    """Tool calls as the schema has them: name and arguments, the arguments alone, or all of them in its one array."""
    for call in calls:
        if not isinstance(call, dict) or not isinstance(call.get("arguments"), dict) or "name" not in call:
            raise RowError(f"field '{where}': a tool call has a name and arguments")
    plain = [{"name": call["name"], "arguments": call["arguments"]} for call in calls]
    arrays = [name for name in schema.fields if schema.document["properties"][name].get("type") == "array"]
    if len(schema.fields) == 1 and arrays:
        return {arrays[0]: plain}
    if len(calls) > 1:
        raise RowError(f"field '{where}' has {len(calls)} tool calls, and the schema has not one array for them")
    return plain[0] if {"name", "arguments"} <= {*schema.fields} else plain[0]["arguments"]


def _turn(turn: Any, where: str) -> tuple[str, str, list[Any]]:
    """Role, content and tool calls of a message."""
    if not isinstance(turn, Mapping):
        raise RowError(f"field '{where}' is {jsonl.kind(turn)}, expected a message")
    stated = turn.get("role", turn.get("from"))
    role = _ROLES.get(stated, str(stated)) if isinstance(stated, str) else ""
    content = turn.get("content", turn.get("value"))
    if isinstance(content, list):
        content = "\n".join(str(part["text"]) for part in content if isinstance(part, Mapping) and "text" in part)
    calls = [call.get("function", call) for call in turn.get("tool_calls") or [] if isinstance(call, Mapping)]
    if not isinstance(content, str) and not (content is None and calls):
        raise RowError(f"field '{where}': the content is {jsonl.kind(content)}, expected text")
    return role, content or "", [_called(call, where) for call in calls]


def _called(call: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A tool call whose arguments are JSON in a text, or an object already."""
    arguments = call.get("arguments")
    return {**call, "arguments": _value(arguments, where) if isinstance(arguments, str) else arguments}


def _listed(value: Any, name: str) -> list[Any]:
    """A list of messages; Parquet and CSV may hold it as JSON."""
    value = _value(value, name) if isinstance(value, str) else value
    if not isinstance(value, list) or not value:
        raise RowError(f"field '{name}' is {jsonl.kind(value)}, expected messages")
    return value


def _value(text: str, where: str) -> Any:
    """A value that is written as JSON, or as Python prints it."""
    try:
        return DECODER.decode(text.strip())
    except (ValueError, RecursionError) as error:
        try:
            value = ast.literal_eval(text.strip()) if len(text) <= _LONGEST else None
            return json.loads(json.dumps(value, allow_nan=False)) if isinstance(value, dict | list) else _refused(error)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise RowError(f"field '{where}' is no JSON ({error})") from error


def _refused(error: Exception) -> Any:
    """Raise what JSON says of a text."""
    raise error
