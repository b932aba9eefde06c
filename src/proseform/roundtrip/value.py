"""What a frozen formatter made of free prose, and what that earns.

A formatter that was trained on gold prose turns a completion into JSON. The leaves of that JSON are compared with the
gold answer's, less what is earned blind: by the commonest value of each leaf, given to every case without reading it.
What the formatter makes nothing of earns nothing.

The formatter may say so: for prose that is empty, scrambled or about something else it is taught to write ``{}``
(:data:`NOTHING`), which :func:`or_nothing` lets an engine write.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Any

from proseform.case import Case
from proseform.input import Input
from proseform.leaves import Path, agreement, content_share, leaves
from proseform.schema import Schema
from proseform.verdict import Reason, Verdict

TERM = "round_trip"
"""The reward term of free prose."""
RUBRIC: Mapping[str, Any] = {"variants": {"free": {TERM: 1.0}}}
"""The rubric table of a task of free prose that states none."""
NOTHING: Mapping[str, Any] = {}
"""What the formatter makes of prose that states no answer."""
_DEFINITIONS = ("$schema", "$id", "$defs", "definitions")
_HALF = 2


@dataclass(frozen=True, slots=True)
class Readings:
    """What is known of free prose: the JSON that was made of it.

    Attributes:
        known: Prose to the JSON made of it; None where nothing was.
        blind: The share of leaves that is right without reading, in [0, 1).
    """

    known: Mapping[str, Any]
    blind: float = 0.0

    @classmethod
    def of(cls, cases: Iterable[Case]) -> Readings:
        """Gold prose, which says the gold answer; what is earned blind is told by the training cases."""
        known = list(cases)
        trained = [case.answer for case in known if case.split == "train"]
        return cls({case.prose: case.answer for case in known}, blind(trained or [case.answer for case in known]))

    def with_more(self, known: Mapping[str, Any]) -> Readings:
        """With what was made of further prose; of gold prose too, which may be read wrongly."""
        return replace(self, known={**self.known, **known})

    def read(self, prose: str, _inputs: Mapping[str, Input]) -> Verdict:
        """A task's reader: the JSON that was made of the prose."""
        value = self.known.get(prose)
        if value is None:
            return Verdict(reason=Reason.FORM, where="prose", detail="no formatter has made an answer of it")
        return Verdict(dict(value) if isinstance(value, Mapping) else value)

    @property
    def terms(self) -> dict[str, Callable[[str, Case], float]]:
        """A task's reward terms."""
        return {TERM: partial(_term, self)}


def _term(readings: Readings, prose: str, case: Case) -> float:
    """What prose earns by what was made of it."""
    value = readings.known.get(prose)
    return 0.0 if value is None else earned(value, case.answer, readings.blind)


def earned(value: Any, gold: Any, blind: float) -> float:
    """The share of leaves that is right, less what is earned blind, in [0, 1]: 1 where all is, 0 where no more is.

    Args:
        value: The JSON that was made of the prose.
        gold: The gold answer.
        blind: The share that is right without reading, in [0, 1).

    >>> gold = {"tyre": "flat", "days": 3}
    >>> earned(gold, gold, 0.5), earned({"tyre": "flat", "days": 4}, gold, 0.5), earned({}, gold, 0.5)
    (1.0, 0.0, 0.0)
    """
    return max(0.0, (content_share(value, gold) - blind) / (1.0 - blind))


def blind(answers: Iterable[Any]) -> float:
    """The share of leaves that is right if each has its commonest value, for all cases alike, in [0, 1).

    Answers that are all equal could be known without reading: nothing would be left to earn, so that counts as 0.

    >>> blind([{"tyre": "flat", "bell": "there"}, {"tyre": "worn", "bell": "there"}])
    0.75
    """
    known = [dict(leaves(answer)) for answer in answers]
    values: dict[Path, Counter[str]] = defaultdict(Counter)
    for one in known:
        for path, leaf in one.items():
            values[path][json.dumps(leaf)] += 1
    common = {
        path: json.loads(counted.most_common(1)[0][0])
        for path, counted in values.items()
        if counted.total() * _HALF >= len(known)
    }
    share = fmean(agreement(common, one) for one in known) if known else 0.0
    return share if share < 1.0 else 0.0


def or_nothing(schema: Schema) -> Schema:
    """A schema that takes :data:`NOTHING` beside what it takes.

    >>> wide = or_nothing(Schema({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"]}))
    >>> wide.fault({}), wide.fault({"a": None}), wide.fault({"a": 1}) is None
    (None, None, False)
    """
    document = schema.document
    shared = {key: document[key] for key in _DEFINITIONS if key in document}
    own = {key: value for key, value in document.items() if key not in shared}
    empty = {"type": "object", "properties": {}, "additionalProperties": False}
    return Schema({**shared, "anyOf": [own, empty]}, schema.where)
