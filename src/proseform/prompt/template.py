"""A prompt template: fixed text with named placeholders, as chat or as plain text, with an optional prefill."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from proseform.errors import InputError, TaskError
from proseform.input import Input
from proseform.prompt.segments import Rendered, Segment, Style, Turn, joined

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_HEADING = re.compile(r"^# (system|user|prefill)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt template.

    Attributes:
        style: ``chat`` renders to messages, ``plain`` to one string.
        system: The instructions; the system turn of a chat.
        user: The template, with ``{name}`` placeholders.
        prefill: The beginning of every completion; may be empty.
    """

    style: Style
    system: str
    user: str
    prefill: str = ""

    @property
    def placeholders(self) -> frozenset[str]:
        """The names that :meth:`render` needs values for."""
        return frozenset(_PLACEHOLDER.findall(self.user))

    def render(self, values: Mapping[str, Input | str]) -> Rendered:
        """Fill the placeholders. Values are theirs: cleaned (:mod:`proseform.input`), and never read as templates.

        Raises:
            InputError: A placeholder without a value.
        """
        missing = self.placeholders - values.keys()
        if missing:
            raise InputError(
                f"The prompt needs {', '.join(sorted(missing))}.", hint=f"Given: {', '.join(values) or 'nothing'}."
            )
        user: list[Segment] = []
        for index, piece in enumerate(_PLACEHOLDER.split(self.user)):
            user.append(Segment(_text(values[piece]), ours=False) if index % 2 else Segment(piece))
        if self.style == "plain":
            system = [Segment(f"{self.system}\n")] if self.system else []
            return Rendered("plain", (Turn("", joined((*system, *user, Segment("\n")))),))
        turns = [Turn("system", (Segment(self.system),))] if self.system else []
        return Rendered("chat", (*turns, Turn("user", joined(user))))

    @classmethod
    def from_markdown(cls, text: str, style: Style, where: str) -> Prompt:
        """Read a file of ``# system``, ``# user`` and ``# prefill`` sections.

        Raises:
            TaskError: No ``# user`` section.
        """
        pieces = _HEADING.split(text)
        sections = dict(zip(pieces[1::2], (piece.strip("\n") for piece in pieces[2::2]), strict=True))
        if not sections.get("user"):
            raise TaskError(
                f"{where}: no '# user' section.",
                hint="A prompt file has '# system', '# user' and, where one is needed, '# prefill'.",
            )
        return cls(style, sections.get("system", ""), sections["user"], sections.get("prefill", ""))


def _text(value: Input | str) -> str:
    """A value as the model sees it; a bare string is cleaned as an input is."""
    return Input.of(value).text
