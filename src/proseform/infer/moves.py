"""What a chain is made of, what can happen to it, and what it can want: the values of :mod:`proseform.infer.chain`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from proseform.bundle import Bundle
from proseform.claims import Claims
from proseform.errors import ProseformError
from proseform.infer import Completion, Request
from proseform.infer.verified import Answer, Formatted
from proseform.input import Input
from proseform.schema import Schema
from proseform.task import Task
from proseform.verdict import Verdict
from proseform.verify import Evaluation


@dataclass(frozen=True, slots=True)
class Plan:
    """What one answer is made of; it does not change on the way.

    Attributes:
        bundle: Whose prompts and budgets are used.
        schema: What is answered.
        task: Judges the prose; None for the formatter's turn alone.
        inputs: The task's inputs.
        excerpts: What the evaluator is shown in the place of long inputs.
        prose: An evaluation that is there already, so that the evaluator is not asked.
        deadline: When to give up, on the driver's clock, in seconds; None waits.
        own: Whether the schema is the caller's own, so that the engine looks at it before anything is asked.
        narrows: Whether another attempt is made under a narrower schema, because the engine does not end documents.
        key: Where prose is kept for other chains; empty keeps none.
        stream: Whether prose is handed on while it is written.
        claims: What the schema states of its values; None for the formatter's turn alone.
        sample: Which of several evaluations this is, from 1, each sampled with a seed of its own; 0 is the only one.
        measured: Whether it is to be known what the engine writes, so that no text counts against it.
        evaluations: What :mod:`proseform.infer.judging` knows of evaluations already, by text.
        documents: What it knows of documents already, by text.
    """

    bundle: Bundle
    schema: Schema
    task: Task | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict)
    excerpts: Mapping[str, str] = field(default_factory=dict)
    prose: str | None = None
    deadline: float | None = None
    own: bool = False
    narrows: bool = True
    key: str = ""
    stream: bool = False
    claims: Claims | None = None
    sample: int = 0
    measured: bool = False
    evaluations: dict[str, Evaluation] = field(default_factory=dict, init=False, compare=False, repr=False)
    documents: dict[str, Verdict] = field(default_factory=dict, init=False, compare=False, repr=False)


# Events: what has happened. Each says when, on the driver's clock, in seconds.


@dataclass(frozen=True, slots=True)
class Begun:
    """The chain is to begin."""

    now: float


@dataclass(frozen=True, slots=True)
class Checked:
    """The engine can enforce the schema."""

    now: float
    id: int


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What was kept under the key: prose, or None."""

    now: float
    prose: str | None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many tokens the model has left for a request's completion; None where nobody can count."""

    now: float
    id: int
    room: int | None


@dataclass(frozen=True, slots=True)
class Written:
    """A piece of a completion's text, while it is written."""

    now: float
    id: int
    text: str


@dataclass(frozen=True, slots=True)
class Completed:
    """A request's completion."""

    now: float
    id: int
    completion: Completion


@dataclass(frozen=True, slots=True)
class Failed:
    """A request's error, from the engine, or already from looking at its schema or from counting its prompt."""

    now: float
    id: int
    error: ProseformError


@dataclass(frozen=True, slots=True)
class Woke:
    """The time that was asked for has come."""

    now: float


@dataclass(frozen=True, slots=True)
class Left:
    """The caller has gone."""

    now: float


Event = Begun | Checked | LookedUp | Counted | Written | Completed | Failed | Woke | Left

# Actions: what is to be done.


@dataclass(frozen=True, slots=True)
class Check:
    """Have the engine look at a request's schema; answered by :class:`Checked` or :class:`Failed`."""

    id: int
    request: Request


@dataclass(frozen=True, slots=True)
class LookUp:
    """Look prose up; answered by :class:`LookedUp`."""

    key: str


@dataclass(frozen=True, slots=True)
class Store:
    """Keep prose for other chains; nothing answers."""

    key: str
    prose: str


@dataclass(frozen=True, slots=True)
class Count:
    """Count a request's prompt before it is asked; answered by :class:`Counted`."""

    id: int
    request: Request


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the engine; answered by :class:`Completed` or :class:`Failed`, and by :class:`Written` where it streams."""

    id: int
    request: Request
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """End a request that was asked; nothing answers any more."""

    id: int


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Say :class:`Woke` at this time."""

    at: float


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand a piece of the prose on, as a draft: it was not judged yet."""

    text: str


@dataclass(frozen=True, slots=True)
class Restart:
    """What was handed on does not count any more: the prose is written again, and handed on from its beginning."""


@dataclass(frozen=True, slots=True)
class Done:
    """The chain has ended well."""

    outcome: Answer | Formatted


@dataclass(frozen=True, slots=True)
class Refuse:
    """The chain has ended without an answer."""

    error: ProseformError


Action = Check | LookUp | Store | Count | Ask | Cancel | WakeAt | Emit | Restart | Done | Refuse
