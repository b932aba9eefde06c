"""Legs side by side: forked processes, a line for each on the screen, and records as they end."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from benchmarks import legs as shared
from benchmarks.forked import side_by_side
from benchmarks.study import arms, leg, results, world
from proseform import jsonl, warm
from proseform.errors import StageError
from proseform.store import write_json

RECORD = "record.json"
Leg = tuple[str, int]


def run(folder: Path, plan: arms.Plan, todo: Sequence[Leg], *, workers: int, minutes: float | None) -> int:
    """Work off legs, each in a process of its own, and keep the record of each as it ends.

    Args:
        folder: Of the study; absolute.
        plan: The study.
        todo: Arm and seed of each leg that is not done.
        workers: Legs side by side, each with one thread.
        minutes: No leg begins after that many; None sets no end.

    Returns:
        How many are left.

    Raises:
        StageError: A leg failed; the others were worked off.
    """
    world.install(folder, plan.prompts)
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    for module in warm.MODULES:
        importlib.import_module(module)
    ends = time.monotonic() + 60 * minutes if minutes is not None else float("inf")
    with _shown(folder, plan, len(todo)) as screen:
        pool = _Pool(folder, plan, workers, ends, screen)
        failed = pool.work_off([(arms.TALK, seed) for seed in dict.fromkeys(seed for _, seed in todo)], pool.talk)
        failed += [] if failed else pool.work_off(todo, pool.leg)
    if failed:
        raise StageError(
            f"{len(failed)} legs failed; the first one is {failed[0][0]}, seed {failed[0][1]}.",
            hint=f"Its words are in {_log(folder, failed[0])}. Run the same command to try them again.",
        )
    return sum(one not in pool.done for one in todo)


def _log(folder: Path, one: Leg) -> Path:
    """Where the words of a leg's libraries go."""
    (folder / "logs").mkdir(exist_ok=True)
    return folder / "logs" / f"{one[0]}-{one[1]}.log"


class _Screen:
    """What is shown: a bar over all legs, and a line for each that runs."""

    def __init__(self, bars: Progress, folder: Path, plan: arms.Plan, total: int) -> None:
        self._bars, self._folder, self._plan = bars, folder, plan
        self._all = bars.add_task("legs", total=total, what="")
        self._lines: dict[Leg, TaskID] = {}

    def look(self, running: Sequence[Leg]) -> None:
        """Show how far the running legs are."""
        for one in running:
            if one not in self._lines:
                total = self._plan.study.tokens if one[0] != arms.TALK else None
                self._lines[one] = self._bars.add_task(f"{one[0]}, seed {one[1]}", total=total, what="")
            stage, tokens = progress(leg.folder_of(self._folder, *one))
            self._bars.update(self._lines[one], completed=tokens, what=stage)
        self._bars.refresh()

    def ended(self, one: Leg, words: str) -> None:
        """A leg has ended."""
        self._bars.console.print(f"{one[0]}, seed {one[1]}: {words}", highlight=False)
        if one in self._lines:
            self._bars.remove_task(self._lines.pop(one))
        if one[0] != arms.TALK:
            self._bars.advance(self._all)


@contextmanager
def _shown(folder: Path, plan: arms.Plan, total: int) -> Iterator[_Screen]:
    """The screen. Without a thread that draws: processes are forked from this one."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[what]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as bars:
        yield _Screen(bars, folder, plan, total)


def progress(place: Path) -> tuple[str, int]:
    """The stage that a leg is at, by the file that was written last, and the tokens that it has sampled in it."""
    files = [*place.glob("*/work/metrics.jsonl"), *place.glob("*/work/" + shared.SUMS)]
    newest = max(files, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        return "", 0
    rows = jsonl.rows(newest.parent / shared.SUMS)
    return newest.parents[1].name, int(rows[-1]["tokens"]) if rows else 0


def quiet() -> None:
    """One thread in this process, and no talk of the libraries."""
    import torch

    from proseform.train import weights

    weights.quiet()
    torch.set_num_threads(1)


class _Pool:
    """Processes, as many as may run side by side."""

    def __init__(self, folder: Path, plan: arms.Plan, workers: int, ends: float, screen: _Screen) -> None:
        self._folder, self._plan, self._workers, self._ends, self._screen = folder, plan, workers, ends, screen
        self.done: set[Leg] = set()

    def work_off(self, todo: Sequence[Leg], work: Callable[[Leg], None]) -> list[Leg]:
        """Work off legs; those that failed. A leg that would begin too late is left."""
        return side_by_side(
            todo,
            work,
            partial(_log, self._folder),
            workers=self._workers,
            ends=self._ends,
            look=self._screen.look,
            ended=self._end,
        )

    def talk(self, one: Leg) -> None:
        """In a process of its own: the chat model of a seed."""
        quiet()
        leg.talking(self._folder, self._plan, one[1])

    def leg(self, one: Leg) -> None:
        """In a process of its own: a leg."""
        quiet()
        write_json(leg.folder_of(self._folder, *one) / RECORD, leg.work_off(self._folder, self._plan, *one))

    def _end(self, one: Leg, failed: bool) -> None:
        """Keep what a process has left."""
        if failed:
            self._screen.ended(one, "failed")
            return
        self.done.add(one)
        if one[0] == arms.TALK:
            self._screen.ended(one, "the chat model is there")
            return
        place = leg.folder_of(self._folder, *one)
        record = json.loads((place / RECORD).read_text(encoding="utf-8"))
        results.append(self._folder / results.FILE, record)
        shutil.rmtree(place)
        _log(self._folder, one).unlink()
        last = record["final"]
        spent = sum(record["seconds"].values())
        self._screen.ended(
            one, f"{spent:.0f} s; valid {last['valid_sampled']:.2f}, held-out reward {last['held_out']:.2f}"
        )
