"""A running server in a terminal, refreshed: outcomes, latency, engines, and what its bundles answered."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from proseform.errors import ProseformError
from proseform.serve.scrape import Scrape, Window, figures

_WINDOW_S = 60.0
"""Rates are those of the last so many seconds."""
_DIGITS = 7
"""Of a digest, as it is shown."""


def top(
    url: str,
    fetch: Callable[[], Scrape],
    *,
    as_json: bool,
    once: bool,
    every_s: float = 2.0,
    console: Console | None = None,
) -> None:
    """Show a server, in a terminal until interrupted, elsewhere once, counted from its start.

    Args:
        url: Where it is.
        fetch: Scrapes it.
        as_json: Print the figures as JSON, once.
        once: Print once in a terminal too.
        every_s: Seconds between two scrapes.
        console: Where it is shown; None takes stdout.
    """
    console = console or Console()
    scrapes = deque([fetch()])
    first = figures(Window(scrapes[0]))
    if as_json:
        console.print_json(json.dumps({"url": url, **first}))
        return
    if once or not console.is_terminal:
        console.print(page(url, first))
        return
    with Live(page(url, first), console=console, auto_refresh=False, screen=True) as live:
        while True:
            time.sleep(every_s)
            trouble = ""
            try:
                scrapes.append(fetch())
            except ProseformError as error:  # shown, and asked again: it may be starting anew
                trouble = str(error)
            while len(scrapes) > 2 and scrapes[-1].at - scrapes[1].at >= _WINDOW_S:  # noqa: PLR2004 - both ends stay
                scrapes.popleft()
            before = scrapes[0] if len(scrapes) > 1 else None
            live.update(page(url, figures(Window.between(before, scrapes[-1])), trouble), refresh=True)


def page(url: str, shown: Mapping[str, Any], trouble: str = "") -> Group:
    """A server's figures, as :func:`proseform.serve.scrape.figures` gives them.

    Args:
        url: Where it is.
        shown: The figures.
        trouble: Why they are not of now; empty where they are.
    """
    span = "since its start, " if shown["since_start"] else "the last "
    waiting = ", ".join(f"{count:.0f} {kind}" for kind, count in shown["queue"].items() if count) or "nobody"
    head = f"{url}: {span}{_time(shown['seconds'])}; {shown['in_flight']:.0f} in flight, waiting: {waiting}"
    parts = [_outcomes(shown), _latencies(shown), _engines(shown), _bundles(shown)]
    return Group(
        Text(head, style="bold"),
        *([Text(f"! {trouble}", style="bold red")] if trouble else []),
        *[part for part in parts if part.row_count],
        *([Text("; ".join(rest))] if (rest := _rest(shown)) else []),
    )


def _rest(shown: Mapping[str, Any]) -> list[str]:
    """What needs no table."""
    shares = {role: share for role, share in shown["accepted"].items() if share is not None}
    told = [f"{role}: {share:.0%} of its texts accepted" for role, share in shares.items()]
    told += [f"{role}: {rate:.0f} tokens/s" for role, rate in shown["tokens_s"].items() if rate]
    if (share := shown["prose_kept"]["share"]) is not None:
        told.append(f"{share:.0%} of evaluations were kept")
    if shown["joined"]:
        told.append(f"{shown['joined']:.0f} cases answered with an equal one")
    return told


def _table(*columns: str) -> Table:
    """A table whose first column is text, and the others figures."""
    table = Table(title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    return table


def _outcomes(shown: Mapping[str, Any]) -> Table:
    """Cases by outcome."""
    table = _table("outcome", "cases", "a second", "share")
    for row in shown["outcomes"]:
        style = "" if row["outcome"] == "answered" else "yellow"
        table.add_row(row["outcome"], f"{row['cases']:.0f}", f"{row['per_s']:.2f}", f"{row['share']:.1%}", style=style)
    return table


def _latencies(shown: Mapping[str, Any]) -> Table:
    """Latency by stage."""
    table = _table("stage", "count", "p50", "p99")
    for row in shown["latency"]:
        table.add_row(row["stage"], f"{row['count']:.0f}", _time(row["p50_s"]), _time(row["p99_s"]))
    return table


def _engines(shown: Mapping[str, Any]) -> Table:
    """Engines by URL."""
    table = _table("engine", "breaker", "calls/s", "ok", "p50", "p99")
    for row in shown["engines"]:
        figures = (_share(row["ok"]), _time(row["p50_s"]), _time(row["p99_s"]))
        style = "" if row["breaker"] == "closed" else "red"
        name = f"{row['role']} {row['backend']}"
        table.add_row(name, row["breaker"], f"{row['calls_s']:.2f}", *figures, style=style)
    return table


def _bundles(shown: Mapping[str, Any]) -> Table:
    """What each bundle answered and refused."""
    table = _table("bundle", "answered", "refused")
    for row in shown["bundles"]:
        name = row["bundle"].partition(":")[2][:_DIGITS] or "none chosen"
        table.add_row(name, f"{row['answers']:.0f}", f"{row['refusals']:.0f}")
    return table


def _share(share: float | None) -> str:
    """A share, or that there is none."""
    return "" if share is None else f"{share:.0%}"


def _time(seconds: float | None) -> str:
    """A time, in the unit in which people say it.

    >>> [_time(seconds) for seconds in (None, 0.0421, 2.5, 90, 7380)]
    ['', '42 ms', '2.5 s', '90 s', '2 h 3 min']
    """
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 600:  # noqa: PLR2004 - ten minutes
        return f"{seconds:.3g} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60} min"
