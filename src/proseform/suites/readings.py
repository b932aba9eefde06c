"""Free prose: what the bundle's formatter makes of every evaluation, and whether a second one of another seed agrees.

A task of free prose has no reader, so texts are judged by what the formatter that is shipped makes of them, asked as
GRPO asks it: greedily, held to the schema or to nothing. Its readings are records like any other
(:func:`applied` makes a reader of them). Evaluator and formatter could agree on a code of their own, which GRPO would
reward: so a formatter that was trained from another seed, and that GRPO never asked, reads the same held-out texts.
Beside it stands whether the shipped one makes nothing of what states no answer.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from proseform import roundtrip, verify
from proseform.leaves import content_share
from proseform.outcome import Outcome
from proseform.suites import Ask, Study, Subject, blind, evaluations, figure, strangers, where

SUITE = "readings"
SECOND = "second"
"""The variant of what the second formatter read."""
_WRITTEN, _READ = "greedy", "read"
_FOREIGN = "of "
"""Prefix of the variants that state no answer."""
_EACH = 60
"""Texts of each kind that state no answer."""


def plan(study: Study, subject: Subject) -> list[Ask]:
    """A reading of every evaluation of a trained subject, and of foreign text by the shipped one."""
    if not study.task.free or not subject.trained:
        return []
    if subject.second:
        written = [
            replace(ask, record=replace(ask.record, suite=SUITE, variant=SECOND))
            for ask in evaluations.plan(study, subject)
            if ask.record.decoding == _WRITTEN
        ]
        return [*written, *(_ask(study, replace(ask.record, decoding=_READ), after=ask.record.id) for ask in written)]
    asked = [*evaluations.plan(study, subject), *blind.plan(study, subject)]
    return [
        *(_ask(study, _of(ask.record), after=ask.record.id) for ask in asked),
        *(_foreign(study, subject) if subject.shipped else ()),
    ]


def judge(outcome: Outcome, study: Study) -> Outcome:
    """The outcome with its scores: ``agreement`` of the second formatter, ``nothing`` of what states no answer."""
    if outcome.decoding != _READ:
        return outcome
    value = _value(outcome, study)
    if outcome.variant.startswith(_FOREIGN):
        return replace(outcome, scores={"nothing": float(value is None)})
    known = study.task.readings.known if study.task.readings is not None else {}
    given = outcome.texts.get("given", "")
    if outcome.variant != SECOND or given not in known:
        return outcome
    both = known[given], value
    agreed = float(both == (None, None)) if None in both else content_share(*both)
    return replace(outcome, scores={"agreement": agreed})


def summarise(outcomes: Sequence[Outcome], study: Study) -> dict[str, Any]:
    """``round_trip``: ``blind`` (leaves right without reading), ``agreement``, and ``nothing`` by kind of text.

    Empty for a task whose prose a reader knows.
    """
    if study.task.readings is None:
        return {}
    kinds = dict.fromkeys(row.variant for row in outcomes if row.variant.startswith(_FOREIGN))
    return {
        "round_trip": {
            "blind": study.task.readings.blind,
            "agreement": figure(where(outcomes, variant=SECOND), "agreement"),
            "nothing": {kind: figure(where(outcomes, variant=kind), "nothing") for kind in kinds},
        }
    }


def applied(outcomes: Sequence[Outcome], study: Study) -> Study:
    """The study with a task that reads what the shipped formatter has read; the same one where a reader does."""
    if not study.task.free:
        return study
    read = [row for row in where(outcomes, suite=SUITE, decoding=_READ) if _own(row)]
    return replace(study, task=study.task.reading({row.texts["given"]: _value(row, study) for row in read}))


def _own(row: Outcome) -> bool:
    """Whether a reading is the shipped formatter's, of an evaluation."""
    return row.variant != SECOND and not row.variant.startswith(_FOREIGN)


def _value(row: Outcome, study: Study) -> Any:
    """The JSON that was made of a text; None where nothing was."""
    verdict = verify.answer(row.text, study.task.schema)
    return verdict.value if verdict.ok else None


def _of(record: Outcome) -> Outcome:
    """The record of a reading of what another record asks for."""
    variant = " ".join(filter(None, (record.suite, record.decoding, record.variant)))
    return replace(record, suite=SUITE, decoding=_READ, variant=variant)


def _foreign(study: Study, subject: Subject) -> list[Ask]:
    """Text that states no answer, none of it of a kind with which the formatter was trained in these words."""
    kinds = [*strangers.kinds()]
    asks = []
    for place, case in enumerate(study.cases[:_EACH]):
        rng = random.Random(f"foreign/{case.id}")
        texts = {
            f"{_FOREIGN}a document": strangers.document(kinds[place % len(kinds)], len(case.prose), case.id),
            f"{_FOREIGN}its words in disorder": roundtrip.nothing.scrambled(case.prose, rng),
            **{f"{_FOREIGN}{name} as it is": text for name, text in case.inputs.items()},
        }
        for variant, text in texts.items():
            record = Outcome(SUITE, subject.name, _READ, case.id, case.level, variant)
            asks += [_ask(study, record, prose=text)] if text.strip() else []
    return asks


def _ask(study: Study, record: Outcome, *, prose: str = "", after: str = "") -> Ask:
    """The request for the JSON of one text, asked as in training: another path than that of serving."""
    values: Mapping[str, str] = {
        "schema": study.task.formatter.shown(study.task.schema),
        **({} if after else {"prose": prose}),
    }
    wide, prompt = roundtrip.or_nothing(study.task.schema), study.task.formatter
    return Ask(record, "formatter", values, prompt=prompt, schema=wide, constrained=True, after=after)
