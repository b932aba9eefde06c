"""A prompt: fixed text with named placeholders, as chat or as plain text, with an optional prefill.

Plain text is for the formatter: its training rows are TRL's *standard* prompt/completion strings, since the
chat format is what starts the chatter. A prefill such as ``{"`` is the beginning of the completion, given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from proseform.errors import InputError, TaskError

Message = dict[str, str]
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_HEADING = re.compile(r"^# (system|user|prefill)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt template.

    Attributes:
        style: ``chat`` renders to messages, ``plain`` to one string.
        system: What the model is told once.
        user: The template, with ``{name}`` placeholders.
        prefill: The beginning of every completion; may be empty.
    """

    style: Literal["chat", "plain"]
    system: str
    user: str
    prefill: str = ""

    @property
    def placeholders(self) -> frozenset[str]:
        """The names that :meth:`render` wants."""
        return frozenset(_PLACEHOLDER.findall(self.user))

    def render(self, values: Mapping[str, str]) -> list[Message] | str:
        """Fill the placeholders: values are inserted as they are and never read as templates themselves.

        Raises:
            InputError: A placeholder without a value.
        """
        missing = self.placeholders - values.keys()
        if missing:
            raise InputError(
                f"The prompt wants {', '.join(sorted(missing))}.", hint=f"Given: {', '.join(values) or 'nothing'}."
            )
        user = _PLACEHOLDER.sub(lambda match: values[match[1]], self.user)
        if self.style == "plain":
            return f"{self.system}\n{user}\n" if self.system else f"{user}\n"
        return [
            *([{"role": "system", "content": self.system}] if self.system else []),
            {"role": "user", "content": user},
        ]

    @classmethod
    def from_markdown(cls, text: str, style: Literal["chat", "plain"], where: str) -> Prompt:
        """Read a file of ``# system``, ``# user`` and ``# prefill`` sections.

        Raises:
            TaskError: No ``# user`` section.
        """
        pieces = _HEADING.split(text)
        sections = dict(zip(pieces[1::2], (piece.strip("\n") for piece in pieces[2::2]), strict=True))
        if not sections.get("user"):
            raise TaskError(
                f"{where}: no '# user' section.",
                hint="A prompt file has '# system', '# user' and, where wanted, '# prefill'.",
            )
        return cls(style, sections.get("system", ""), sections["user"], sections.get("prefill", ""))
