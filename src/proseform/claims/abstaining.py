"""``x-abstain``: the answer of a schema's own that says that there is too little to judge by.

It stands at the root: ``{"answer": …, "reasons": "/why"}``. The answer is given as it is, with the reasons in the list
at that place; without ``reasons`` it says nothing of them. It is checked when the schema is read, with every reason
that may come, alone and together (an input is not too short and too long at once), so that an abstaining answer is
always valid. It is small, and small work to check (:data:`MAX_BYTES`, :data:`MAX_COMPARISONS`).
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from proseform.errors import InputError
from proseform.schema import Schema, pointer
from proseform.schema.projection import ABSTAIN
from proseform.verdict import Why

MAX_BYTES = 16 << 10
"""Bytes of the answer as JSON. It is copied and checked once for each reason that may come, while other callers wait;
people write a few hundred."""

MAX_COMPARISONS = 20_000
"""Comparisons to check the answer once (:meth:`Schema.exceeds`), with all reasons in it; one of a few fields takes some
twenty."""


@dataclass(frozen=True)
class Abstaining:
    """An answer that abstains.

    Attributes:
        answer: The answer, without reasons.
        reasons: JSON pointer of the list that gets them; empty where none does.
    """

    answer: Any
    reasons: str = ""

    def given(self, reasons: Sequence[str]) -> Any:
        """The answer with its reasons.

        >>> Abstaining({"verdict": "unclear", "why": []}, "/why").given(["letter: too_short"])
        {'verdict': 'unclear', 'why': ['letter: too_short']}
        """
        answer = copy.deepcopy(self.answer)
        if self.reasons:
            pointer.at(answer, self.reasons)[:] = reasons
        return answer


def read(schema: Schema, inputs: Sequence[str]) -> Abstaining | None:
    """The abstaining answer of a schema; None where it has none.

    Args:
        schema: The schema.
        inputs: The names of the task's inputs, of which reasons speak.

    Raises:
        InputError: It is malformed, or not valid by the schema; with the reason.
    """
    stated, where = schema.document.get(ABSTAIN), f"{schema.where} at /: {ABSTAIN}"
    if stated is None:
        return None
    if not isinstance(stated, Mapping) or "answer" not in stated or not stated.keys() <= {"answer", "reasons"}:
        raise InputError(f"{where} is an object with 'answer', and 'reasons' where reasons are to be given.")
    abstaining = Abstaining(stated["answer"], stated.get("reasons", ""))
    if not isinstance(abstaining.reasons, str) or (
        abstaining.reasons and not isinstance(pointer.at(abstaining.answer, abstaining.reasons), list)
    ):
        raise InputError(f"{where}: 'reasons' is the JSON pointer of a list in the answer.")
    if len(json.dumps(abstaining.answer)) > MAX_BYTES:
        raise InputError(f"{where}: the answer is larger than {MAX_BYTES >> 10} KiB.")
    every = list(itertools.product(inputs, get_args(Why)))
    if schema.exceeds(abstaining.given([f"{name}: {why}" for name, why in every]), MAX_COMPARISONS):
        raise InputError(f"{where}: checking the answer takes more than {MAX_COMPARISONS} comparisons.")
    together = [[one for one in every if one[1] != size] for size in ("too_short", "too_long")]
    for chosen in ([], *([one] for one in every), *together) if abstaining.reasons else ([],):
        reasons = [f"{name}: {why}" for name, why in chosen]
        fault = schema.fault(abstaining.given(reasons))
        if fault is not None:
            with_ = f" with the reasons {reasons}" if reasons else ""
            raise InputError(f"{where}: the answer{with_} is not valid by this schema: {fault[0]}: {fault[1]}.")
    return abstaining
