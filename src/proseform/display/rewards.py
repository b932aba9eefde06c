"""What ``proseform rewards`` shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proseform.checklist import Check
from proseform.checklist.explain import Explanation
from proseform.train.signal import Signal

_STYLES = {"holds": "green", "fails": "bold red", "shown": "cyan", "not tried": "yellow"}
_FIGURES = {
    "mixed": "mixed groups",
    "all_best": "groups that earn the most",
    "all_zero": "groups that earn nothing",
    "reward": "reward",
    "spread": "standard deviation within a group",
    "distinct": "different completions in a group",
    "faulted": "completions that cannot be scored",
    "entropy": "entropy of a token, nats",
    "tokens": "tokens of a completion",
    "cut": "cut at the token budget",
}
"""The figures of a signal, with their titles."""
_TEXT = 2_000
"""Characters of a completion that are shown."""


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


def explained(rows: Sequence[Explanation], *, as_json: bool) -> None:
    """Explained completions, for people or as JSON for machines."""
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
        return
    console = Console()
    for row in rows:
        earned = f"not scored: {row.fault}" if row.reward is None else f"{row.reward:.3f}"
        table = Table("term", "score", "adds", "lost", "why", title=Text(f"{row.case}: {earned}"), title_justify="left")
        for term in row.terms:
            figures = (f"{value:.3f}" for value in (term.score, term.worth, term.lost))
            table.add_row(term.name, *figures, Text("\n".join(term.why)))
        console.print(Text(row.text if len(row.text) <= _TEXT else f"{row.text[:_TEXT]}…"))
        console.print(table)
        console.print(Text(f"The verifier: {row.verdict}\n"), style="dim")


def replayed(figures: dict[str, Any], *, as_json: bool) -> None:
    """A replay, for people or as JSON for machines."""
    if as_json:
        typer.echo(json.dumps(figures, ensure_ascii=False))
        return
    console = Console()
    for name in ("before", "after"):
        console.print(Text(f"{name}: {', '.join(f'{term} {words}' for term, words in figures[name].items())}"))
    table = Table("part", "rollouts", "reward", "dead groups", "dead ones that get a signal", "same order", "faulted")
    for part in figures["parts"]:
        pairs = (f"{_share(part[f'{name}_before'])} → {_share(part[f'{name}_after'])}" for name in ("reward", "dead"))
        rest = (_share(part[name]) for name in ("turned", "agree", "faulted"))
        table.add_row(part["part"], str(part["rollouts"]), *pairs, *rest)
    console.print(table)
    console.print(Text(f"Mean terms: {', '.join(f'{term} {mean:.3f}' for term, mean in figures['terms'].items())}"))


def signalled(measured: Signal, advice: str, why: str, *, as_json: bool) -> None:
    """The signal that GRPO would have, for people or as JSON for machines."""
    if as_json:
        typer.echo(json.dumps({**asdict(measured), "advice": str(advice), "why": why}))
        return
    table = Table("figure", "value", title=f"{measured.groups} groups of {measured.generations}", title_justify="left")
    for name, words in _FIGURES.items():
        table.add_row(words, f"{getattr(measured, name):.3f}")
    for name, value in measured.terms.items():
        table.add_row(f"term {name}", f"{value:.3f}")
    console = Console()
    console.print(table)
    console.print(Text(f"{advice}: {why}.", style="bold"))


def _share(value: float | None) -> str:
    """A figure in words."""
    return "none" if value is None else f"{value:.3f}"
