"""Work of many parts over processes, with its progress, so that a run which is stopped keeps what it has.

SIGTERM and Ctrl-C end the run early and in order: no further part begins, those under way are given up, and what came
back is the caller's to write. The parts do not depend on the number of processes, so neither do results.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Part = TypeVar("Part")
Result = TypeVar("Result")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_POLL_S = 0.5
"""How soon a signal is noticed, in seconds."""

_STEPS = 20
"""Lines of progress where nobody watches a terminal."""


def spread(
    work: Callable[[Part], Result], parts: Sequence[Part], *, workers: int, words: str
) -> Iterator[tuple[int, Result]]:
    """Each part's number and result, in the order in which they are done; fewer than there are where it was stopped.

    Args:
        work: A function of a module; it and its values travel by pickle.
        parts: What it is called with.
        workers: Processes side by side, each with one thread for numerics.
        words: What is being done, for the progress.

    Raises:
        Exception: Whatever ``work`` raises.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    with _told_to_stop() as stop, Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(words, total=len(parts))
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # processes inherit it: they end by our word alone
        waiting: dict[Future[Result], int] = {pool.submit(work, part): number for number, part in enumerate(parts)}
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            while waiting and not stop.is_set():
                done, _ = wait(waiting, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in done:
                    yield waiting.pop(future), future.result()
                    progress.advance(bar)
                    _told(console, words, len(parts) - len(waiting), len(parts))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            if waiting:
                for process in multiprocessing.active_children():
                    process.kill()
    if waiting:
        print(f"{words}: stopped, {len(waiting)} of {len(parts)} parts were not done.", file=sys.stderr)


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set, while it is watched."""
    stop = threading.Event()

    def told(_signal: int, _frame: FrameType | None) -> Any:
        stop.set()

    before = {number: signal.signal(number, told) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _told(console: Console, words: str, done: int, total: int) -> None:
    """A line of progress where no bar is seen."""
    if not console.is_terminal and (done * _STEPS // total) > ((done - 1) * _STEPS // total):
        print(f"{words}: {done} of {total} parts", file=sys.stderr, flush=True)
