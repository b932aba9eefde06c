"""A batch while it goes on: a bar with what is left, and how many rows were refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextmanager
def rows_done(total: int, done: int, *, quiet: bool) -> Iterator[Callable[[bool], None]]:
    """A progress bar on stderr.

    Args:
        total: Rows.
        done: Those that were answered before.
        quiet: Show nothing.
    """
    refused_rows = 0
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[refused]} refused"))
    with Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True), disable=quiet
    ) as bar:
        shown = bar.add_task("", total=total, completed=done, refused=0)

        def step(refused: bool) -> None:
            nonlocal refused_rows
            refused_rows += refused
            bar.update(shown, advance=1, refused=refused_rows)

        yield step
