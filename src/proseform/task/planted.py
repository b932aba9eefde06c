"""Exploits that only a domain can know: completions which game its reward, as data in its ``exploits.toml``.

A text may name an input, ``{letter}``, or one line of it, ``{letter:1}``; nothing else in it is expanded::

    [[exploits]]
    name = "the same verdict for all"
    why = "form alone is paid"
    text = "{letter:1}: fine."
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from proseform.errors import TaskError

FILE = "exploits.toml"

_PLACE = re.compile(r"\{([a-z_]+)(?::([1-9][0-9]?))?\}")
_FIELDS = ("name", "why", "text")


@dataclass(frozen=True, slots=True)
class Planted:
    """One exploit of a domain.

    Attributes:
        name: What it does.
        why: What in the reward might pay for it.
        text: The completion, a template over the inputs.
    """

    name: str
    why: str
    text: str

    def on(self, inputs: Mapping[str, str]) -> str:
        r"""The completion on one case; a line that an input does not have is empty.

        >>> Planted("copy", "", "{a:2} of {a:3}, {b}").on({"a": "one\ntwo"})
        'two of , {b}'
        """

        def filled(match: re.Match[str]) -> str:
            name, line = match.groups()
            if name not in inputs:
                return match[0]
            lines = inputs[name].split("\n")
            return inputs[name] if line is None else "".join(lines[int(line) - 1 : int(line)])

        return _PLACE.sub(filled, self.text)


def planted(table: Mapping[str, Any], inputs: Iterable[str], where: str) -> tuple[Planted, ...]:
    """The exploits of a parsed ``exploits.toml``.

    Args:
        table: The file.
        inputs: The task's inputs.
        where: What to call the file.

    Raises:
        TaskError: A row of another shape, a name twice, or an input that the task does not have.
    """
    known, rows = set(inputs), table.get("exploits", [])
    if not isinstance(rows, list) or set(table) - {"exploits"}:
        raise TaskError(f"{where}: expected [[exploits]] and nothing else.")
    for number, row in enumerate(rows, start=1):
        if (
            not isinstance(row, Mapping)
            or set(row) != set(_FIELDS)
            or not all(isinstance(v, str) for v in row.values())
        ):
            raise TaskError(f"{where}, exploit {number}: expected the texts {', '.join(_FIELDS)}.")
        if strange := {match[1] for match in _PLACE.finditer(row["text"])} - known:
            raise TaskError(f"{where}, exploit '{row['name']}': {{{min(strange)}}} is no input of the task.")
    names = [row["name"] for row in rows]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise TaskError(f"{where}: '{twice}' stands twice.")
    return tuple(Planted(**row) for row in rows)
