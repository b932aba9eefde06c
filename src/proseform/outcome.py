"""Outcomes: a typed record for each request to a model, with the text that came and how it was judged.

A record is written in two steps. Measurement fills in what was asked and the texts that came
(:mod:`proseform.infer.measure`); judgement adds verdicts and scores, and can be repeated on stored records without
generating anything (:func:`judged_prose`, :func:`judged_json`). No judgement is defined here: texts go through
:mod:`proseform.verify`, scores through :mod:`proseform.reward`. Pure; Parquet is :mod:`proseform.records`'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from proseform import digest, reward, verify
from proseform.errors import RowError
from proseform.leaves import picked

if TYPE_CHECKING:
    from proseform.case import Case
    from proseform.rubric import Rubric
    from proseform.schema import Schema
    from proseform.task import Task
    from proseform.verdict import Verdict

FIELD = "field "
"""Prefix of the scores that say whether one field of the JSON is right."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request and what came of it.

    Attributes:
        suite: Which suite asked; a module of :mod:`proseform.suites`.
        subject: Which model was asked: the name of a bundle in ``records.json``.
        decoding: ``greedy``, ``sampled``, ``free`` or ``constrained``.
        case: The case's id.
        level: The case's level; empty where there is none.
        variant: What is special about the ask within its suite; empty for the plain one.
        sample: Which of several samples, from 0.
        texts: ``text`` is the completion; ``given`` is the prose that a formatter was asked to turn into JSON.
        verdicts: ``verifier`` in words, ``reason`` as a word (empty where the text is accepted), ``label`` and
            ``gold`` of the headline field where there is one, ``engine`` where the engine refused.
        scores: Name to score in [0, 1]; None where a score does not apply.
        seconds: Wall-clock seconds; of the whole batch if several were asked at once.
        tokens: Generated tokens.
    """

    suite: str
    subject: str
    decoding: str
    case: str
    level: str = ""
    variant: str = ""
    sample: int = 0
    texts: Mapping[str, str] = field(default_factory=dict)
    verdicts: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0
    tokens: int = 0

    @property
    def id(self) -> str:
        """What was asked, as one word; unique within a measurement."""
        return "/".join([self.suite, self.subject, self.decoding, self.variant, self.case, str(self.sample)])

    @property
    def text(self) -> str:
        """The completion; empty where the engine refused."""
        return self.texts.get("text", "")

    def to_json(self) -> str:
        """One line of ASCII JSON, from which :meth:`from_json` makes an equal record."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, line: str, where: str = "record") -> Outcome:
        """Read what :meth:`to_json` wrote.

        Raises:
            RowError: Not a record; ``where`` is named.
        """
        try:
            return cls(**json.loads(line))
        except (TypeError, ValueError) as error:
            raise RowError(f"{where}: not a record of a measurement ({error}).") from error

    def sealed(self) -> Outcome:
        """The same without texts: digests in their place, and no details in verdicts."""
        texts = {name: digest.of_json(text) for name, text in self.texts.items()}
        reason = self.verdicts.get("reason", "")
        verdicts = {**self.verdicts, "verifier": reason or "verified"} if self.verdicts else {}
        return replace(self, texts=texts, verdicts=verdicts)


def headline(task: Task) -> str:
    """The field that people read first: the smallest format's first field that is an enum; empty where none is."""
    fields = next(iter(task.formats.values()), ())
    return next((name for name in fields if "enum" in task.schema.document["properties"][name]), "")


def right(value: Mapping[str, Any] | None, case: Case, fields: Sequence[str] = ()) -> bool:
    """Whether an answer was given and has the gold values, in each of its fields or in some.

    Args:
        value: The answer, perhaps of fewer fields than the gold one; None where there is none.
        case: With its gold.
        fields: Those that count; empty takes all of the answer's.
    """
    if value is None:
        return False
    names = fields or [*value]
    return reward.content_share(picked(value, names), picked(case.answer, names)) == 1.0


def judged_prose(outcome: Outcome, case: Case, task: Task, rubric: Rubric) -> Outcome:
    """An evaluation in prose with its verdict and scores.

    Scores: ``reward`` (the composite), ``term <name>`` for each term, ``ok``, ``complete`` (the coverage term is 1,
    where a task has one), and what :func:`judged_json` gives. A reward that is out of contract scores 0 and says so in
    ``verdicts["fault"]``.
    """
    score = reward.score(outcome.text, case, task, rubric)
    verdict = verify.prose(outcome.text, task, case.inputs)
    cover = task.terms["coverage"](outcome.text, case) if "coverage" in task.terms and not score.fault else None
    scores = {
        "reward": score.composite or 0.0,
        "complete": None if cover is None else float(cover == 1.0),
        **{f"term {name}": value for name, value in score.terms.items()},
    }
    content = _content(outcome, verdict, dict(case.answer), headline(task))
    fault = {"fault": score.fault} if score.fault else {}
    return replace(content, verdicts={**content.verdicts, **fault}, scores={**scores, **content.scores})


def judged_json(outcome: Outcome, schema: Schema, gold: Mapping[str, Any] | None, head: str = "") -> Outcome:
    """JSON of a schema with its verdict and scores, beside the gold answer in the fields of the schema.

    Scores: ``ok`` (accepted by the verifier), ``share`` (of the content that is right), ``whole_right``,
    ``headline_right`` and ``field <name>`` for each field; all but ``ok`` are None where ``gold`` is None.
    """
    known = picked(gold, schema.fields) if gold is not None else {}
    content = _content(outcome, verify.answer(outcome.text, schema), known, head)
    if gold is None:
        return replace(content, scores={**dict.fromkeys(content.scores), "ok": content.scores["ok"]})
    return content


def _content(outcome: Outcome, verdict: Verdict, gold: Mapping[str, Any], head: str) -> Outcome:
    """What a verdict's value says, beside the gold."""
    value = verdict.value if verdict.ok and isinstance(verdict.value, Mapping) else {}
    right = {name: name in value and reward.content_share(value[name], gold[name]) == 1.0 for name in gold}
    share = reward.content_share(verdict.value, dict(gold)) if verdict.ok else 0.0
    scores = {
        "ok": float(verdict.ok),
        "share": share,
        "whole_right": float(share == 1.0),
        "headline_right": float(right[head]) if head in right else None,
        **{f"{FIELD}{name}": float(good) for name, good in right.items()},
    }
    refused = {"engine": outcome.verdicts["engine"]} if "engine" in outcome.verdicts else {}
    labels = {"label": str(value.get(head, "")), "gold": str(gold[head])} if head in gold else {}
    reason = refused.get("engine") or str(verdict.reason or "")
    verdicts = {"verifier": str(verdict), "reason": reason, **labels, **refused}
    return replace(outcome, verdicts=verdicts, scores=scores)
