"""A user's own cases: read from one file, all of which is checked before anything trains.

Every fault names file, line and field. What is checked: that the file is JSON Lines in UTF-8, the shape of every case,
the laws that gold cases keep (:func:`proseform.laws.case_faults`), that nothing of a training case (id, group, input
text) is in another split, and that the run takes all of them.

Prose may have a style of its own: if no evaluation of the file is in the task's form, but each is recognised in part,
the evaluator imitates them as they are, and :class:`Own` says so. A file that mixes both is refused, since then the odd
ones are mistakes.

Left out: a limit of time. The task's own reader and terms judge the cases in this process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proseform import config, jsonl, laws, leaks, reward, verify
from proseform.case import SPLITS, Case, Split
from proseform.errors import RowError
from proseform.leaks import Placed
from proseform.rubric import Rubric
from proseform.task import Task


@dataclass(frozen=True, slots=True)
class Own:
    """The cases of a file.

    Attributes:
        cases: By split, in the order of the file.
        own_style: Evaluations that the task's reader does not know: all of them, or none.
    """

    cases: dict[Split, list[Case]]
    own_style: int = 0

    @property
    def level(self) -> str:
        """The commonest level of the held-out cases."""
        return Counter(case.level for case in self.cases["test"]).most_common(1)[0][0]

    @property
    def notice(self) -> str:
        """One sentence for people if the prose has a style of its own; else empty."""
        if not self.own_style:
            return ""
        return (
            f"All {self.own_style} evaluations are in a style of their own: the evaluator imitates them, and only what "
            "GRPO brings into the task's form can be verified and answered."
        )


def load(task: Task, dataset: config.Dataset, rubric: Rubric) -> Own:
    """Read and check ``dataset.file``.

    Args:
        task: Whose cases they are.
        dataset: Names the file, how many cases of each split the run takes, and what may be shared by splits.
        rubric: The rubric in force.

    Raises:
        RowError: The first faults, with file, line and field.
    """
    path = Path(dataset.file).expanduser()
    if not path.is_file():
        raise RowError(
            f"dataset.file: there is no file {path}.", hint="It holds one case a line; docs/tour.md shows one."
        )
    placed = list(_parsed(jsonl.read(path), path.name))
    style = _style(task, placed, rubric)
    # Duplicates are looked for once every case is sound: identities are read from answers that conform.
    faults = [*_each(task, placed, rubric, own_style=style)]
    faults = faults or [*leaks.across(placed, dataset.shared, task.identify)]
    if faults:
        raise jsonl.refusal(path.name, faults, hint=_hint(faults))
    cases = {split: [case for _, case in placed if case.split == split] for split in SPLITS}
    _check_counts(path.name, cases, dataset)
    return Own(cases, len(placed) if style else 0)


def _parsed(lines: list[str], name: str) -> Iterator[Placed]:
    """The cases with their line numbers; the first line that is not a case is the error."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, Case.from_json(line, f"{name}, line {number}")


def _style(task: Task, placed: list[Placed], rubric: Rubric) -> bool:
    """True if the file's prose has a style of its own: none is in the task's form, and each earns something.

    Cases with a fault in another field do not count.
    """
    sound = [
        case
        for _, case in placed
        if case.prose.strip() and not [*laws.input_faults(task, case)] and task.schema.fault(case.answer) is None
    ]

    def strange(case: Case) -> bool:
        earned = reward.score(case.prose, case, task, rubric).composite
        return bool(earned) and not verify.form(case.prose, task, case.inputs).ok

    return bool(sound) and all(strange(case) for case in sound)


def _each(task: Task, placed: list[Placed], rubric: Rubric, *, own_style: bool) -> Iterator[tuple[int, str]]:
    """What is wrong with single cases, as (line, words)."""
    for number, case in placed:
        if not case.id.strip():
            yield number, "field 'id': it is blank"
        if case.level not in task.levels:
            yield (
                number,
                f"field 'level': task '{task.name}' has no level '{case.level}'; there are {', '.join(task.levels)}",
            )
        if not case.prose.strip():
            yield number, "field 'prose': the evaluation is empty"
            continue
        for field, words in laws.case_faults(task, case, rubric):
            if not (own_style and field == "prose"):
                yield number, f"field '{field}': {words}"


def _check_counts(name: str, cases: dict[Split, list[Case]], dataset: config.Dataset) -> None:
    """Check that every split has cases, and that none would be left out."""
    for split, of_split in cases.items():
        if not of_split:
            raise RowError(
                f"{name}: there is no case of split '{split}'.", hint="Each case names its split: train, valid or test."
            )
        limit = getattr(dataset, split)
        if len(of_split) > limit:
            raise RowError(
                f"{name}: it holds {len(of_split)} cases of split '{split}', and dataset.{split} is {limit}.",
                hint=f"Set dataset.{split} = {len(of_split)}, so that none is left out.",
            )


def _hint(faults: list[tuple[int, str]]) -> str:
    """What to do about texts that stand in two splits."""
    if not any("the same text" in words for _, words in faults):
        return ""
    return "Put cases that share a text into one split; dataset.shared names inputs whose texts may stand in several."
