"""The checks in processes that can be killed: terms and functions are somebody's own code, which may never return.

One process tries every check, and says what it is about to call before each call of the reward. Where its next line is
overdue it is killed, the check that was tried fails with the call announced last, and the rest is not tried. A second
process, whose hashes of text have another seed, gets the reward as a pickle and scores the same completions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proseform.checklist import attempt
from proseform.checklist.subject import Check
from proseform.child import Child
from proseform.errors import InputError

START_S = 300.0
"""Longest time for a process to start and import the reward, in seconds: a busy machine is slow."""
LIMIT_S = 30.0
"""Longest time for one call of the reward, in seconds: thousands of times what a sound one takes."""

BETWEEN = ("pickles", "deterministic")
"""The checks that take two processes."""


def check(spec: Mapping[str, Any], limit_s: float = LIMIT_S) -> Iterator[Check]:
    """The rows of the table, as they come.

    Args:
        spec: What is checked: ``task`` with ``rubric`` (a variant; empty takes the task's own) and ``reward``
            (``prose`` or ``json``); or ``function`` (``module:function``) with ``cases`` (a path), ``low`` and ``high``
            (None where nobody says).
        limit_s: Longest time for one call of the reward, in seconds.

    Raises:
        InputError: No such task, function or file, or what was given cannot be used.
    """
    first = _Process(spec, 1, limit_s)
    running, names = "", [*BETWEEN, *(name for name, _ in attempt.TRIED if name != "laws" or "task" in spec)]
    try:
        for line in first.lines():
            if "check" in line:
                running = line["check"]
            elif "row" in line:
                names.remove(running)
                yield Check(**line["row"])
            elif "scores" in line:
                names = [name for name in names if name not in BETWEEN]
                yield from _between(spec, line, limit_s)
            elif not running:
                raise InputError(f"{attempt.named(spec)}: {line['hung']}.")
            else:
                yield Check(running, "fails", "every call of the reward returns", line["hung"])
                words = f"mend '{running}' first"
                yield from (Check(name, "not tried", "", words) for name in names if name != running)
                return
    finally:
        first.close()


def _between(spec: Mapping[str, Any], line: Mapping[str, Any], limit_s: float) -> Iterator[Check]:
    """Whether the reward can be pickled, and gives the same in another process."""
    what, fault = "the reward goes to another process as a pickle", line["unpicklable"]
    second = _Process({**spec, "pickle": line["pickle"]}, 2, limit_s)
    try:
        other = next(row for row in second.lines() if row.keys() & {"scores", "hung"})
    finally:
        second.close()
    fault = fault or other.get("unpicklable", "")
    hint = "; define it at the top of a module, and import what it needs inside of it"
    yield Check("pickles", "fails" if fault else "holds", what, fault and fault + hint)
    ours, theirs = line["scores"], other.get("scores", [])
    moved = sum(one != scores for one, scores in zip(ours, theirs, strict=True)) if theirs else len(ours)
    cause = other.get("hung", "look for the order of a set, a clock, chance, or a global")
    yield Check(
        "deterministic",
        "fails" if moved else "holds",
        f"{len(ours)} completions in two processes, whose hashes have different seeds, get the same rewards",
        f"{moved} differ: {cause}" if moved else "",
    )


class _Process:
    """A process that tries a reward.

    Args:
        spec: See :func:`check`; with ``pickle`` it scores only.
        seed: Of its hashes.
        limit_s: Longest time for one call.
    """

    def __init__(self, spec: Mapping[str, Any], seed: int, limit_s: float) -> None:
        self._limit_s = limit_s
        self._child = Child(attempt.__name__, seed)
        self._child.send(spec)

    def lines(self) -> Iterator[dict[str, Any]]:
        """What it says, up to its end; announcements of calls are kept, a call that does not return is ``hung``.

        Raises:
            InputError: What was given cannot be used; in its own words.
        """
        call, limit = "importing it", START_S
        while True:
            try:
                line = self._child.receive(limit)
            except TimeoutError:
                yield {"hung": f"{call} did not return within {limit:g} s"}
                return
            except EOFError:
                yield {"hung": f"{call} ended its process ({self._child.ending()})"}
                return
            if "call" in line:
                call, limit = line["call"], self._limit_s
            elif "error" in line and "hint" in line:
                raise InputError(line["error"], hint=line["hint"])
            elif "done" in line:
                return
            else:
                yield line

    def close(self) -> None:
        """End it."""
        self._child.kill()
