"""Reading and rewarding: all words right, or nothing."""

from __future__ import annotations

from collections.abc import Mapping

from proseform.case import Case
from proseform.verdict import Reason, Verdict


def read(prose: str, inputs: Mapping[str, str]) -> Verdict:
    """What an evaluation says of the words, which it repeats in their order."""
    words = prose.removesuffix(".").split()
    if not prose.endswith(".") or words[::2] != str(inputs["words"]).split() or {*words[1::2]} - {"tree", "stone"}:
        return Verdict(reason=Reason.FORM, detail="it does not say of each word what it names")
    return Verdict({"kinds": words[1::2]})


def right(prose: str, case: Case) -> float:
    """1 where every word is right."""
    verdict = read(prose, case.inputs)
    return float(verdict.ok and verdict.value == dict(case.answer))


TERMS = {"right": right}
