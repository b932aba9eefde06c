"""The laws of a task that does not come with the package, tried in a process that can be killed.

Reader, terms, generator and annotator of such a task are somebody else's code. Code that never returns, or takes its
process down, can only be dealt with from outside: a child loads the task and tries the laws, and says what it is about
to call before each call of the task's own code. Where its next line is overdue the child is killed, and the call it
announced last is what breaks the law.

Left out: memory, which the machine or the pod limits; and cases of a user's own, which are checked where they are read
(:mod:`proseform.data.own`).
"""

from __future__ import annotations

import json
import random
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from proseform import task as tasks
from proseform.case import Case
from proseform.child import Child, answers
from proseform.errors import TaskError
from proseform.input import Input
from proseform.laws import owed
from proseform.task import Task
from proseform.verdict import Verdict

START_S = 300.0
"""Longest time for the child to start and import the task, in seconds: a busy machine is slow."""
LIMIT_S = 30.0
"""Longest time for one call of the task's code, in seconds: thousands of times what a sound one takes."""

Announce = Callable[[str, str], None]
"""Takes what is called, and with what."""


def load(name: str, limit_s: float = LIMIT_S) -> Task:
    """The installed task of that name, after its laws have been checked.

    Args:
        name: The task's name.
        limit_s: Longest time for one call of code that does not come with the package, in seconds.

    Raises:
        TaskError: No such task, a malformed one, or a broken law, a call that does not end included.
    """
    if tasks.foreign(name):
        _try(name, limit_s)
        return tasks.load(name)
    task = tasks.load(name)
    owed.check(task)
    return task


def _try(name: str, limit_s: float) -> None:
    """Try the laws in a child.

    Raises:
        TaskError: What the child found, or the call that did not end.
    """
    call, arguments, limit = "importing it", "", START_S
    child = Child(__name__)
    try:
        child.send({"task": name})
        while True:
            try:
                line = child.receive(limit)
            except TimeoutError:
                raise owed.error(name, f"{call} did not return within {limit:g} s{arguments}") from None
            except EOFError:
                raise owed.error(name, f"{call} ended its process ({child.ending()}){arguments}") from None
            if "call" in line:
                call, arguments, limit = line["call"], line["arguments"], limit_s
            elif "raised" in line:
                raise owed.error(name, f"{call} raised {line['raised']}{arguments}")
            elif line["error"]:
                raise TaskError(line["error"], hint=line["hint"])
            else:
                return
    finally:
        child.kill()


def announced(task: Task, announce: Announce) -> Task:
    """The task, with each call of its own code announced."""

    def term(name: str, function: Callable[[str, Case], float]) -> Callable[[str, Case], float]:
        def score(prose: str, case: Case) -> float:
            announce(f"term '{name}'", f", for case '{case.id}' and the text {prose[:40]!r}")
            return function(prose, case)

        return score

    def read(prose: str, inputs: Mapping[str, Input]) -> Verdict:
        announce("read", f", for the text {prose[:40]!r}")
        return task.read(prose, inputs)

    def generate(level: str, split: str, seed: int, count: int) -> Iterator[Case]:
        announce("generate", f", for {count} cases of level '{level}' and split '{split}'")
        return iter([*task.generate(level, split, seed, count)])

    def annotate(case: Case, rng: random.Random) -> str:
        announce("annotate", f", for case '{case.id}'")
        return task.annotate(case, rng)

    terms = {name: term(name, function) for name, function in task.terms.items()}
    return replace(task, read=read, terms=terms, generate=generate, annotate=annotate)


def _child() -> None:
    """The child: load the task that the first line names, and try its laws."""
    stream = answers()

    def tell(**line: Any) -> None:
        print(json.dumps(line), file=stream, flush=True)

    name = json.loads(sys.stdin.readline())["task"]
    try:
        owed.check(announced(tasks.load(name), lambda call, arguments: tell(call=call, arguments=arguments)))
    except TaskError as error:
        tell(error=error.message, hint=error.hint)
    except Exception as error:  # noqa: BLE001 - a task's own code, which may raise anything
        traceback.print_exc()  # to the log
        tell(raised=f"{error!r:.200}")
    else:
        tell(error="", hint="")


if __name__ == "__main__":
    _child()
