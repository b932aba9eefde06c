"""A case: what is judged, and, where it is known, the gold judgement in prose and in JSON."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from proseform import jsonl
from proseform.errors import RowError
from proseform.leaves import picked

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
ATTACKED = "+injected:"
"""What stands in the id of a case that is another one under attack (:mod:`proseform.injection.attacks`)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case with its gold judgement.

    Attributes:
        id: Unique within a dataset.
        level: Difficulty, one of the task's levels.
        split: ``train``, ``valid`` or ``test``.
        groups: Identities that may not cross splits, such as ``person:amina-okafor`` or ``job:17``.
        inputs: The task's named inputs as text.
        prose: The gold evaluation.
        answer: The gold JSON, of the task's whole schema.
        facts: Ground truth for the reward terms, as JSON; each task defines its own.
    """

    id: str
    level: str
    split: Split
    inputs: Mapping[str, str]
    prose: str
    answer: Mapping[str, Any]
    groups: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line of JSON, keys in order, for ``cases.jsonl`` and dataset files."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def narrowed(self, fields: Iterable[str]) -> Case:
        """The case with those fields of its gold answer alone, in their order."""
        return replace(self, answer=picked(self.answer, fields))

    @classmethod
    def from_json(cls, line: str, where: str = "case") -> Case:
        """Read what :meth:`to_json` wrote.

        Raises:
            RowError: Not JSON, or a field is missing, unknown or of the wrong type; ``where`` and the field are named.
        """
        row = jsonl.parse(line, where)
        shaped(row, where, _REQUIRED, _OPTIONAL)
        if row["split"] not in SPLITS:
            raise RowError(f"{where}: field 'split' is '{row['split']}', expected one of {', '.join(SPLITS)}.")
        for name, text in row["inputs"].items():
            if not isinstance(text, str):
                raise RowError(f"{where}: field 'inputs.{name}' is {jsonl.kind(text)}, expected text.")
        for group in row.get("groups", ()):
            if not isinstance(group, str):
                raise RowError(f"{where}: field 'groups' holds {jsonl.kind(group)}, expected text.")
        return cls(**{**row, "groups": tuple(row.get("groups", ()))})


_REQUIRED = {"id": str, "level": str, "split": str, "inputs": dict, "prose": str, "answer": dict}
_OPTIONAL = {"groups": list, "facts": dict}


def shaped(row: Mapping[str, Any], where: str, required: Mapping[str, type], optional: Mapping[str, type]) -> None:
    """Check that every field of a case's row is known, present, and of its type.

    Args:
        row: The row.
        where: What to call it, such as ``"mine.jsonl, line 3"``.
        required: Fields that it has, each with its type.
        optional: Fields that it may have.

    Raises:
        RowError: The first field that is missing, unknown or of another type.
    """
    known = {**required, **optional}
    for name in required:
        if name not in row:
            raise RowError(f"{where}: field '{name}' is missing.", hint=f"A case has {', '.join(required)}.")
    for name, value in row.items():
        if name not in known:
            raise RowError(f"{where}: unknown field '{name}'.", hint=f"Known: {', '.join(known)}.")
        if not isinstance(value, known[name]):
            raise RowError(f"{where}: field '{name}' is {jsonl.kind(value)}, expected {jsonl.kind(known[name]())}.")


def read_cases(lines: Iterable[str], where: str = "cases.jsonl") -> Iterator[Case]:
    """Cases from lines of JSON (see :func:`proseform.jsonl.lines`); blank lines are skipped.

    Raises:
        RowError: With the line number and the field.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield Case.from_json(line, f"{where}, line {number}")


def load_cases(path: Path, most: int | None = None) -> list[Case]:
    """The cases of a file.

    Args:
        path: The file.
        most: Read no more than the first so many; None reads all.

    Raises:
        RowError: Not JSON Lines in UTF-8, or a line that is not a case.
    """
    return list(itertools.islice(read_cases(jsonl.read(path), path.name), most))
