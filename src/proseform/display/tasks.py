"""What ``proseform task`` shows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proseform.data.census import Census, Field
from proseform.data.new import New


def created(new: New, *, as_json: bool) -> None:
    """A folder that was written, for people or as JSON for machines."""
    if as_json:
        typer.echo(json.dumps({**asdict(new), "folder": str(new.folder)}, ensure_ascii=False))
        return
    typer.echo(f"{new.folder}: {new.cases} cases.")
    if new.bounds:
        typer.echo(f"schema.json got bounds in {len(new.bounds)} places, by what the cases hold; look at them:")
        for place in new.bounds:
            typer.echo(f"  {place}")
    typer.echo(f"Next: proseform task check {new.folder}")


def counted(census: Census, *, as_json: bool) -> None:
    """A task's cases, and what it lacks, for people or as JSON for machines."""
    if as_json:
        typer.echo(json.dumps(asdict(census), ensure_ascii=False))
        return
    console = Console()
    splits = ", ".join(f"{count} {split}" for split, count in census.splits.items())
    console.print(f"{census.task}: {census.title}. Cases: {splits}.", markup=False, highlight=False)
    if census.derived:
        console.print(f"Derived, where no file states it: {', '.join(census.derived)}.", style="dim", markup=False)
    table = Table("field", "cases", "values", title="What the cases hold", title_justify="left")
    for field in census.fields:
        table.add_row(Text(field.name), str(field.cases), Text(_values(field)))
    console.print(table)
    for one in census.excerpts:
        kept = f"{one.found} of {one.quotes} quotes stand in them, all quotes of {one.whole} cases"
        words = f"Of {one.input} an excerpt is shown in {one.cases} cases; {kept}."
        console.print(words, markup=False, highlight=False)
    if census.blind:
        _unread(console, census.blind)
    for fault in census.faults:
        console.print(Text(fault, style="red"))
    words = "No law is broken." if not census.faults else f"{len(census.faults)} faults."
    console.print(words, markup=False)


def _values(field: Field) -> str:
    """A field's values with how often they occur, or how many there are."""
    if not field.values:
        return f"{field.distinct:,} different"
    return ", ".join(f"{json.dumps(value, ensure_ascii=False)} {count}" for value, count in field.values)


def _unread(console: Console, blind: dict[str, Any]) -> None:
    """What is earned without reading an input."""
    table = Table(
        "answered by", "reward", "first choice right", "wholly right", title="Without reading", title_justify="left"
    )
    for row in blind["rows"]:
        table.add_row(row["how"], *(_figure(row[name]) for name in ("reward", "headline_right", "whole_right")))
    if chance := blind["chance"]:
        table.add_row(f"always {chance['label']}", "", _figure(chance["right"]), "")
    console.print(table)


def _figure(estimate: dict[str, Any] | None) -> str:
    """A figure with its interval."""
    return "" if estimate is None else f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"
