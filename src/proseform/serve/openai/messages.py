"""What a request asks for: a model, inputs or prose, a schema, and whether it streams.

The inputs are one user message: a JSON object with an entry for each, or parts that are named as the inputs: text parts
with ``name``, file parts by their file's name without its ending.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from proseform.errors import InputError
from proseform.serve import exchange as http
from proseform.serve.faults import NotFoundError
from proseform.task import Task

FORMATTER = "/formatter"
_PASSED_OVER = frozenset(
    {"frequency_penalty", "max_completion_tokens", "max_tokens", "metadata", "parallel_tool_calls", "presence_penalty"}
    | {"prompt_cache_key", "reasoning_effort", "safety_identifier", "seed", "service_tier", "store", "temperature"}
    | {"top_p", "user", "verbosity"}
)
"""Fields that change nothing: the bundle sets how its models write, and where its documents end."""
_NEUTRAL = {"n": 1, "best_of": 1, "logprobs": False, "echo": False}
"""Fields that may say what is the case anyway."""
_CHAT = frozenset({"model", "messages", "response_format", "tools", "tool_choice", "stream", "stream_options"})
_TEXT = frozenset({"model", "prompt", "response_format", "stream", "stream_options"})


class ParameterError(InputError):
    """A field of a request.

    Args:
        message: What is wrong with it.
        param: Its path.
        hint: What to do.
    """

    def __init__(self, message: str, param: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.param = param


class UnknownModelError(NotFoundError):
    """No such model."""


@dataclass(frozen=True, slots=True)
class File:
    """A file part.

    Attributes:
        data: Its bytes.
        name: Its file's name.
    """

    data: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request.

    Attributes:
        model: The model's name, as sent.
        chat: Whether it asks for a chat completion.
        inputs: The inputs: text, objects, or files; None where prose is given.
        prose: The evaluation that the formatter gets.
        schema: The caller's schema as JSON; None takes the bundle's.
        tool: The tool that is called with the answer; empty answers as content.
        forced: Whether the caller named that tool.
        stream: Whether the answer is streamed.
        usage: Whether a stream ends with what it used.
    """

    model: str
    chat: bool
    inputs: Mapping[str, Any] | None
    prose: str = ""
    schema: Any = None
    tool: str = ""
    forced: bool = False
    stream: bool = False
    usage: bool = False


def models(task: Task) -> tuple[str, str]:
    """The names of the models of a task: the whole way, and the formatter alone."""
    return task.name, task.name + FORMATTER


def chat(body: Any, task: Task) -> Asked:
    """A request for a chat completion.

    Raises:
        ParameterError: A field that cannot be used, by its path.
        UnknownModelError: No such model.
    """
    model = _model(body, task, _CHAT)
    content = _user(body.get("messages"))
    tool, forced, schema = _tool(body)
    own = _response_format(body)
    if tool and own is not None:
        raise ParameterError("A tool and a response_format are two schemas.", "response_format", hint="Send one.")
    return _asked(task, model, content, "messages", own if schema is None else schema, body, tool=(tool, forced))


def text(body: Any, task: Task) -> Asked:
    """A request for a completion of a prompt.

    Raises:
        ParameterError: A field that cannot be used, by its path.
        UnknownModelError: No such model.
    """
    model = _model(body, task, _TEXT)
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise ParameterError("Field 'prompt' is missing or not one text.", "prompt", hint="Send one text.")
    return _asked(task, model, prompt, "prompt", _response_format(body), body, tool=None)


def _asked(
    task: Task, model: str, content: Any, where: str, schema: Any, body: Any, *, tool: tuple[str, bool] | None
) -> Asked:
    """A request, with its content read as inputs or as prose."""
    stream = body.get("stream") or False
    if not isinstance(stream, bool):
        raise ParameterError("Field 'stream' is neither true nor false.", "stream")
    options = body.get("stream_options") or {}
    if not isinstance(options, dict) or any(value for name, value in options.items() if name != "include_usage"):
        hint = "Only include_usage can be followed."
        raise ParameterError("Field 'stream_options' asks for what is not done here.", "stream_options", hint=hint)
    if model.endswith(FORMATTER):
        if not isinstance(content, str):
            parts = _parts(content, where)
            content = parts[""] if parts.keys() == {""} and isinstance(parts[""], str) else ""
        if not content.strip():
            raise ParameterError(f"The {where} hold no prose.", where, hint="Send the evaluation as one text.")
        inputs, prose = None, content
    else:
        inputs, prose = _inputs(content, task, where), ""
    name, forced = tool or ("", False)
    usage = options.get("include_usage") is True
    return Asked(model, tool is not None, inputs, prose, schema, name, forced, stream, usage)


def _model(body: Any, task: Task, known: frozenset[str]) -> str:
    """The model that is asked for; no field may stand there that cannot be followed."""
    if not isinstance(body, dict):
        raise ParameterError(f"The body is {type(body).__name__}, expected an object.", "")
    for name, value in body.items():
        if name in known or name in _PASSED_OVER or value is None:
            continue
        if name not in _NEUTRAL:
            hint = f"Known: {', '.join(sorted(known))}."
            raise ParameterError(f"Field {name!r:.60} cannot be followed here.", f"{name:.60}", hint=hint)
        if (type(value), value) != (type(_NEUTRAL[name]), _NEUTRAL[name]):
            raise ParameterError(f"Field '{name}' can only be {_NEUTRAL[name]}.", name, hint="Leave it out.")
    model = body.get("model")
    if not isinstance(model, str):
        raise ParameterError(
            "Field 'model' is missing or no text.", "model", hint=f"There are {', '.join(models(task))}."
        )
    if model not in models(task):
        raise UnknownModelError(f"No model {model!r:.80} here.", hint=f"There are {', '.join(models(task))}.")
    return model


def _user(messages: Any) -> Any:
    """The content of the one message, which is the user's."""
    hint = "The bundle brings its own instructions: send one message, the user's, without any of system or developer."
    if not isinstance(messages, list) or not messages:
        raise ParameterError("Field 'messages' is missing or no list.", "messages", hint=hint)
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") != "user":
            role = message.get("role") if isinstance(message, dict) else type(message).__name__
            raise ParameterError(f"Message {number} is of {role!r:.30}.", f"messages[{number}].role", hint=hint)
    if len(messages) > 1:
        raise ParameterError(f"There are {len(messages)} messages.", "messages", hint=hint)
    return messages[0].get("content")


def _inputs(content: Any, task: Task, where: str) -> dict[str, Any]:
    """Inputs out of a message's content."""
    hint = f"Send one JSON object with {', '.join(task.inputs)}, or parts of these names."
    if isinstance(content, str):
        try:
            inputs = http.read(content, f"The text of {where}")
        except InputError as error:
            raise ParameterError(error.message, where, hint=hint) from error
        if not isinstance(inputs, dict):
            raise ParameterError(f"The text of {where} is JSON, but no object.", where, hint=hint)
        return inputs
    inputs = _parts(content, where, task.inputs)
    if "" in inputs:
        if len(inputs) == 1 and isinstance(inputs[""], str):  # a client that writes every text as a list of one part
            return _inputs(inputs[""], task, where)
        raise ParameterError("A content part has no name.", f"{where}[0].content", hint=hint)
    return inputs


def _parts(content: Any, where: str, known: Sequence[str] = ()) -> dict[str, Any]:
    """Content parts by name; a text part without one has the empty name."""
    hint = 'Send parts such as {"type": "text", "name": INPUT, "text": …} or {"type": "file", "file": {…}}.'
    if not isinstance(content, list) or not content:
        raise ParameterError("The content is neither text nor a list of parts.", f"{where}[0].content", hint=hint)
    parts: dict[str, Any] = {}
    for number, part in enumerate(content):
        param = f"{where}[0].content[{number}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            name, value = part.get("name", ""), part["text"]
        elif kind == "file" and isinstance(part.get("file"), dict):
            value = _file(part["file"], param)
            name = part.get("name") or PurePath(value.name).stem
            if name not in known:  # it is not repeated: a file's name may be a person's
                raise ParameterError(f"The file of content part {number} is named as no input.", param, hint=hint)
        else:
            raise ParameterError(f"Content part {number} is neither text nor a file.", param, hint=hint)
        if not isinstance(name, str) or name in parts:
            raise ParameterError(f"Content part {number} has no name of its own.", param, hint=hint)
        parts[name] = value
    return parts


def _file(file: Mapping[str, Any], param: str) -> File:
    """A file part: base64, with or without a data URL around it."""
    data, name = file.get("file_data"), file.get("filename")
    if not isinstance(data, str) or not isinstance(name, str):
        raise ParameterError("A file part has no file_data or no filename.", f"{param}.file", hint="Send both.")
    if data.startswith("data:"):
        data = data.partition(",")[2]
    try:
        return File(base64.b64decode(data, validate=True), name)
    except (binascii.Error, ValueError) as error:
        raise ParameterError("The file is not base64.", f"{param}.file.file_data", hint="Encode its bytes.") from error


def _response_format(body: Mapping[str, Any]) -> Any:
    """The schema of ``response_format``; None takes the bundle's, for plain JSON too."""
    wanted = body.get("response_format")
    if wanted is None:
        return None
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind in {"json_object", "text"}:
        return None
    stated = wanted.get("json_schema") if isinstance(wanted, dict) else None
    if kind != "json_schema" or not isinstance(stated, dict) or not isinstance(stated.get("schema"), dict):
        hint = "It is of type json_schema with a schema, or json_object."
        raise ParameterError("Field 'response_format' has no schema.", "response_format", hint=hint)
    return stated["schema"]


def _tool(body: Mapping[str, Any]) -> tuple[str, bool, Any]:
    """The tool to call: its name, whether it was named, and its parameters' schema; no name where none is called."""
    tools, choice = body.get("tools"), body.get("tool_choice")
    if tools is None or choice == "none":
        return "", False, None
    known = dict(map(_function, tools)) if isinstance(tools, list) else {}
    if not known or len(known) != len(tools):
        raise ParameterError("Field 'tools' is no list of functions with different names.", "tools")
    if isinstance(choice, dict):
        called = choice.get("function")
        name = called.get("name") if isinstance(called, dict) else None
        if not isinstance(name, str) or name not in known:
            raise ParameterError("Field 'tool_choice' names none of the tools.", "tool_choice")
        return name, True, known[name]
    if choice not in {None, "auto", "required"}:
        raise ParameterError("Field 'tool_choice' is none, auto, required, or names a tool.", "tool_choice")
    if len(known) > 1:
        raise ParameterError("Nobody chooses among tools here.", "tool_choice", hint="Name one, or send one.")
    name, schema = next(iter(known.items()))
    return name, False, schema


def _function(tool: Any) -> tuple[str, Any]:
    """A tool's name and its parameters' schema."""
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise ParameterError("A tool is no function with a name.", "tools")
    return function["name"], function.get("parameters") or {"type": "object", "properties": {}}
