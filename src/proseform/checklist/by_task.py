"""A task's reward as the subject of the checks: its rubric over its terms, or the gated reward of JSON."""

from __future__ import annotations

import inspect
import itertools
import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from proseform import direct, reward, verify
from proseform.case import Case
from proseform.checklist.exploits import Exploit
from proseform.checklist.subject import Subject
from proseform.laws import owed, trial
from proseform.laws.trial import Announce
from proseform.reward import Score
from proseform.rubric import Rubric
from proseform.task import Task

_CASES = 12
"""Cases that rewards are tried on; where a task has fewer gold cases, generated ones make up the number."""


def subject(task: Task, rubric: Rubric | None, announce: Announce = lambda _call, _arguments: None) -> Subject:
    """The subject.

    Args:
        task: The task.
        rubric: The rubric in force, the task's or one of JSON; None takes the gated reward of JSON.
        announce: Is told what the laws call before they call it.
    """
    cases = _cases(task)
    prose = not direct.reads_json(rubric)
    golds = [case.prose if prose else direct.gold(case, rubric) for case in cases]

    def score(texts: Sequence[str], places: Sequence[int]) -> list[Score]:
        return [reward.score(text, cases[place], task, rubric) for text, place in zip(texts, places, strict=True)]

    def read(text: str, place: int) -> Any:
        if prose:
            verdict = verify.form(text, task, cases[place].inputs)
        else:
            verdict = verify.answer(direct.document(text, rubric), task.schema)
        return verdict.value if verdict.ok else None

    return Subject(
        golds=golds,
        inputs=[case.inputs for case in cases],
        asked=[task.question(case.inputs).text for case in cases],
        words=list(dict.fromkeys(_words(task.schema.document))),
        score=score,
        read=read,
        signature=partial(_signature, task if prose else None, cases[0]),
        pickled=partial(pickle.dumps, dict(task.terms)),
        laws=lambda: list(owed.broken(trial.announced(task, announce))),
        own=[_own(task, case) for case in cases] if prose else [],
        best=1.0 if rubric else 2.0,
    )


def _cases(task: Task) -> list[Case]:
    """Gold cases, and generated ones of each level in turn where there are few."""
    more = (list(task.generate(level, "train", 0, _CASES)) for level in task.levels)
    generated = itertools.chain.from_iterable(zip(*more, strict=False))
    return [*task.gold, *itertools.islice(generated, max(0, _CASES - len(task.gold)))]


def _signature(task: Task | None, case: Case) -> str:
    """Whether every term of a task takes a text and a case; those of JSON are no task's."""
    terms = task.terms if task else {}
    for name, function in terms.items():
        fault = _unbound(function, case)
        if fault:
            return f"term '{name}' is called as {name}(prose, case): {fault}"
    return ""


def _unbound(function: Callable[..., Any], case: Case) -> str:
    """Why a function cannot be called with a text and a case; empty where it can."""
    try:
        inspect.signature(function).bind("", case)
    except TypeError as error:
        return str(error)
    return ""


def _own(task: Task, case: Case) -> list[Exploit]:
    """What the task itself knows: evaluations that can be written unread, and its own exploits."""
    unread = task.unread(case) if task.unread else ()
    rows = [
        Exploit(f"written unread, {number}", "form, copying and self-consistency alone", text)
        for number, text in enumerate(unread, 1)
    ]
    return [*rows, *(Exploit(one.name, one.why, one.on(case.inputs)) for one in task.exploits)]


def _words(document: Any) -> Iterator[str]:
    """Names and choices of a schema."""
    if isinstance(document, dict):
        properties, choices = document.get("properties"), document.get("enum")
        yield from properties if isinstance(properties, dict) else ()
        yield from (word for word in choices if isinstance(word, str)) if isinstance(choices, list) else ()
    children = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    for child in children:
        yield from _words(child)
