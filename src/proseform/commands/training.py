"""``proseform watch``: GRPO while it trains."""

from typing import Annotated

import typer

from proseform.commands.options import Json


def watch(
    run: Annotated[str, typer.Argument(help="A pipeline run's name, or the path of a metrics.jsonl.")],
    *,
    once: Annotated[bool, typer.Option("--once", help="Show it as it is now, and end.")] = False,
    as_json: Json = False,
) -> None:
    """Watch GRPO train: each curve with what to do about it, and alarms; outside of a terminal once."""
    from proseform import display, jsonl
    from proseform.stages import watching

    found = watching.find(run)
    display.watched(
        lambda: list(jsonl.rows(found.metrics)), lambda: watching.find(run).over, as_json=as_json, once=once
    )
