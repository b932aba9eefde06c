"""All suites together: what is asked of a subject, and who judges which record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from types import ModuleType
from typing import Any

from proseform import digest
from proseform.outcome import Outcome
from proseform.suites import Ask, Study, Subject, answers, blind, evaluations, foreign, formatter, levels, readings

SUITES: Mapping[str, ModuleType] = {
    suite.SUITE: suite for suite in (evaluations, answers, formatter, levels, blind, readings, foreign)
}
"""The suites by name, in the order in which they are asked."""


def plan(study: Study, subject: Subject) -> list[Ask]:
    """What all suites ask of one subject; a request that needs the text of another comes after it."""
    if subject.second:
        return readings.plan(study, subject)
    return [ask for suite in SUITES.values() for ask in suite.plan(study, subject)]


def judge(outcomes: Iterable[Outcome], study: Study) -> list[Outcome]:
    """Outcomes with verdicts and scores, each by its own suite."""
    known = list(outcomes)
    study = readings.applied(known, study)
    return [SUITES[outcome.suite].judge(outcome, study) for outcome in known]


def plan_digest(asks: Iterable[Ask]) -> str:
    """The digest of everything that is asked; together with the models it decides what is generated."""
    return digest.of_json([_as_json(ask) for ask in asks])


def _as_json(ask: Ask) -> dict[str, Any]:
    """An ask as JSON."""
    return {
        "id": ask.record.id,
        "role": ask.role,
        "values": dict(ask.values),
        "prompt": asdict(ask.prompt) if ask.prompt else None,
        "schema": ask.schema.document if ask.schema else None,
        "constrained": ask.constrained,
        "temperature": ask.temperature,
        "seed": ask.seed,
        "after": ask.after,
    }
