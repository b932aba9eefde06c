"""What a run has come to, an answer, and tables: for people, or as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import typer
from rich.console import Console
from rich.json import JSON
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from proseform import digest
from proseform.documents import Document
from proseform.schema import pointer


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
    """The end of a run: the champion's answer to the example, whether it was promoted, and where the report lies."""
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
    if not promoted(steps):
        console.print("The gate is closed, so nothing was promoted; the table says why.")
    report = Path(urlparse(str(steps.get("evaluate", {}).get("uri", ""))).path) / "report.html"
    console.print(f"Report: {report}", soft_wrap=True)


def promoted(steps: dict[str, dict[str, Any]]) -> bool:
    """Whether a run's gate was open."""
    return not steps.get("gate", {}).get("figures", {}).get("key", "").startswith("closed")


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
    if answer["prose"]:
        console.print(answer["prose"], markup=False, highlight=False)
    for one in answer["abstained"]:
        far = f", {one['distance']} standard deviations off" if one["distance"] else ""
        words = f"abstained: {one['input']}, {one['why'].replace('_', ' ')}{far}"
        console.print(words, style="yellow", markup=False, highlight=False)
    for one in answer.get("recomputed", ()):
        said, follows = (json.dumps(one[name], ensure_ascii=False) for name in ("said", "follows"))
        words = f"recomputed: {one['pointer']} was {said} in the evaluation; {follows} follows from its evidence"
        console.print(words, style="yellow", markup=False, highlight=False)
    console.print_json(json.dumps(answer["answer"], ensure_ascii=False))
    for one in answer["evidence"]:
        quote = json.dumps(pointer.at(answer["answer"], one["pointer"]), ensure_ascii=False)
        place = f"{one['pointer']}: {quote} in {one['input']}, {one['start']} to {one['end']}"
        console.print(place, style="dim", markup=False, highlight=False)
    for name, findings in answer.get("findings", {}).items():
        for finding in findings:
            _noticed(console, name, finding)
    seconds = sum(answer["seconds"].values())
    words = f"{answer['verdict']}; prose {answer['prose_verdict']}; bundle {answer['bundle']}; {seconds:.2f} s"
    console.print(words, style="dim", markup=False)


def document(document: Document, *, as_json: bool) -> None:
    """A document that was read, for people or as JSON for machines.

    Args:
        document: Its input, with text, origin and findings.
        as_json: Print JSON: ``file kind encoding pages text findings``.
    """
    origin, text = document.input.origin, document.text
    findings = [asdict(finding) for finding in document.input.findings]
    if as_json:
        typer.echo(json.dumps({**asdict(origin), "text": text, "findings": findings}, ensure_ascii=False))
        return
    typer.echo(text)
    console = Console()
    for finding in findings:
        _noticed(console, finding["kind"], finding)
    pages = f"; {origin.pages} page{'s' * (origin.pages > 1)}" if origin.pages else ""
    encoding = f"; {origin.encoding}" if origin.encoding else ""
    words = f"{origin.file}: {origin.kind}{encoding}{pages}; {len(text):,} characters"
    console.print(words, style="dim", markup=False, highlight=False)


def _noticed(console: Console, name: str, finding: Mapping[str, Any]) -> None:
    """One finding: what it is about, where, and its sentence."""
    place = "" if finding["start"] is None else f", at {finding['start']}"
    console.print(f"{name}{place}: {finding['message']}", style="yellow", markup=False, highlight=False)


def show(columns: Sequence[str], rows: Iterable[Sequence[str]], *, as_json: bool) -> None:
    """A table for people, a list of objects for machines."""
    if as_json:
        typer.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], ensure_ascii=False))
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
