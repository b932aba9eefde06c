"""The blind baseline: what is earned without reading an input. A figure that does not exceed it proves no reading.

Four baselines, of which the best counts: the shipped model with one input of another case; the gold evaluation of the
training case whose other inputs are most alike; one evaluation for all cases; and what the task itself knows to write
unread (:attr:`proseform.task.Task.unread`). Only the first asks a model. Beside it stands chance: the label that is
most common in training.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Any

from proseform import reward, stats
from proseform.case import Case
from proseform.outcome import Outcome, headline, judged_prose
from proseform.suites import Ask, Study, Subject, as_json, figures, where

SUITE = "blind"
SCORES = ("reward", "headline_right", "whole_right")
_TRIED = 20
"""Candidates for the one evaluation that is given for all cases."""
_CHOSEN_ON = 50
"""Training cases on which the best of several texts is chosen; never held-out ones."""


def plan(study: Study, subject: Subject) -> list[Ask]:
    """Each input in turn taken from the next case; nothing of a subject that is not shipped."""
    cases = study.cases[: study.blind] if subject.shipped and len(study.cases) > 1 else ()
    return [
        Ask(
            Outcome(SUITE, subject.name, "greedy", case.id, case.level, hidden),
            "evaluator",
            study.task.shown({**case.inputs, hidden: study.cases[(index + 1) % len(study.cases)].inputs[hidden]}),
        )
        for hidden in study.task.inputs
        for index, case in enumerate(cases)
    ]


def judge(outcome: Outcome, study: Study) -> Outcome:
    """The outcome with verdict and scores, held against the case whose input was hidden."""
    return judged_prose(outcome, study.by_id[outcome.case], study.task, study.rubric)


def summarise(outcomes: Sequence[Outcome], study: Study) -> dict[str, Any]:
    """``blind``: ``rows`` (one for each baseline), ``best`` (score to the row of the highest upper bound), ``chance``.

    ``chance`` is None where a task has no headline; ``best`` holds what was measured.
    """
    asked = [
        (f"the model, with {hidden} of another case", where(outcomes, variant=hidden)) for hidden in study.task.inputs
    ]
    rows = [{"how": how, **figures(answered, SCORES)} for how, answered in [*asked, *unread_answers(study)] if answered]
    chance = _chance(study)
    ways = [*rows, *([{"how": "chance", "headline_right": chance["right"]}] if chance else [])]
    best = {
        score: max(scored, key=lambda row: row[score]["high"])
        for score in SCORES
        if (scored := [row for row in ways if row.get(score)])
    }
    return {
        "blind": {
            "rows": rows,
            "best": {score: {"how": row["how"], **row[score]} for score, row in best.items()},
            "chance": chance,
        }
    }


def unread_answers(study: Study) -> list[tuple[str, list[Outcome]]]:
    """The baselines that ask no model: name, and an outcome for each held-out case; empty without training cases."""
    if not study.train or not study.cases:
        return []
    one = _best(study, [lambda _, prose=case.prose: prose for case in study.train[:_TRIED]])  # type: ignore[misc]
    ways: list[tuple[str, Callable[[Case], str]]] = [("one evaluation for all cases", one)]
    several = study.task.inputs if len(study.task.inputs) > 1 else ()
    ways += [
        (f"the most similar training case, without reading {hidden}", _nearest(study, hidden)) for hidden in several
    ]
    if (unread := study.task.unread) is not None:
        count = len(unread(study.train[0]))
        texts = [lambda case, index=index: unread(case)[index] for index in range(count)]
        ways.append(("what the task itself can write unread", _best(study, texts)))
    return [(how, [_outcome(study, case, write(case)) for case in study.cases]) for how, write in ways]


def _outcome(study: Study, case: Case, text: str) -> Outcome:
    """The judged outcome of a text that no model wrote."""
    return judge(Outcome(SUITE, "", "unread", case.id, case.level, texts={"text": text}), study)


def _best(study: Study, ways: Sequence[Callable[[Case], str]]) -> Callable[[Case], str]:
    """The baseline that earns the most on training cases."""

    def earned(write: Callable[[Case], str]) -> float:
        scores = (reward.score(write(case), case, study.task, study.rubric) for case in study.train[-_CHOSEN_ON:])
        return fmean(score.composite or 0.0 for score in scores)

    return max(ways, key=earned)


def _nearest(study: Study, hidden: str) -> Callable[[Case], str]:
    """The gold evaluation of the training case that shares the largest share of words outside of the hidden input."""
    known = [(_words(case, hidden), case.prose) for case in study.train]

    def write(case: Case) -> str:
        words = _words(case, hidden)
        return max(known, key=lambda other: len(words & other[0]) / max(1, len(words | other[0])))[1]

    return write


def _words(case: Case, hidden: str) -> frozenset[str]:
    """Words and pairs of neighbouring words of all inputs but one."""
    words = " ".join(text for name, text in case.inputs.items() if name != hidden).split()
    return frozenset([*words, *(f"{left} {right}" for left, right in itertools.pairwise(words))])


def _chance(study: Study) -> dict[str, Any] | None:
    """What is right if one label is stated for all cases: the one that is most common in training."""
    head = headline(study.task)
    if not head or not study.train or not study.cases:
        return None
    common = Counter(str(case.answer[head]) for case in study.train).most_common(1)[0][0]
    right: Iterable[float] = (float(str(case.answer[head]) == common) for case in study.cases)
    labels = study.task.schema.document["properties"][head]["enum"]
    return {"label": common, "labels": len(labels), "right": as_json(stats.mean(list(right)))}
