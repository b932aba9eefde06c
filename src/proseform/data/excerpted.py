"""What the excerpts that an evaluator is shown keep of the evidence there is: their recall, on cases with gold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from proseform import verify
from proseform.case import Case
from proseform.claims.quotes import places
from proseform.input import of_each
from proseform.task import Task


@dataclass(frozen=True, slots=True)
class Kept:
    """What the excerpts of one input keep.

    Attributes:
        input: Its name.
        cases: Cases whose text is so long that an excerpt is shown.
        whole: Those of them whose excerpt has every quote of the gold evaluation.
        quotes: Quotes of their gold evaluations.
        found: Those of them that stand in the excerpt.
        before: Characters of the texts, all together.
        after: Characters of the excerpts.
    """

    input: str
    cases: int
    whole: int
    quotes: int
    found: int
    before: int
    after: int


def excerpted(task: Task, cases: Iterable[Case]) -> tuple[Kept, ...]:
    """What the excerpts of each input keep of some cases; nothing where the task shows its inputs whole."""
    totals = {name: [0] * 6 for name in task.excerpts}
    for case in cases if totals else ():
        given = of_each(case.inputs)
        shown = task.excerpted(given)
        evidence = verify.prose(case.prose, task, given).evidence if shown else ()
        for name, text in shown.items():
            quotes = [given[name].raw[one.start : one.end] for one in evidence if one.input == name]
            found = sum(next(places(quote, text), None) is not None for quote in quotes)
            more = (1, found == len(quotes), len(quotes), found, len(given[name].text), len(text))
            totals[name] = [total + one for total, one in zip(totals[name], more, strict=True)]
    return tuple(Kept(name, *counts) for name, counts in totals.items())
