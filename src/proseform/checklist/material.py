"""What exploits are made of: a case without its gold, and the gold of others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proseform.checklist import restate
from proseform.checklist.restate import Read
from proseform.leaves import Path

_FEW = 6
"""Values of a kind of leaf up to which it is a choice, such as a verdict."""


@dataclass(frozen=True)
class Material:
    """What exploits on one case are made of; nothing in it is the gold of the case itself, but for ``mediocre``.

    Attributes:
        inputs: The case's inputs by name.
        asked: The prompt as text.
        other: The gold text of another case.
        other_inputs: The inputs of that case.
        golds: The gold texts of all other cases.
        pool: The values of each kind of leaf over all gold texts.
        words: Names and choices of the schema.
        read: The reader of the other case's text.
        mediocre: Honest mediocrity on this case.
    """

    inputs: Mapping[str, str]
    asked: str
    other: str
    other_inputs: Mapping[str, str]
    golds: Sequence[str]
    pool: Mapping[Path, Sequence[Any]]
    words: Sequence[str]
    read: Read
    mediocre: str

    @property
    def addressed(self) -> str:
        """The other case's text with this case's names: the first line of each input takes the other's place."""
        text = self.other
        for name, own in self.inputs.items():
            first, new = (_first(texts) for texts in (self.other_inputs.get(name, ""), own))
            text = text.replace(first, new) if first else text
        return text

    def constant(self, choose: Callable[[Sequence[Any]], Any], *, numbers: bool) -> str:
        """The other case's text with one value for all leaves of a kind: for numbers, or for choices such as verdicts.

        Args:
            choose: From the values of a kind.
            numbers: Numbers, else choices: kinds of two to :data:`_FEW` words.
        """
        chosen = {
            path: choose(sorted(known))
            for path, known in self.pool.items()
            if (all(map(is_number, known)) if numbers else _is_choice(known))
        }
        return restate.all_set(self.other, self.read, chosen)

    @property
    def emptied(self) -> str:
        """The other case's text with empty lists, and without every line that its reader can do without."""
        text = re.sub(r"\[[^\[\]]*\]", "[]", self.addressed)
        for line in text.split("\n"):
            shorter = "\n".join(kept for kept in text.split("\n") if kept != line)
            text = shorter if self.read(shorter) is not None else text
        return text

    @property
    def misquoted(self) -> str:
        """The other case's text whose quotations of one input are taken from the other inputs of this case."""
        foreign = [
            line for text in list(self.inputs.values())[1:] + list(self.inputs.values())[:1] for line in lines(text)
        ]
        quoted = [word for known in self.pool.values() for word in known if _is_quote(word, self.other_inputs)]
        text = self.other
        for place, word in enumerate(sorted(dict.fromkeys(quoted), key=len, reverse=True)):
            text = text.replace(word, foreign[place % len(foreign)]) if foreign else text
        return text

    def hedged(self, text: str) -> str:
        """Each line of a text with every value that a choice in it may take, one under the other."""
        lines: dict[str, None] = {}
        choices = [sorted(known) for known in self.pool.values() if _is_choice(known)]
        for line in text.split("\n"):
            lines[line] = None
            for known in choices:
                for word in (word for word in known if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", line)):
                    lines |= {re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", other, line): None for other in known}
        return "\n".join(lines)


def lines(text: str) -> list[str]:
    """The lines of a text that are not blank."""
    return [line.strip() for line in text.split("\n") if line.strip()]


def _first(text: str) -> str:
    """The first line of a text; empty where there is none."""
    return next(iter(lines(text)), "")


def is_number(value: Any) -> bool:
    """A number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_choice(known: Sequence[Any]) -> bool:
    """Few words, of which one is chosen."""
    return 1 < len(known) <= _FEW and all(isinstance(value, str) and value for value in known)


def _is_quote(value: Any, inputs: Mapping[str, str]) -> bool:
    """Words that stand in one input alone."""
    return isinstance(value, str) and len(value) > 1 and sum(value in text for text in inputs.values()) == 1
