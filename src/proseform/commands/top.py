"""``proseform top``: a running server in a terminal."""

from typing import Annotated

import typer

from proseform.commands.options import Json


def top(
    url: Annotated[str, typer.Argument(help="Where proseform serve listens.")] = "http://127.0.0.1:8080",
    *,
    once: Annotated[bool, typer.Option("--once", help="Show it once, counted from its start.")] = False,
    every_s: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 2.0,
    as_json: Json = False,
) -> None:
    """Watch a running server: outcomes, latency by stage, queue, engines, bundles; outside of a terminal once."""
    from contextlib import suppress

    from proseform import display
    from proseform.serve.scrape import fetched

    with suppress(KeyboardInterrupt):
        display.top(url, lambda: fetched(url), as_json=as_json, once=once, every_s=every_s)
