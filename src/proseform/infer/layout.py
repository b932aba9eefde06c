"""Where text of theirs stands in a prompt that a chat template has written.

A template may trim, strip or move what it is given, so positions cannot be computed from the messages. The template is
rendered with every character of theirs replaced by a placeholder (white space stays, so that trimming is the same), and
the placeholders are filled in again: what the template does cannot depend on what they wrote. A template without a
system turn gets the system's words at the head of the user's. A function to call is the template's to write
(:mod:`proseform.infer.calls`), and is no place where text of theirs is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import jinja2

from proseform.errors import ConfigError
from proseform.infer import calls
from proseform.offsets import Edit, Offsets, edited
from proseform.prompt import Message, Rendered, Turn

_VISIBLE = re.compile(r"\S+")
_PLACEHOLDERS = range(0xF0000, 0xFFFFE)
"""Private use: no text means anything by these, and no tokenizer has them in a token."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A prompt as one text.

    Attributes:
        own: The prompt as the template writes it.
        text: The prompt with theirs filled into what the template writes around placeholders; equals ``own`` unless the
            template looks at what they wrote. None where the template changes or cuts what it is given.
        frame: ``text`` with each piece of theirs, from its first to its last visible character, as one placeholder.
        offsets: From ``frame`` to ``text``.
        theirs: Where the pieces stand in ``text``.
    """

    own: str
    text: str | None
    frame: str
    offsets: Offsets
    theirs: tuple[tuple[int, int], ...]


def laid_out(tokenizer: Any, rendered: Rendered) -> Layout:
    """A rendered prompt as one text: a chat by the tokenizer's template, up to the model's turn.

    Raises:
        ConfigError: The tokenizer has no chat template, or the template refuses the conversation.
    """
    if rendered.style == "plain":
        turn = rendered.turns[0]
        masks = dict(zip(_theirs(rendered.turns), _free(turn.content), strict=False))
        veils = _veils(masks)
        return _filled(turn.content, "".join(_masked(turn, veils)), masks, veils)
    tools, rendered = calls.tools(rendered), rendered.spoken
    turns, own = _accepted(tokenizer, rendered, tools)
    masks = dict(zip(_theirs(turns), _free(own + "".join(turn.content for turn in turns)), strict=False))
    veils = _veils(masks)
    messages = [{"role": turn.role, "content": "".join(_masked(turn, veils))} for turn in turns]
    masked = _written(tokenizer, messages, tools)
    return _filled(own, masked, masks, veils)


def _accepted(tokenizer: Any, rendered: Rendered, tools: dict[str, Any]) -> tuple[tuple[Turn, ...], str]:
    """The turns that the template takes, the system's folded where it refuses or drops that, and what it writes."""
    if not getattr(tokenizer, "chat_template", None):
        raise ConfigError("The tokenizer has no chat template.", hint="Name an instruction-tuned model, or add one.")
    turns = rendered.turns
    if turns[0].role == "system" and len(turns) > 1:
        with suppress(jinja2.TemplateError):
            text = _rendered(tokenizer, _messages(turns), tools)
            if turns[0].content.strip() in text:
                return turns, text
        turns = rendered.folded().turns
    return turns, _written(tokenizer, _messages(turns), tools)


def _written(tokenizer: Any, messages: list[Message], tools: dict[str, Any]) -> str:
    """What the template writes.

    Raises:
        ConfigError: It refuses the conversation.
    """
    try:
        return _rendered(tokenizer, messages, tools)
    except jinja2.TemplateError as error:
        roles = ", ".join(message["role"] for message in messages)
        raise ConfigError(f"The chat template refuses a conversation of {roles}: {error}.") from error


def _rendered(tokenizer: Any, messages: list[Message], tools: dict[str, Any]) -> str:
    """The template's text, with the opening of the model's turn."""
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **tools))


def _messages(turns: Sequence[Turn]) -> list[Message]:
    """Turns as messages."""
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def _theirs(turns: Sequence[Turn]) -> Iterator[str]:
    """Each distinct text of theirs that has visible characters."""
    yield from dict.fromkeys(
        segment.text for turn in turns for segment in turn.segments if not segment.ours and segment.text.strip()
    )


def _free(text: str) -> Iterator[str]:
    """Placeholders that do not occur in a text."""
    used = set(text)
    return (chr(code) for code in _PLACEHOLDERS if chr(code) not in used)


def _veils(masks: dict[str, str]) -> dict[str, str]:
    """Each text with its placeholder for each visible character."""
    return {text: _VISIBLE.sub(lambda match: mask * len(match[0]), text) for text, mask in masks.items()}  # noqa: B023


def _masked(turn: Turn, veils: dict[str, str]) -> Iterator[str]:
    """The content of a turn with the visible characters of theirs as placeholders."""
    for segment in turn.segments:
        yield segment.text if segment.ours else veils.get(segment.text, segment.text)


def _filled(own: str, masked: str, masks: dict[str, str], veils: dict[str, str]) -> Layout:
    """Fill the placeholders of a masked text with what they stand for."""
    edits: list[Edit] = []
    for text, mask in masks.items():
        shown = veils[text].strip()
        spans = list(_occurrences(shown, masked))
        if len(spans) * shown.count(mask) != masked.count(mask):
            spans, shown = [match.span() for match in re.finditer(rf"{mask}(?:[{mask}\s]*{mask})?", masked)], ""
        edits += [(start, end, text.strip() if shown else "") for start, end in spans]
    edits.sort()
    whole = all(new for _, _, new in edits)
    text, _ = edited(masked, edits)
    frame, to_text = edited(masked, [(start, end, masked[start]) for start, end, _ in edits])
    return Layout(own, text if whole else None, frame, to_text, tuple((start, end) for start, end, _ in edits))


def _occurrences(piece: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a piece stands in a text, from the left and without overlap."""
    start = text.find(piece)
    while start >= 0:
        yield start, start + len(piece)
        start = text.find(piece, start + len(piece))
