"""A prompt template: fixed text with named placeholders, as chat or as plain text, with an optional prefill.

The formatter's may have one of the *forms* that models are trained on for JSON (:mod:`proseform.prompt.forms`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proseform.errors import InputError, TaskError
from proseform.input import Input
from proseform.prompt.forms import DEFAULTS, FORMS, JSON_MODE, TOOL_CALL, Form
from proseform.prompt.segments import TOOLS, Rendered, Segment, Style, Turn, joined

if TYPE_CHECKING:
    from proseform.schema import Schema

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_HEADING = re.compile(r"^# (form|system|user|prefill)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt template.

    Attributes:
        style: ``chat`` renders to messages, ``plain`` to one string.
        system: The instructions; the system turn of a chat.
        user: The template, with ``{name}`` placeholders.
        prefill: The beginning of every completion; may be empty.
        form: How a chat is asked for JSON of a schema; empty where the template says it all.
    """

    style: Style
    system: str
    user: str
    prefill: str = ""
    form: Form = ""

    @property
    def placeholders(self) -> frozenset[str]:
        """The names that :meth:`render` needs values for."""
        own = _PLACEHOLDER.findall(self.user + (self.system if self.form == JSON_MODE else ""))
        return frozenset([*own, *([_SCHEMA] if self.form == TOOL_CALL else ())])

    def shown(self, schema: Schema) -> str:
        """A schema as this prompt shows it: its signature in one line, or in a form JSON."""
        return schema.stated() if self.form else schema.signature()

    def instruction(self, schema: Schema) -> str:
        """What another prompt says to have JSON of a schema answered: the system's words and the schema."""
        if self.form == JSON_MODE:
            return self.system.replace(f"{{{_SCHEMA}}}", schema.stated())
        return f"{self.system}\n{schema.signature()}"

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
        user = _filled(self.user, values)
        if self.style == "plain":
            system = [Segment(f"{self.system}\n")] if self.system else []
            return Rendered("plain", (Turn("", joined((*system, *user, Segment("\n")))),))
        words = _filled(self.system, values) if self.form == JSON_MODE else [Segment(self.system)]
        tools = [Turn(TOOLS, (Segment(_text(values[_SCHEMA]), ours=False),))] if self.form == TOOL_CALL else []
        turns = [Turn("system", joined(words))] if self.system else []
        return Rendered("chat", (*tools, *turns, Turn("user", joined(user))))

    @classmethod
    def from_markdown(cls, text: str, style: Style, where: str) -> Prompt:
        """Read a file of ``# system``, ``# user`` and ``# prefill`` sections; one with a ``# form`` is a chat.

        Raises:
            TaskError: No ``# user`` section, or an unknown form.
        """
        pieces = _HEADING.split(text)
        sections = dict(zip(pieces[1::2], (piece.strip("\n") for piece in pieces[2::2]), strict=True))
        if not sections.get("user"):
            raise TaskError(
                f"{where}: no '# user' section.",
                hint="A prompt file has '# system', '# user' and, where one is needed, '# prefill'.",
            )
        form = sections.get("form", "").strip()
        if form not in FORMS:
            known = ", ".join(filter(None, FORMS))
            hint = "Leave '# form' out where the template says it all."
            raise TaskError(f"{where}: no form '{form}'; there are: {known}.", hint=hint)
        system = sections.get("system", DEFAULTS[form])
        return cls("chat" if form else style, system, sections["user"], sections.get("prefill", ""), form)


def _filled(template: str, values: Mapping[str, Input | str]) -> list[Segment]:
    """A template's own text, and in the place of its placeholders their values."""
    return [
        Segment(_text(values[piece]), ours=False) if index % 2 else Segment(piece)
        for index, piece in enumerate(_PLACEHOLDER.split(template))
    ]


def _text(value: Input | str) -> str:
    """A value as the model sees it; a bare string is cleaned as an input is."""
    return Input.of(value).text


_SCHEMA = "schema"
"""The placeholder of the schema that is answered."""
