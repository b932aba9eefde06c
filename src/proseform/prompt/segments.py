"""A rendered prompt, which keeps apart what is *ours* (the template) and what is *theirs* (the values).

Values are inputs, prose that a model or a person wrote, a caller's schema. Kept apart, text of theirs never becomes a
control token: :mod:`proseform.infer.tokens` turns segments into token ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from proseform import jsonl
from proseform.errors import RowError

TOKENISATION = "segments/1"
"""How prompts become token ids, as a bundle states it: ours and theirs apart (:mod:`proseform.infer.tokens`)."""

Style = Literal["chat", "plain"]
Message = dict[str, str]
TOOLS = "tools"
"""The role of a turn that nobody speaks: the JSON Schema of a function's arguments, which a chat template writes."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a rendered prompt.

    Attributes:
        text: Its text, as the model sees it.
        ours: Whether the template wrote it; False for values, whoever gave them.
    """

    text: str
    ours: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, or the whole of a plain prompt.

    Attributes:
        role: ``system``, ``user`` or ``assistant``; :data:`TOOLS`; empty in a plain prompt.
        segments: Its content, in order.
    """

    role: str
    segments: tuple[Segment, ...]

    @property
    def content(self) -> str:
        """Its text."""
        return "".join(segment.text for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt with its values filled in.

    Attributes:
        style: ``chat`` or ``plain``.
        turns: The messages of a chat; one turn without a role where it is plain.
    """

    style: Style
    turns: tuple[Turn, ...]

    @property
    def messages(self) -> list[Message]:
        """Role and content of every turn that somebody speaks; a plain prompt is one user message."""
        return [{"role": turn.role or "user", "content": turn.content} for turn in self.spoken.turns]

    @property
    def arguments(self) -> str:
        """The JSON Schema of the arguments of the function that is to be called; empty where none is."""
        return "".join(turn.content for turn in self.turns if turn.role == TOOLS)

    @property
    def spoken(self) -> Rendered:
        """The prompt without what nobody speaks."""
        return replace(self, turns=tuple(turn for turn in self.turns if turn.role != TOOLS))

    @property
    def text(self) -> str:
        """The content of all turns, one after another: the whole of a plain prompt."""
        return "\n".join(turn.content for turn in self.turns)

    @property
    def size(self) -> int:
        """Its characters, roles aside."""
        return sum(len(segment.text) for turn in self.turns for segment in turn.segments)

    @property
    def theirs(self) -> tuple[str, ...]:
        """The text of every segment that is not ours, in order."""
        return tuple(segment.text for turn in self.turns for segment in turn.segments if not segment.ours)

    def with_ours(self, addition: str) -> Rendered:
        """The same prompt with text of ours at the end of its last turn."""
        *before, last = self.turns
        return replace(self, turns=(*before, Turn(last.role, joined((*last.segments, Segment(addition))))))

    def folded(self) -> Rendered:
        """The same chat without a system turn: its text, and a blank line, begin the first user's turn."""
        turns = self.spoken.turns
        if len(turns) < 2 or turns[0].role != "system":  # noqa: PLR2004 - one to fold, one to fold it into
            return self
        system, user, *rest = turns
        first = Turn(user.role, joined((*system.segments, Segment("\n\n"), *user.segments)))
        return replace(self, turns=(*(turn for turn in self.turns if turn.role == TOOLS), first, *rest))

    def to_json(self) -> list[dict[str, Any]] | list[str | list[str]]:
        """As JSON, for dataset rows: text of ours as a string, text of theirs as a list of one string.

        >>> from proseform.prompt import Prompt
        >>> Prompt("chat", "Weigh.", "Parcel: {parcel}").render({"parcel": "a map"}).to_json()
        [{'role': 'system', 'content': ['Weigh.']}, {'role': 'user', 'content': ['Parcel: ', ['a map']]}]
        """
        contents = [[one.text if one.ours else [one.text] for one in turn.segments] for turn in self.turns]
        if self.style == "plain":
            return [piece for content in contents for piece in content]
        return [{"role": turn.role, "content": content} for turn, content in zip(self.turns, contents, strict=True)]

    @classmethod
    def from_json(cls, value: Any, where: str = "prompt") -> Rendered:
        """Read what :meth:`to_json` wrote; also a bare string, and messages whose content is one, which are ours.

        Raises:
            RowError: Neither text nor messages; ``where`` is named.
        """
        if isinstance(value, str):
            return cls("plain", (Turn("", (Segment(value),)),))
        chat = isinstance(value, list) and value and all(isinstance(turn, dict) for turn in value)
        try:
            if chat:
                return cls("chat", tuple(Turn(_role(turn["role"]), _segments(turn["content"])) for turn in value))
            return cls("plain", (Turn("", _segments(value)),))
        except (KeyError, ValueError) as error:
            raise RowError(
                f"{where} is {jsonl.kind(value)}, expected text or messages with role and content.",
                hint="Text is a string (ours) or a list of strings and [string] (theirs).",
            ) from error


def joined(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Segments without empty ones, and with neighbours of ours as one."""
    joined: list[Segment] = []
    for segment in segments:
        if not segment.text:
            continue
        if joined and joined[-1].ours and segment.ours:
            joined[-1] = Segment(joined[-1].text + segment.text)
        else:
            joined.append(segment)
    return tuple(joined)


def _role(value: Any) -> str:
    """A message's role."""
    if not isinstance(value, str) or not value:
        raise ValueError("a role is text")
    return value


def _segments(value: Any) -> tuple[Segment, ...]:
    """Segments of JSON: a string is ours, a list of one string theirs."""
    pieces = [value] if isinstance(value, str) else value
    if not isinstance(pieces, list) or not pieces:
        raise ValueError("content is a string or a list of pieces")
    segments: list[Segment] = []
    for piece in pieces:
        match piece:
            case str():
                segments.append(Segment(piece))
            case [str(theirs)]:
                segments.append(Segment(theirs, ours=False))
            case _:
                raise ValueError("a piece is a string or a list of one string")
    return tuple(segments)
