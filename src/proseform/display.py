"""What a run looks like from outside: a line and a bar for each step, and what is left.

Reads what stages leave behind (``events.jsonl`` of the run, ``progress.jsonl`` of a step), so that it can watch any
run, and nothing waits for it. Without a terminal it prints a line when a step begins, when it ends, and every
15 seconds in between.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import typer
from rich.console import Console
from rich.json import JSON
from rich.panel import Panel
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
from rich.table import Table
from rich.text import Text

from proseform import digest

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


def summary(steps: dict[str, dict[str, Any]]) -> Table:
    """Stage, time and key figure; reused stages state the time that they took when they ran."""
    table = Table("stage", "time", "key figure", title="What was done", title_justify="left")
    for step, event in steps.items():
        how = "" if event["state"] == "done" else f" ({event['state']})"
        table.add_row(
            step,
            f"{event.get('seconds', 0):.1f} s{how}",
            str(event.get("figures", {}).get("key", event.get("message", ""))),
        )
    return table


def conclude(run: Path, steps: dict[str, dict[str, Any]], console: Console) -> None:
    """The end of a run: the champion's answer to the example, whether the gate is closed, and where the report lies."""
    probe = run / "probe.json"
    answer = json.loads(probe.read_text()).get("example") if probe.exists() else None
    if answer and "answer" in answer:
        console.print(
            Panel(
                Text(answer["prose"]),
                title="The evaluator's prose",
                title_align="left",
                subtitle=answer["prose_verdict"],
            )
        )
        title = f"The answer: {answer['verdict']}, by bundle {digest.short(answer['bundle'])}"
        console.print(Panel(JSON.from_data(answer["answer"], ensure_ascii=False), title=title, title_align="left"))
    elif answer:
        console.print(
            Panel(f"{answer['message']} {answer['hint']}", title=f"Refused: {answer['reason']}", title_align="left")
        )
    if steps.get("gate", {}).get("figures", {}).get("key", "").startswith("closed"):
        console.print("The gate is closed, so nothing was promoted; the table says why.")
    report = Path(urlparse(str(steps.get("evaluate", {}).get("uri", ""))).path) / "report.html"
    console.print(f"Report: {report}", soft_wrap=True)


def answered(answer: dict[str, Any], *, as_json: bool) -> None:
    """One answer, for people or as JSON for machines.

    Args:
        answer: As :meth:`proseform.infer.answer.Answer.as_dict` gives it.
        as_json: Print JSON.
    """
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False))
        return
    console = Console()
    console.print(answer["prose"], markup=False, highlight=False)
    console.print_json(json.dumps(answer["answer"], ensure_ascii=False))
    for name, findings in answer.get("findings", {}).items():
        for finding in findings:
            place = "" if finding["start"] is None else f", at {finding['start']}"
            console.print(f"{name}{place}: {finding['message']}", style="yellow", markup=False, highlight=False)
    seconds = sum(answer["seconds"].values())
    words = f"JSON verified; prose {answer['prose_verdict']}; bundle {answer['bundle']}; {seconds:.2f} s"
    console.print(words, style="dim", markup=False)


def show(columns: Sequence[str], rows: Iterable[Sequence[str]], *, as_json: bool) -> None:
    """A table for people, a list of objects for machines."""
    if as_json:
        typer.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], ensure_ascii=False))
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _short(value: Any) -> str:
    """A figure in three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
