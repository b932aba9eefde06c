"""GRPO's curves in a terminal: a line a curve, its last value, and what is wrong now."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from proseform import curves

_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH = 40
"""Steps of a line, the last ones."""
_EVERY_S = 2.0


def watched(
    read: Callable[[], Sequence[Mapping[str, Any]]], over: Callable[[], bool], *, as_json: bool, once: bool
) -> None:
    """Show the curves, in a terminal until training is over, elsewhere once.

    Args:
        read: Gives the rows of ``metrics.jsonl`` as they are now.
        over: Whether training has ended.
        as_json: Print the last row and the alarms as JSON, once.
        once: Print once in a terminal too.
    """
    console = Console()
    if as_json:
        rows = read()
        console.print_json(json.dumps({"last": rows[-1] if rows else None, "alarms": curves.alarms(rows)}))
        return
    if once or not console.is_terminal:
        console.print(page(read()))
        return
    with Live(page(read()), console=console, auto_refresh=False) as live:
        ended = False
        while not ended:
            ended = over()
            live.update(page(read()), refresh=True)
            if not ended:
                time.sleep(_EVERY_S)


def page(rows: Sequence[Mapping[str, Any]]) -> Group:
    """The curves that have values, and the alarms."""
    if not rows:
        return Group(Text("No step is done yet."))
    table = Table(title=f"GRPO, step {rows[-1].get('step', len(rows))}", title_justify="left")
    for column in ("curve", "last steps", "now", "what it shows, and what to do"):
        table.add_column(column, overflow="fold")
    for curve in curves.known():
        values = [value for _, value in curves.series(rows, curve.name)]
        if values:
            now = f"{values[-1]:.0%}" if curve.share else f"{values[-1]:.3g}"
            table.add_row(curve.title, spark(values[-_WIDTH:], share=curve.share), now, curve.sentence)
    alarms = [Text(f"! {words}", style="bold red") for words in curves.alarms(rows)]
    return Group(table, *alarms)


def spark(values: Sequence[float], *, share: bool) -> str:
    """Values as blocks; a share between 0 and 1, another figure between its own lowest and highest.

    >>> spark([0, 0.5, 1], share=True)
    '▁▅█'
    """
    low, high = (0.0, 1.0) if share else (min(values), max(values))
    span = (high - low) or 1.0
    return "".join(_BLOCKS[round(min(1.0, max(0.0, (one - low) / span)) * (len(_BLOCKS) - 1))] for one in values)
