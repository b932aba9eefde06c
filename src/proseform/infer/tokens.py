"""Prompts and completions as token ids: one function for training, measurement and serving.

:func:`encode` gives the ids of a rendered prompt, :func:`continuation` those of a prefill or a completion, which
follow; :func:`given` those of both.

Two rules hold. The ids are the chat template's own wherever text of theirs spells no control token. And no
control token ever covers a character of theirs: what spells one is read as ordinary text.

For engines that take text, :func:`broken` writes such strings so that no tokenizer reads them as one (``< |im_end|>``).
:func:`findings` says where an input holds them. The tokenizer is handed in: one of transformers, or
:class:`BundleTokenizer`, which needs no transformers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from proseform.errors import InputError
from proseform.infer import calls, controls
from proseform.infer.bundled import BundleTokenizer
from proseform.infer.layout import Layout, laid_out
from proseform.input import MOST_FINDINGS, Finding, Input
from proseform.offsets import edited
from proseform.prompt import TOOLS, Rendered, Segment, Turn

__all__ = ["BundleTokenizer", "broken", "continuation", "encode", "findings", "given", "prepare", "special", "text"]

_ANCHOR = "\n"
"""Text that a blank is put before in the place of what follows it."""


def text(tokenizer: Any, rendered: Rendered) -> str:
    """The prompt as the chat template writes it, up to the model's turn; plain text as it is.

    Raises:
        ConfigError: No chat template, or one that refuses the conversation.
    """
    return laid_out(tokenizer, rendered).own


def encode(tokenizer: Any, rendered: Rendered) -> list[int]:
    """The token ids of a prompt. A chat template writes its own special tokens; plain text gets the tokenizer's (BOS).

    Behind them stands what the model is given of its own turn, see :func:`given`.

    Raises:
        ConfigError: No chat template, or one that refuses the conversation.
        InputError: Text of theirs spells a control token and cannot be kept apart from it.
    """
    rendered = _parted(rendered, tokenizer) if rendered.arguments else rendered
    layout, added = laid_out(tokenizer, rendered), rendered.style == "plain"
    if not hasattr(tokenizer, "backend_tokenizer"):
        return _slow(tokenizer, rendered, layout, added=added)
    known = controls.of(tokenizer)
    if rendered.arguments:
        _check_function(tokenizer, rendered, known.read(layout.own, added=added))
    due = tuple(
        (one, *layout.offsets.locate(start, end)) if start < end else (one, start, end)
        for one, start, end in known.frame(layout.frame, added=added).controls
    )
    own = known.read(layout.own, added=added)
    if own.controls == due if layout.own == layout.text else _same(own.controls, due) and not _spelt(known, rendered):
        return own.ids
    ids = known.ordinary(layout, due, added=added)
    if ids is not None:
        return ids
    visible = known.read(laid_out(tokenizer, broken(rendered, tokenizer)).own, added=added)
    if not _same(visible.controls, due):
        raise _inseparable()
    return visible.ids


def given(tokenizer: Any, rendered: Rendered, prefill: str = "") -> list[int]:
    """The ids of all that a model is given: the prompt, and the beginning of its own turn.

    They are what an engine that takes ids is sent: vLLM's ``/v1/completions`` takes a list of ids as ``prompt``.
    Errors are those of :func:`encode`.
    """
    opening = calls.frame(tokenizer, rendered).opening + prefill
    return [*encode(tokenizer, rendered), *(continuation(tokenizer, opening) if opening else ())]


def prepare(tokenizer: Any) -> None:
    """Build now what the first input that spells a control token needs, in a second or two for large vocabularies."""
    if hasattr(tokenizer, "backend_tokenizer"):
        controls.of(tokenizer).prepare()


def continuation(tokenizer: Any, text: str) -> list[int]:
    """The token ids of text that follows a prompt: a prefill, or (the rest of) a completion; it holds no control token.

    Tokenizers that begin every text with a blank (SentencePiece) do not begin this one so: the ids decode to the text
    itself behind what stands before.
    """
    if not text:
        return []
    if not hasattr(tokenizer, "backend_tokenizer"):
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])
    known = controls.of(tokenizer)
    if not known.prefixes:
        return known.text(text)
    anchor, anchored = known.text(_ANCHOR), known.text(_ANCHOR + text)
    return anchored[len(anchor) :] if anchored[: len(anchor)] == anchor else known.text(text)


def special(text: str, tokenizer: Any = None) -> list[tuple[int, int]]:
    """Where a text spells control tokens: the tokenizer's, or where none is given those of common families."""
    if tokenizer is None:
        return [match.span() for match in _COMMON.finditer(text)]
    if not hasattr(tokenizer, "backend_tokenizer"):
        names = sorted(filter(None, tokenizer.all_special_tokens), key=len, reverse=True)
        return [match.span() for match in re.finditer("|".join(map(re.escape, names)), text)] if names else []
    return controls.of(tokenizer).spans(text)


def findings(value: Input, tokenizer: Any = None) -> tuple[Finding, ...]:
    """A finding for each control token that an input spells.

    Args:
        value: The input.
        tokenizer: See :func:`special`.
    """
    spans = special(value.text, tokenizer)
    listed = [
        Finding(
            "special_token",
            f"'{value.text[start:end].strip()}' is a control token of the model; it was read as text.",
            *value.locate(start, end),
        )
        for start, end in spans[:MOST_FINDINGS]
    ]
    if len(spans) > MOST_FINDINGS:
        listed.append(Finding("special_token", f"{len(spans) - MOST_FINDINGS} more control tokens of the model."))
    return tuple(listed)


def broken(rendered: Rendered, tokenizer: Any = None) -> Rendered:
    """The prompt for an engine that takes text: no text of theirs spells a control token, alone or with its neighbours.

    A blank is put into each such string, which a reader sees: ``<|im_end|>`` becomes ``< |im_end|>``.

    Args:
        rendered: The prompt.
        tokenizer: See :func:`special`; common families' control tokens are broken in any case.

    Raises:
        InputError: A string stays a control token however it is broken.
    """
    rendered = _parted(rendered, tokenizer) if rendered.arguments else rendered
    for _ in range(_MOST_BREAKS):
        turns = tuple(Turn(turn.role, tuple(_broken(turn, tokenizer))) for turn in rendered.turns)
        if turns == rendered.turns:
            return rendered
        rendered = replace(rendered, turns=turns)
    raise _inseparable()


def _parted(rendered: Rendered, tokenizer: Any = None) -> Rendered:
    """The prompt with control tokens in the schema of a function's arguments broken visibly."""

    def spans(text: str) -> list[tuple[int, int]]:
        return [*special(text), *(special(text, tokenizer) if tokenizer is not None else ())]

    return _with_arguments(rendered, calls.parted(rendered.arguments, spans))


def _with_arguments(rendered: Rendered, schema: str) -> Rendered:
    """The prompt with another schema of a function's arguments."""
    tools = Turn(TOOLS, (Segment(schema, ours=False),))
    return replace(rendered, turns=tuple(tools if turn.role == TOOLS else turn for turn in rendered.turns))


def _check_function(tokenizer: Any, rendered: Rendered, own: controls.Read) -> None:
    """Refuse a function in which a template writes a control token, whatever the schema of its arguments is.

    Raises:
        InputError: It does.
    """
    without = laid_out(tokenizer, _with_arguments(rendered, "{}")).own
    if not _same(own.controls, controls.of(tokenizer).read(without, added=False).controls):
        raise _inseparable()


def _broken(turn: Turn, tokenizer: Any) -> Iterator[Segment]:
    """The segments of a turn with a blank in each control token that touches one of theirs."""
    content = turn.content
    spans = {*special(content), *(special(content, tokenizer) if tokenizer is not None else ())}
    begin = 0
    for segment in turn.segments:
        end = begin + len(segment.text)
        cuts = {
            max(start + 1, begin) for start, stop in map(partial(_core, content), spans) if start < end and begin < stop
        }
        if segment.ours or not cuts:
            yield segment
        else:
            edits = ((cut - begin, cut - begin, " ") for cut in sorted(cuts))
            yield Segment(edited(segment.text, edits)[0], ours=False)
        begin = end


def _core(text: str, span: tuple[int, int]) -> tuple[int, int]:
    """A span without white space at its ends, which some control tokens swallow."""
    piece = text[slice(*span)]
    start = span[0] + len(piece) - len(piece.lstrip())
    return start, start + len(piece.strip())


def _same(left: Iterable[controls.Control], right: Iterable[controls.Control]) -> bool:
    """Whether two texts hold the same control tokens in the same order."""
    return [one for one, _, _ in left] == [one for one, _, _ in right]


def _spelt(known: controls.Controls, rendered: Rendered) -> bool:
    """Whether text of theirs spells a control token, alone or with its neighbours; text of ours alone may."""
    for turn in rendered.turns:
        begin, theirs = 0, []
        for segment in turn.segments:
            theirs += [] if segment.ours else [(begin, begin + len(segment.text))]
            begin += len(segment.text)
        if any(start < high and low < end for start, end in known.spans(turn.content) for low, high in theirs):
            return True
    return False


def _slow(tokenizer: Any, rendered: Rendered, layout: Layout, *, added: bool) -> list[int]:
    """The ids by a tokenizer without a fast backend, which gives no offsets: what spells a control token is broken."""
    if any(special(piece, tokenizer) for piece in rendered.theirs):
        layout = laid_out(tokenizer, broken(rendered, tokenizer))
    return list(tokenizer(layout.own, add_special_tokens=added)["input_ids"])


def _inseparable() -> InputError:
    """The error where nothing keeps their text apart from control tokens."""
    return InputError(
        "An input spells a control token of the model, and cannot be kept apart from it.",
        hint="Remove strings such as <|im_end|> from the inputs.",
    )


_COMMON = re.compile(
    r"<[|\uff5c][^<>\s]{1,60}[|\uff5c]>|</?s>|<</?SYS>>"
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]"
    r"|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk|mask)>|</?(?:think|tool_call|tool_response)>"
)
_MOST_BREAKS = 8
