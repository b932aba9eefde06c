"""The form of a schema: its prose written and read, and scored in [0, 1] by terms that a rubric weighs.

Terms score what was recognised, sentence by sentence, so that careless prose earns what its sound parts are worth. A
leaf that is stated twice, or that the gold does not have, counts as one more error: repeating and listing do not pay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

from proseform.case import Case
from proseform.claims import Claims, Synonyms, claims, judge
from proseform.input import Input, of_each
from proseform.leaves import Path
from proseform.schema import Schema
from proseform.strict import same
from proseform.verbal.labels import Labels
from proseform.verbal.reading import Scan, read, scan
from proseform.verbal.tree import leaves
from proseform.verbal.writing import write
from proseform.verdict import Reason, Verdict

ATTEMPT = 0.5
"""The most that ``format`` gives to a text which the strict reader refuses."""
SLACK = 1.15
"""Length, against the gold text, up to which ``concision`` is full; at twice the gold it is 0."""
_WEIGHTS = {"accuracy": 0.4, "grounding": 0.25, "format": 0.15, "coverage": 0.15, "concision": 0.05}
_UNQUOTED = {"accuracy": 0.55, "format": 0.2, "coverage": 0.2, "concision": 0.05}


@dataclass(frozen=True)
class Form:
    """The form of a schema.

    Attributes:
        schema: The schema.
        inputs: The names of the task's inputs, which quotes may name.
        synonyms: Other names of things, by which a quote may support its field.

    Raises:
        InputError: ``claims`` and ``terms``, where a keyword of the schema is malformed.

    >>> form = Form(Schema({"properties": {"due_at": {}, "paid": {"type": "boolean"}}}), ["letter"])
    >>> text = form.write({"due_at": "noon", "paid": True})
    >>> print(text)
    Due at: "noon".
    Paid: yes.
    >>> form.read(text, {}).value
    {'due_at': 'noon', 'paid': True}
    """

    schema: Schema
    inputs: Collection[str]
    synonyms: Synonyms | None = None

    def __reduce__(self) -> tuple[Callable[..., Form], tuple[Any, ...]]:
        """As what it is made of; a compiled schema does not go to another process."""
        return _again, (self.schema.document, self.schema.where, tuple(self.inputs), dict(self.synonyms or {}))

    @cached_property
    def labels(self) -> Labels:
        """The names of its fields as words."""
        return Labels.of(self.schema)

    @cached_property
    def claims(self) -> Claims:
        """What the schema states of its values."""
        return claims(self.schema, self.inputs)

    def write(self, answer: Any) -> str:
        """An answer as prose."""
        return write(answer, self.labels)

    def read(self, prose: str, _inputs: Mapping[str, Input]) -> Verdict:
        """What prose states, where it could have been written letter by letter."""
        return read(prose, self.labels)

    @cached_property
    def scan(self) -> Callable[[str], Scan]:
        """Prose to what was recognised of it; the last few are remembered, since every term asks."""
        return lru_cache(maxsize=16)(partial(scan, labels=self.labels))

    @cached_property
    def terms(self) -> dict[str, Callable[[str, Case], float]]:
        """Term name to ``(prose, case) -> score in [0, 1]``; ``grounding`` where the schema states anything."""
        terms = (accuracy, *([grounding] if self.claims.any else []), format, coverage, concision)
        return {term.__name__: partial(term, self) for term in terms}

    @property
    def rubric(self) -> dict[str, Any]:
        """The rubric table of a task that states none."""
        weights = _WEIGHTS if self.claims.any else _UNQUOTED
        return {"variants": {"derived": dict(weights)}, "exponents": {"accuracy": 4}}


def accuracy(form: Form, prose: str, case: Case) -> float:
    """The share of leaves that are right, of all that are stated or owed."""
    scanned, gold = form.scan(prose), leaves(case.answer)
    right = sum(
        len(values) == 1 and path in gold and same(values[0], gold[path]) for path, values in scanned.leaves.items()
    )
    return right / (len(gold) + _surplus(scanned, gold))


def grounding(form: Form, prose: str, case: Case) -> float:
    """1 where what is stated stands in the inputs and follows as the schema says; else 0."""
    verdict = _accepted(form, prose)
    if not verdict.ok:
        return 0.0
    return float(judge(verdict.value, form.claims, of_each(case.inputs), form.synonyms or {}).ok)


def format(form: Form, prose: str, case: Case) -> float:  # noqa: A001 - the rubric's word
    """1 where the strict reader and the schema accept the text; else at most a half, by the sentences of the form."""
    if _accepted(form, prose).ok:
        return 1.0
    scanned, gold = form.scan(prose), leaves(case.answer)
    owed = sum(path in gold for path in scanned.leaves)
    return ATTEMPT * owed / (len(gold) + _surplus(scanned, gold) + len(scanned.strange))


def coverage(form: Form, prose: str, case: Case) -> float:
    """The share of the gold's leaves of which something is stated."""
    scanned, gold = form.scan(prose), leaves(case.answer)
    return sum(path in scanned.leaves for path in gold) / len(gold)


def concision(form: Form, prose: str, case: Case) -> float:
    """Coverage, times the share of lines that are of the form, times a factor for length."""
    scanned = form.scan(prose)
    if not scanned.lines:
        return 0.0
    ratio = len(prose.strip()) / len(form.write(case.answer))
    within = min(1.0, max(0.0, (2 - ratio) / (2 - SLACK)))
    return coverage(form, prose, case) * (1 - len(scanned.strange) / scanned.lines) * within


def _accepted(form: Form, prose: str) -> Verdict:
    """What the strict reader says, and then the schema."""
    verdict = form.read(prose, {})
    conforms = not verdict.ok or form.schema.fault(verdict.value) is None
    return verdict if conforms else Verdict(reason=Reason.SCHEMA)


def _surplus(scanned: Scan, gold: Mapping[Path, Any]) -> int:
    """Statements beyond one for each leaf of the gold."""
    return sum(map(len, scanned.leaves.values())) - sum(path in scanned.leaves for path in gold)


def _again(document: Mapping[str, Any], where: str, inputs: Collection[str], synonyms: Synonyms) -> Form:
    """A form from what :meth:`Form.__reduce__` gives."""
    return Form(Schema(document, where), inputs, synonyms)
