"""Reading and rewarding: prose or JSON, whichever was asked for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from proseform import direct, tagged
from proseform.case import Case
from proseform.schema import Schema
from proseform.verdict import Reason, Verdict

SCHEMA = Schema(json.loads((Path(__file__).parent / "schema.json").read_text(encoding="utf-8")))
_PROSE = re.compile(r"[a-z]+ (?:tree|stone)(?:, [a-z]+ (?:tree|stone))*\.")


def read(prose: str, inputs: Mapping[str, str]) -> Verdict:  # noqa: ARG001 - a reader is given them
    """What a completion says of the words: JSON, or an evaluation in its own form."""
    if (value := tagged.value(prose)) is not tagged.NOTHING:
        return Verdict(value)
    if (value := _evaluation(prose)) is not None:
        return Verdict(value)
    return Verdict(reason=Reason.FORM, detail="it does not say of each word what it names")


def binary(text: str, case: Case) -> float:
    """1 for a document that is valid and right in every word, else 0."""
    return float(direct.gated_json(text, dict(case.answer), SCHEMA) == _BEST)


def gated(text: str, case: Case) -> float:
    """The gated reward of JSON, of the most there is: 0, .05 for an attempt, .5 to 1 for a valid document."""
    return direct.gated_json(text, dict(case.answer), SCHEMA) / _BEST


def prose(text: str, case: Case) -> float:
    """The same gate for prose: 0 outside of its form, else .5 to 1 by the share of words that are right."""
    value = _evaluation(text)
    if value is None or SCHEMA.fault(value):
        return 0.0
    return (1.0 + direct.content_share(value, dict(case.answer))) / _BEST


def chance(text: str, case: Case) -> float:
    """A coin for each text of each case: nothing can be learnt from it, and a run that goes on is paid the same."""
    return float(hashlib.sha256(f"{case.id}\n{text}".encode()).digest()[0] % 2)


def _evaluation(text: str) -> dict[str, list[dict[str, str]]] | None:
    """What an evaluation says, as JSON; None where it is not in its form."""
    if not _PROSE.fullmatch(text):
        return None
    return {"kinds": [dict([pair.split(" ")]) for pair in text[:-1].split(", ")]}


_BEST = 2.0
"""The most that the gated reward of JSON pays."""

TERMS = {"binary": binary, "gated": gated, "prose": prose, "chance": chance}
