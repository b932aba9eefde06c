"""What a run looks like from outside: a line and a bar for each step, and what is left.

Reads what stages leave behind (``events.jsonl`` of the run, ``progress.jsonl`` of a step), so that it can watch any
run, and nothing waits for it. Without a terminal it prints a line when a step begins, when it ends, and every
15 seconds in between.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_QUIET_S = 15.0
"""Seconds between two lines about the same step where there is no terminal."""


class Tail:
    """New lines of a JSON Lines file that grows.

    Args:
        path: May not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Whole lines since the last call."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield json.loads(line)


def follow(run: Path, alive: Callable[[], bool], console: Console) -> dict[str, dict[str, Any]]:
    """Show a run until it is over.

    Args:
        run: The run's folder.
        alive: Whether the run still goes on.
        console: Where to show it.

    Returns:
        Step name to its last event; its ``state`` is ``done``, ``reused``, ``failed``, or ``started`` where it was cut
        off.
    """
    steps: dict[str, dict[str, Any]] = {}
    bars: dict[str, TaskID] = {}
    tails: dict[str, Tail] = {}
    printed: dict[str, float] = {}
    events = Tail(run / "events.jsonl")
    columns = (
        SpinnerColumn(), TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}", style="dim"),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=False, disable=not console.is_terminal) as progress:
        over = False
        while not over:
            over = not alive()
            for event in events:
                step = event["stage"]
                if event["state"] == "reused" and steps.get(step, event)["state"] == "done":
                    continue  # this run made it, and uses it again
                steps[step] = event
                if event["state"] == "started":
                    bars[step] = progress.add_task(step, total=None, note="goes on" if event.get("resumed") else "")
                    tails[step] = Tail(Path(event["work"]) / "progress.jsonl")
                    list(tails[step])  # passed over: an interrupted run wrote it
                elif step in bars:
                    total = next(task.total for task in progress.tasks if task.id == bars[step]) or 1
                    progress.update(
                        bars[step], total=total, completed=total if event["state"] == "done" else 0, note=note(event)
                    )
                if not console.is_terminal or step not in bars:
                    console.print(f"[bold]{step}[/bold] {event['state']} {note(event)}", highlight=False)
            for step, tail in tails.items():
                for line in tail:
                    figures = "  ".join(
                        f"{name} {_short(value)}" for name, value in line.items() if name not in {"t", "done", "total"}
                    )
                    progress.update(bars[step], total=line["total"], completed=line["done"], note=figures)
                    if (
                        not console.is_terminal
                        and time.monotonic() - printed.get(step, time.monotonic() - _QUIET_S) >= _QUIET_S
                    ):
                        printed[step] = time.monotonic()
                        console.print(f"  {step} {line['done']}/{line['total']}  {figures}", highlight=False)
            time.sleep(0.2)
    return steps


def note(event: dict[str, Any]) -> str:
    """An event in a few words: how long it took, and the key figure."""
    if event["state"] == "failed":
        return str(event.get("message", ""))
    if event["state"] == "started":
        return "goes on where it stopped" if event.get("resumed") else ""
    words = [f"{event['seconds']:.0f} s" if event["state"] == "done" else "as made before"]
    return ", ".join([*words, str(event.get("figures", {}).get("key", ""))]).removesuffix(", ")


def _short(value: Any) -> str:
    """A figure in three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
