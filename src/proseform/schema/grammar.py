"""The schema that an engine is given: the same schema in draft 2020-12, without what engines cannot enforce.

A grammar is only ever wider than its schema: every document of the schema that can be written is one of the grammar.
What was widened is told place by place, and the verifier enforces it. Engines are llguidance 1.9.1, in process or
behind vLLM; what they make of a keyword was tried, not read (docs/results/schemas.md). What only a compiler can tell,
such as two patterns that overlap, is widened in :mod:`proseform.infer.grammars.widening`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOTHING: dict[str, Any] = {"anyOf": [False]}
"""The grammar of a schema that has no document, or none that can be written."""

NOT_ENFORCED = "engines do not enforce it"


@dataclass(frozen=True, slots=True)
class Widening:
    """A keyword that the verifier enforces, not the grammar.

    Attributes:
        place: JSON pointer of the subschema in the schema as it was given.
        keyword: Which keyword.
        reason: Why the grammar does not enforce it.
    """

    place: str
    keyword: str
    reason: str = NOT_ENFORCED

    def __str__(self) -> str:
        """As one line."""
        return f"{self.place or '/'}: {self.keyword} ({self.reason})"


@dataclass(frozen=True)
class Grammar:
    """What an engine is given.

    Attributes:
        document: A JSON schema of draft 2020-12 whose references are all of the form ``#/$defs/name`` or ``#``.
        widenings: What only the verifier enforces; empty where the grammar enforces the schema wholly.
        places: JSON pointer in ``document`` to JSON pointer in the schema as it was given.
    """

    document: dict[str, Any]
    widenings: tuple[Widening, ...]
    places: Mapping[str, str]
