"""What ``proseform rewards`` shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proseform.checklist import Check

_STYLES = {"holds": "green", "fails": "bold red", "shown": "cyan", "not tried": "yellow"}


def checked(name: str, rows: Sequence[Check], *, as_json: bool) -> None:
    """The rows of a check, for people or as JSON for machines."""
    if as_json:
        typer.echo(json.dumps({"reward": name, "checks": [asdict(row) for row in rows]}, ensure_ascii=False))
        return
    table = Table("check", "result", "what was checked, and why", title=f"The reward of {name}", title_justify="left")
    for row in rows:
        words = Text(row.what)
        if row.reason:
            words.append(("\n" if row.what else "") + row.reason, style="dim" if row.result != "fails" else "")
        table.add_row(row.check, Text(row.result, style=_STYLES[row.result]), words)
    Console().print(table)
