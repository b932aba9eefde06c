"""What becomes of a schema: whether it is taken, what the grammar enforces, what the verifier, and at what cost."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from proseform.errors import InputError
from proseform.infer.grammars.examine import checked, examined
from proseform.infer.narrow import longest
from proseform.schema import Schema, Widening, bounds


@dataclass(frozen=True)
class Plan:
    """What becomes of a schema that is taken.

    Attributes:
        draft: The draft that it is read as.
        note: Why, where the schema does not say so.
        verified: What only the verifier enforces, place by place; empty where the grammar enforces the schema wholly.
        compile_ms: Processor time of one compilation of the grammar, in milliseconds.
        schema_bytes: Of the schema as JSON.
        grammar_bytes: Of the grammar as JSON.
        longest_bytes: About the longest document; None where there is no bound.
        looks: The most subschemas that a verifier looks at for one value.
    """

    draft: str
    note: str
    verified: tuple[Widening, ...]
    compile_ms: float
    schema_bytes: int
    grammar_bytes: int
    longest_bytes: int | None
    looks: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON; ``enforced`` says whether the grammar enforces the schema wholly."""
        return {"taken": True, "enforced": not self.verified, **asdict(self)}

    def rows(self) -> list[tuple[str, str]]:
        """As a table: what, and its value."""
        unbounded = "unbounded: answers are ended within their budget"
        return [
            ("taken", "yes"),
            ("draft", f"{self.draft}; {self.note}" if self.note else self.draft),
            ("grammar enforces", "all of it" if not self.verified else "all but what the verifier enforces"),
            *(("verifier enforces", str(widening)) for widening in self.verified),
            ("compiled in", f"{self.compile_ms:.1f} ms"),
            ("size", f"{self.schema_bytes} bytes; its grammar {self.grammar_bytes} bytes"),
            ("longest document", unbounded if self.longest_bytes is None else f"about {self.longest_bytes} bytes"),
            ("checking a value", f"at most {self.looks} subschemas at one place"),
        ]


def plan(document: Any, where: str = "schema") -> Plan:
    """The plan of a schema.

    Args:
        document: JSON that should be a schema.
        where: What to call it in errors.

    Raises:
        InputError: It is not taken; with the place and the reason.
    """
    schema = examined(Schema(document, where))
    most = math.inf if Schema(schema.grammar, where).unbounded() else longest(schema.grammar)
    return Plan(
        draft=schema.draft.name,
        note=schema.draft.note,
        verified=schema.widenings,
        compile_ms=round(checked(schema.grammar).milliseconds, 1),
        schema_bytes=_size(schema.document),
        grammar_bytes=_size(schema.grammar),
        longest_bytes=None if math.isinf(most) else int(most),
        looks=schema.looks,
    )


def read(path: Path) -> Any:
    """The JSON of a schema's file; what it holds is judged by :func:`plan`.

    Raises:
        InputError: No such file, too large, or not JSON in UTF-8; with line and column.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}.") from error
    if len(data) > _MOST:
        raise InputError(f"{path}: is larger than {_MOST >> 20} MiB.", hint="State it in fewer words.")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8, at byte {error.start}.") from error
    except RecursionError as error:
        raise InputError(f"{path}: is nested deeper than {bounds.MAX_DEPTH} levels.") from error
    except ValueError as error:
        raise InputError(f"{path}: is not JSON: {error}.") from error


def _size(document: Any) -> int:
    """Bytes of a value as JSON."""
    return len(json.dumps(document, ensure_ascii=False).encode())


_MOST = 8 * bounds.MAX_BYTES
"""Bytes of a file, white space included."""
