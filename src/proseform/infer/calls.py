"""Function calls as a tokenizer's own chat template writes them, for prompts of the form ``tool-call``.

A template is asked to write a call once, with arguments that are known: what stands before and behind them is the
call's *frame*, such as ``<tool_call>`` with the function's name, and ``</tool_call>``. The first part is given to the
model, as a prefill is; the arguments are its own, constrained and verified as any document; the rest is read away
where a model has written it. So nothing of any model's format is restated here.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2

from proseform.errors import ConfigError
from proseform.offsets import edited
from proseform.prompt import Rendered
from proseform.strict import DECODER

NAME = "answer"
"""The function's name."""
PROBE = "probed"
"""The one argument of the function that templates are tried with."""
SAMPLE: Mapping[str, Any] = {
    "type": "object",
    "properties": {PROBE: {"type": "integer", "description": "A number."}},
    "required": [PROBE],
}
_DESCRIPTION = "States what the text says."
_TALK = ({"role": "user", "content": "1"},)
_HINT = "Take a model whose chat template writes tools and tool_calls, or another form of the formatter's prompt."


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the arguments of a call, in the model's turn.

    Attributes:
        opening: Before them.
        closing: Behind them, up to the end of the turn.
    """

    opening: str = ""
    closing: str = ""


NONE = Frame()


def function(arguments: Mapping[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The function that is to be called, as chat templates and chat APIs take it, in a list.

    Args:
        arguments: JSON Schema.
        more: Further facts, by name.
    """
    about = {"name": NAME, "description": _DESCRIPTION, "parameters": arguments, **more}
    return [{"type": "function", "function": about}]


def tools(rendered: Rendered) -> dict[str, Any]:
    """What a chat template is given beside the messages: the function; nothing where none is to be called."""
    return {"tools": function(json.loads(rendered.arguments))} if rendered.arguments else {}


def frame(tokenizer: Any, rendered: Rendered) -> Frame:
    """The frame of the call that a prompt asks for; empty where it asks for none.

    Raises:
        ConfigError: The chat template writes no tools, or no calls.
    """
    return _of(tokenizer) if rendered.arguments else NONE


def bare(text: str, frame: Frame) -> str:
    """A model's text without the end of the frame, where it has written that.

    >>> bare('{"a": 1}}</call> ', Frame(closing="}</call>")), bare('{"a": 1', Frame(closing="}</call>"))
    ('{"a": 1}', '{"a": 1')
    """
    closing = frame.closing.rstrip()
    return text.rstrip().removesuffix(closing) if closing and text.rstrip().endswith(closing) else text


def read(text: str) -> str:
    r"""The arguments of the one call that a text consists of, written as Hermes does; else the text itself.

    >>> read('<tool_call>\n{"arguments": {"a": "</tool_call>"}, "name": "answer"}\n</tool_call>')
    '{"a": "</tool_call>"}'
    >>> read('{"name": "answer", "arguments": {}}')
    '{"name": "answer", "arguments": {}}'
    """
    inner = text.strip()
    if not (inner.startswith(_OPEN) and inner.endswith(_CLOSE)):
        return text
    try:
        call = DECODER.decode(inner.removeprefix(_OPEN).removesuffix(_CLOSE).strip())
    except (ValueError, RecursionError):
        return text
    if not isinstance(call, dict) or {*call} != {"name", "arguments"} or call["name"] != NAME:
        return text
    return json.dumps(call["arguments"], ensure_ascii=False)


def parted(arguments: str, spans: Callable[[str], Iterable[tuple[int, int]]]) -> str:
    """A schema as JSON in which no text spells a control token: a blank stands in each.

    Args:
        arguments: The schema.
        spans: Gives the spans of control tokens in a text.
    """

    def apart(text: str) -> str:
        cuts = sorted({start + 1 for start, end in spans(text) if end - start > 1})
        return edited(text, ((cut, cut, " ") for cut in cuts))[0] if cuts else text

    return json.dumps(_mapped(json.loads(arguments), apart), ensure_ascii=False)


def _of(tokenizer: Any) -> Frame:
    """The frame of a tokenizer's calls, found once, and again where its template has changed."""
    template = str(getattr(tokenizer, "chat_template", ""))
    known = _KNOWN.get(tokenizer)
    if known is None or known[0] != template:
        known = (template, _found(tokenizer))
        _KNOWN[tokenizer] = known
    return known[1]


def _found(tokenizer: Any) -> Frame:
    """As :func:`frame`."""
    called = {"type": "function", "function": {"name": NAME, "arguments": _ARGUMENTS}}
    turn = {"role": "assistant", "content": "", "tool_calls": [called]}
    try:
        asked = _written(tokenizer, _TALK, add_generation_prompt=True)
        whole = _written(tokenizer, (*_TALK, turn), add_generation_prompt=False)
    except jinja2.TemplateError as error:
        raise ConfigError(f"The chat template cannot write a function call: {error}.", hint=_HINT) from error
    if PROBE not in asked:
        raise ConfigError("The chat template leaves out the functions that may be called.", hint=_HINT)
    opening, arguments, rest = whole.removeprefix(asked).partition(json.dumps(_ARGUMENTS))
    if not whole.startswith(asked) or not arguments or NAME not in opening + rest:
        raise ConfigError("The chat template does not write a call's name and arguments as JSON.", hint=_HINT)
    end = tokenizer.special_tokens_map.get("eos_token") or ""
    return Frame(opening, rest.partition(str(end))[0] if end else rest.rstrip())


def _written(tokenizer: Any, messages: Iterable[Mapping[str, Any]], *, add_generation_prompt: bool) -> str:
    """What a template writes, with the sample for a function."""
    return str(
        tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            tools=function(SAMPLE),
        )
    )


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every text of it changed, keys too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(name): _mapped(child, change) for name, child in value.items()}
    return [_mapped(child, change) for child in value] if isinstance(value, list) else value


_ARGUMENTS: Mapping[str, Any] = {PROBE: 7}
_OPEN, _CLOSE = "<tool_call>", "</tool_call>"
_KNOWN: weakref.WeakKeyDictionary[Any, tuple[str, Frame]] = weakref.WeakKeyDictionary()
