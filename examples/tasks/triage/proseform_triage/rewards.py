"""The form of a triage, how it is read, and what it is rewarded for. Pure.

Each sentence has one template, from which both writer and reader are made, so that they cannot drift apart::

    Acorn Foods, gold: "lockout" in billing, open.
    Rule lockout: critical, 2h, identity.
    Waits 5h, late.
    Score: 50 + 30 + 20 = 100. Priority: P1. Team: duty. Decision: escalate.

Evidence stands before the verdict: with both numbers written down, the model only has to compare them. The rule is
copied from the policy, which small models learn first. The patterns keep the bounds of schema.json. Left out:
paraphrase; a quote counts word for word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import reduce
from operator import getitem
from typing import Any

from proseform.case import Case
from proseform.input import Input
from proseform.verdict import Reason, Verdict

SENTENCES: Mapping[str, str] = {
    "problem": '{customer.name}, {customer.tier}: "{problem.quote}" in {problem.area}, {problem.state}.',
    "rule": "Rule {rule.name}: {rule.severity}, {rule.sla_hours}h, {rule.owner}.",
    "waiting": "Waits {waiting.hours}h, {waiting.clock}.",
    "score": "Score: {points.severity} + {points.tier} + {points.clock} = {score}.",
    "priority": "Priority: {priority}.",
    "team": "Team: {team}.",
    "decision": "Decision: {decision}.",
}
"""Each sentence with the fields of the answer that it states, by path; the last four share a line."""
VERDICTS = ("waiting.clock", "score", "priority", "team", "decision")
"""The fields that are judged; all others are evidence."""

_WORDS, _HOURS, _POINTS = r'[^"\n]{1,60}', "[0-9]{1,3}", "[0-9]{1,2}"
_NUMBERS = {
    "rule.sla_hours": _HOURS, "waiting.hours": _HOURS, "score": f"100|{_POINTS}",
    "points.severity": _POINTS, "points.tier": _POINTS, "points.clock": _POINTS,
}  # fmt: skip
_ENUMS = {
    "customer.tier": "gold|silver|basic", "problem.state": "open|solved", "rule.severity": "critical|major|minor",
    "waiting.clock": "late|in time", "priority": "P[1-4]", "decision": "respond|escalate|close",
}  # fmt: skip
_FIELD = re.compile(r"\{([a-z_.]+)\}")
_BETWEEN = re.compile(r"\n| (?=(?:Priority|Team|Decision): )")
_PATHS = {name: _FIELD.findall(template) for name, template in SENTENCES.items()}


def _pattern(template: str) -> re.Pattern[str]:
    """The reader of a sentence: a group for each field, in order."""
    kinds, parts = {**_NUMBERS, **_ENUMS}, _FIELD.split(template)  # parts: fixed text and paths, in turn
    return re.compile(
        "".join(f"({kinds.get(part, _WORDS)})" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    )


_PATTERNS = {name: _pattern(template) for name, template in SENTENCES.items()}


def leaf(answer: Mapping[str, Any], path: str) -> Any:
    """The value of an answer at a path such as ``rule.name``."""
    return reduce(getitem, path.split("."), answer)


def sentences(answer: Mapping[str, Any]) -> dict[str, str]:
    """The sentences that state an answer of the whole schema, by name."""
    return {
        name: _FIELD.sub(lambda match: str(leaf(answer, match[1])), template) for name, template in SENTENCES.items()
    }


def layout(claims: Mapping[str, str]) -> str:
    """Sentences as one text; what is absent is left out."""
    lines = [claims[name] for name in list(SENTENCES)[:3] if name in claims]
    return "\n".join([*lines, " ".join(claims[name] for name in list(SENTENCES)[3:] if name in claims)])


def scan(prose: str) -> tuple[dict[str, dict[str, Any]], int]:
    """What a text states: sentence to fields by path, and the number of pieces; what stands twice counts as absent."""
    pieces = [piece for piece in _BETWEEN.split(prose.strip()) if piece.strip()]
    matched = [
        (name, match.groups())
        for piece in pieces
        for name, pattern in _PATTERNS.items()
        if (match := pattern.fullmatch(piece))
    ]
    names = [name for name, _ in matched]
    once = {name: zip(_PATHS[name], texts, strict=True) for name, texts in matched if names.count(name) == 1}
    return {
        name: {path: int(text) if path in _NUMBERS else text for path, text in fields} for name, fields in once.items()
    }, len(pieces)


def read(prose: str, _inputs: Mapping[str, Input]) -> Verdict:
    """The whole-schema JSON that a triage states, true or not; or the first reason why it is none."""
    claims, _ = scan(prose)
    value: dict[str, Any] = {}
    for name in SENTENCES:
        if name not in claims:
            return Verdict(reason=Reason.FORM, where=name, detail="the sentence is missing, malformed, or stands twice")
        for path, field in claims[name].items():
            top, _, inner = path.partition(".")
            (value.setdefault(top, {}) if inner else value)[inner or top] = field
    if layout(sentences(value)) != prose.strip():
        return Verdict(
            reason=Reason.FORM, where="layout", detail="something else stands in the text, or the order is another"
        )
    return Verdict(value)


def accuracy(prose: str, case: Case) -> float:
    """The share of the verdicts that are right."""
    return _right(prose, case, verdicts=True)


def explanation(prose: str, case: Case) -> float:
    """The share of the evidence that is right: the quote, the rule that applies, the hours, the points."""
    return _right(prose, case, verdicts=False)


def form(prose: str, _case: Case) -> float:
    """1 where the strict reader accepts the text; else at most a half, by the share of sentences stated once."""
    claims, pieces = scan(prose)
    return 1.0 if read(prose, {}).ok else 0.5 * len(claims) / max(len(SENTENCES), pieces)


def coverage(prose: str, _case: Case) -> float:
    """The share of the sentences that are present."""
    return len(scan(prose)[0]) / len(SENTENCES)


def concision(prose: str, case: Case) -> float:
    """Coverage, times how well the text keeps to the length of the gold one."""
    return coverage(prose, case) * min(1.0, len(case.prose) / max(1, len(prose.strip())))


def _right(prose: str, case: Case, *, verdicts: bool) -> float:
    """The share of the fields, verdicts or evidence, that equal the gold answer's."""
    claims = {path: value for fields in scan(prose)[0].values() for path, value in fields.items()}
    due = [path for paths in _PATHS.values() for path in paths if (path in VERDICTS) == verdicts]
    return sum(path in claims and bool(claims[path] == leaf(case.answer, path)) for path in due) / len(due)


TERMS: Mapping[str, Callable[[str, Case], float]] = {
    "accuracy": accuracy, "explanation": explanation, "format": form, "coverage": coverage, "concision": concision,
}  # fmt: skip
