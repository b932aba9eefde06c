"""A verdict on a text: what it says, or the first reason against it. A bad completion is a value.

Beside it stand the reasons for which nothing is written at all (:data:`Why`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

Why = Literal["unknown_words", "unknown_lines", "too_short", "too_long", "missing_words", "contradictory_dates"]
"""In which way an input is not like those that the models learnt from (:mod:`proseform.abstention`), or contradicts
itself."""


class Reason(StrEnum):
    """Why a text was not accepted."""

    EMPTY = "empty"
    FORM = "form"  # prose: not in the form that the task's reader knows
    NOT_JSON = "not_json"
    DUPLICATE_KEY = "duplicate_key"
    TRAILING = "trailing_text"
    TRUNCATED = "truncated"
    SCHEMA = "schema"
    UNGROUNDED = "ungrounded"
    INCONSISTENT = "inconsistent"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a text of an answer stands in an input.

    Attributes:
        pointer: JSON pointer of the text in the answer.
        input: The input's name.
        start: Where it begins in the input as it was given, in code points.
        end: Where it ends.
    """

    pointer: str
    input: str
    start: int
    end: int

    def as_dict(self) -> dict[str, str | int]:
        """As JSON."""
        return {"pointer": self.pointer, "input": self.input, "start": self.start, "end": self.end}


@dataclass(frozen=True, slots=True)
class Correction:
    """A value of an evaluation that did not follow from the rest of it, and was computed anew.

    Attributes:
        pointer: JSON pointer of the value in the JSON of the task's whole schema that the evaluation states.
        said: What the evaluation said.
        follows: What follows, and stands there now.
    """

    pointer: str
    said: Any
    follows: Any

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"pointer": self.pointer, "said": self.said, "follows": self.follows}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of verifying one text.

    Attributes:
        value: What the text says, as JSON; meaningful where ``ok``.
        reason: The first reason against; None where the text is accepted.
        where: A JSON pointer or a section of the prose.
        detail: One clause for people; of a text that is accepted, what else there is to say.
        evidence: Where what the text quotes stands, in order of the value; empty where nothing is quoted.
    """

    value: Any = None
    reason: Reason | None = None
    where: str = ""
    detail: str = ""
    evidence: tuple[Evidence, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the text was accepted."""
        return self.reason is None

    @property
    def place(self) -> str:
        """The reason and where, without words of the text: what a refusal may say, since texts quote their inputs."""
        return f"{self.reason}{f' at {self.where}' if self.where else ''}"

    def __str__(self) -> str:
        """``verified``, ``unread`` where nobody reads such a text, or the reason in words."""
        if self.ok:
            return self.detail or "verified"
        return f"{self.reason}{f' at {self.where}' if self.where else ''}{f': {self.detail}' if self.detail else ''}"
