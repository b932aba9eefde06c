"""The scorer: what each completion earns, judged in a process of its own that can be killed.

Terms are a task's own code. One that raises or gives no score is a fault in :func:`proseform.reward.score`; one that
never returns, or takes its process down, can only be dealt with from outside. So the judging runs in a child process,
one batch a call: it answers completion by completion, and where an answer is overdue the child is killed, that rollout
is a fault, and a fresh child goes on with the rest. The child lives as long as its scorer; a batch costs one line each
way. The report and GRPO may both use it, with the same rubric in force.

Free prose is read by a model before (:mod:`proseform.train.reader`), in the process that holds it and all of a batch
together; the child gets what was made of each completion beside it.

Left out: a limit on memory (the rank's own pod or machine has one).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

from proseform import direct, reward
from proseform import task as tasks
from proseform.case import Case
from proseform.child import Child, answers
from proseform.errors import StageError
from proseform.reward import Score
from proseform.rubric import Rubric
from proseform.task import Task

START_S = 300.0
"""Longest time for a child to load its task: a busy machine is slow, and a task may be large."""
LIMIT_S = 30.0
"""Longest time to score one completion: thousands of times what a sound reward takes, however busy the machine."""
HANGS = 3
"""Overdue completions in one batch after which the rest of it is not tried."""

RewardFunction = Callable[..., list[float | None]]
Read = Callable[[Sequence[str]], Mapping[str, Any]]
"""Makes JSON of free prose: texts to what is made of each, None where nothing is."""


class Scorer:
    """Scores batches of completions; use it as a context, or close it.

    Args:
        task: The task's name.
        rubric: The rubric in force; None scores JSON by the gated reward.
        limit_s: Longest time for one completion, in seconds.
        format_name: The named format of JSON that is rewarded; empty for prose, and for the whole schema.
        read: Reads free prose; None where the task has a reader.

    Raises:
        StageError: From :meth:`score`: the child cannot load the task; with its message.
    """

    def __init__(
        self,
        task: str,
        rubric: Rubric | None,
        limit_s: float = LIMIT_S,
        format_name: str = "",
        read: Read | None = None,
    ) -> None:
        self._spec = {
            "task": task,
            "rubric": rubric and asdict(rubric),
            "format": format_name,
        }
        self._limit_s = limit_s
        self._read = read
        self._reading_s = 0.0
        self._child: Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def score(self, completions: Sequence[str], cases: Sequence[str]) -> list[Score]:
        """What each completion earns, in order.

        Args:
            completions: Texts, prefill included.
            cases: The case of each, as its line of JSON.
        """
        scores: list[Score] = []
        began = time.monotonic()
        made = self._read(completions) if self._read is not None else {}
        self._reading_s += time.monotonic() - began
        hangs = 0
        while len(scores) < len(completions):
            if hangs == HANGS:
                words = f"not scored, since the reward was overdue {HANGS} times in this batch"
                return scores + [Score(fault=words)] * (len(completions) - len(scores))
            child = self._start()
            rest = slice(len(scores), None)
            known = {"made": {text: made[text] for text in completions[rest]}} if made else {}
            child.send({"completions": completions[rest], "cases": cases[rest], **known})
            for _ in completions[rest]:
                try:
                    scores.append(_score(child.receive(self._limit_s)))
                except TimeoutError:
                    hangs += 1
                    scores.append(Score(fault=f"the reward did not return within {self._limit_s:g} s"))
                    break
                except EOFError:
                    hangs += 1
                    scores.append(Score(fault=f"the reward ended its process ({child.ending()})"))
                    break
            else:
                return scores
            self.close()
        return scores

    def reading_s(self) -> float | None:
        """Seconds that free prose took to be read since this was last asked; None where a reader of the task's does."""
        spent, self._reading_s = self._reading_s, 0.0
        return None if self._read is None else spent

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _start(self) -> Child:
        """The child; it is started if there is none."""
        if self._child is None:
            self._child = child = Child(__name__)
            try:
                child.send(self._spec)
                hello = child.receive(START_S)
            except (EOFError, TimeoutError) as error:
                ending = child.ending()
                self.close()
                raise StageError(
                    f"The scorer of task '{self._spec['task']}' did not start ({ending}).",
                    hint="Its words are in the worker's log.",
                ) from error
            if words := hello["error"]:
                self.close()
                raise StageError(f"The scorer cannot load task '{self._spec['task']}': {words}")
        return self._child


class Rewards:
    """TRL's reward functions, one a term, which share one scoring of each batch.

    A function gets ``completions`` (texts) and ``case`` (lines of JSON) and gives a number a completion, with the
    term's power applied, or None where the rollout is a fault. Then every function gives None for it, and TRL counts
    the row neither in its group's baseline nor as an advantage.

    Args:
        scorer: Scores a batch, whichever function is called first.
        rubric: The scorer's own.
        whole: One function for all terms, which gives what the scores say, since a method may have changed that.

    Attributes:
        functions: As TRL wants them, named by their terms.
        weights: Of the functions.
        best: The highest weighted sum there is.
        last: The scores of the last batch.
    """

    def __init__(self, scorer: Scorer, rubric: Rubric | None, *, whole: bool = False) -> None:
        self._scorer, self._rubric = scorer, rubric
        self._key: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self.last: list[Score] = []
        if whole:
            self.functions, self.weights, self.best = [self._whole()], [1.0], 1.0
        elif rubric is None:
            self.functions, self.weights, self.best = [self._function(reward.JSON)], [1.0], 2.0
        else:
            self.functions = [self._function(term) for term in rubric.weights]
            self.weights, self.best = list(rubric.weights.values()), 1.0

    def _function(self, term: str) -> RewardFunction:
        """The reward function of one term."""

        def function(completions: list[str], case: list[str], **_: Any) -> list[float | None]:
            self.score(completions, case)
            return [None if score.fault else self._powered(term, score.terms[term]) for score in self.last]

        function.__name__ = term
        return function

    def _whole(self) -> RewardFunction:
        """The one function of all terms."""

        def paid(completions: list[str], case: list[str], **_: Any) -> list[float | None]:
            self.score(completions, case)
            return [score.composite for score in self.last]

        return paid

    def score(self, completions: Sequence[str], cases: Sequence[str]) -> list[Score]:
        """Score a batch, unless it is the last one again.

        Args:
            completions: Texts, prefill included.
            cases: The case of each, as its line of JSON.
        """
        key = (tuple(completions), tuple(cases))
        if key != self._key:
            self.last = self._scorer.score(completions, cases)
            self._key = key
        return self.last

    def reading_s(self) -> float | None:
        """See :meth:`Scorer.reading_s`."""
        return self._scorer.reading_s()

    def recall(self, completions: Sequence[str], cases: Sequence[str], scores: Sequence[Score]) -> None:
        """Take scores that are known for the next batch, which other ranks or earlier steps have scored."""
        self._key, self.last = (tuple(completions), tuple(cases)), list(scores)

    def _powered(self, term: str, value: float) -> float:
        """A raw term raised to its power; the gated reward has none."""
        return value if self._rubric is None else reward.powered(value, self._rubric.exponents.get(term, 1))


def _score(row: Mapping[str, Any]) -> Score:
    """A score from the child's line."""
    return Score(row["terms"], row["composite"], row["fault"], row["right"])


def _right(text: str, case: Case, task: Task, rubric: Rubric | None) -> bool | None:
    """Whether a completion is wholly right; None where the task's reader raises."""
    try:
        return direct.wholly_right(text, case, task, rubric)
    except Exception:  # noqa: BLE001 - a task's own code; its fault is the laws' to tell, and costs no rollout
        return None


def _judge() -> None:
    """The child: load the task that the first line names, then answer batches until the stream ends."""
    stream = answers()
    spec = json.loads(sys.stdin.readline())
    try:
        task = tasks.load(spec["task"]).narrowed(spec["format"])
    except Exception as error:  # noqa: BLE001 - a task's own modules are run, which may raise anything
        print(json.dumps({"error": str(error)}), file=stream, flush=True)
        return
    rubric = Rubric(**spec["rubric"]) if spec["rubric"] else None
    print(json.dumps({"error": ""}), file=stream, flush=True)
    for line in sys.stdin:
        batch = json.loads(line)
        reading = task.reading(batch.get("made", {}))
        known: dict[str, Case] = {}
        for text, about in zip(batch["completions"], batch["cases"], strict=True):
            case = known.get(about) or known.setdefault(about, Case.from_json(about))
            score = reward.score(text, case, reading, rubric)
            right = None if score.fault else _right(text, case, reading, rubric)
            row = {"terms": dict(score.terms), "composite": score.composite, "fault": score.fault, "right": right}
            print(json.dumps(row), file=stream, flush=True)


if __name__ == "__main__":
    _judge()
