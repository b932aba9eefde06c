"""What is noted of a request while it is answered: for its log line, its header and the labels of metrics.

A request has its notes, and so has each of its cases, which are added to the request's when the case ends. They are
found through the context of the running task, so that whoever chooses a bundle or judges a text need not hand them on.
Nothing of an input, of prose or of an answer is noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from proseform.bundle import Role


@dataclass(slots=True)
class Notes:
    """The notes of a request, or of one of its cases.

    Attributes:
        protocol: By which it was asked.
        bundles: The digests of the bundles that were chosen, in that order.
        judged: How many texts of a role were verified.
        seconds: How long engines worked on them, in seconds.
        cases: How many cases ended.
        refused: How many of these were refused.
        reason: Why the request was refused; empty where it was not.
        joined: Whether a case was answered with an equal one that was under way.
    """

    protocol: str = ""
    bundles: dict[str, None] = field(default_factory=dict)
    judged: dict[Role, int] = field(default_factory=dict)
    seconds: dict[Role, float] = field(default_factory=dict)
    cases: int = 0
    refused: int = 0
    reason: str = ""
    joined: bool = False

    @property
    def bundle(self) -> str:
        """The digests, as one text; empty while none is known."""
        return ", ".join(self.bundles)

    def judge(self, role: Role, seconds: float) -> None:
        """A text was verified, on which an engine had worked so long."""
        self.judged[role] = self.judged.get(role, 0) + 1
        self.seconds[role] = self.seconds.get(role, 0.0) + seconds

    def add(self, other: Notes) -> None:
        """Take over what others' notes say of bundles and texts."""
        self.bundles |= other.bundles
        self.joined |= other.joined
        for role, count in other.judged.items():
            self.judged[role] = self.judged.get(role, 0) + count
            self.seconds[role] = self.seconds.get(role, 0.0) + other.seconds[role]


_NOTES: ContextVar[Notes | None] = ContextVar("notes", default=None)


def current() -> Notes:
    """The notes of what this task works for; new ones where it works for no request."""
    return _NOTES.get() or Notes()


@contextmanager
def taken(notes: Notes) -> Iterator[Notes]:
    """Let these be the notes meanwhile."""
    token = _NOTES.set(notes)
    try:
        yield notes
    finally:
        _NOTES.reset(token)


@contextmanager
def case() -> Iterator[Notes]:
    """Notes of one case, which are added to those of its request."""
    whole = current()
    with taken(Notes(whole.protocol, dict(whole.bundles))) as notes:
        try:
            yield notes
        finally:
            whole.add(notes)
            whole.cases += 1
            whole.refused += bool(notes.reason)
