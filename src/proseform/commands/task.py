"""``proseform task`` (a task of one's own, as data alone) and ``proseform tasks``."""

from pathlib import Path
from typing import Annotated

import typer

from proseform.commands.options import EXIT_CODES, Json

app = typer.Typer(no_args_is_help=True, help="A task of your own out of a schema and cases, without code.")
Which = Annotated[str, typer.Argument(help="The task's name, or its folder's path.", metavar="NAME")]


@app.command(epilog=EXIT_CODES)
def new(
    name: Annotated[str, typer.Argument(help="The task's name.")],
    schema: Annotated[Path, typer.Option(help="The JSON schema that is answered.")],
    cases: Annotated[
        Path,
        typer.Option(
            help="JSON Lines, a JSON array, CSV or Parquet: inputs and answer, messages, prompt and completion, "
            "conversations (ShareGPT), or a column for each field."
        ),
    ],
    inputs: Annotated[
        str, typer.Option(help="Columns that are inputs, with commas; empty takes all that are no field.")
    ] = "",
    group: Annotated[
        str, typer.Option(help="Column of what belongs together, as a customer: it stays in one split.")
    ] = "",
    into: Annotated[
        Path | None, typer.Option(help="The folder that gets the task's; the first of PROSEFORM_TASKS, or tasks.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a task's folder out of a schema and cases, after checking both."""
    from proseform import display
    from proseform.data import forms
    from proseform.data import new as data

    columns = forms.Columns(tuple(filter(None, (one.strip() for one in inputs.split(",")))), group)
    display.created(data.write(name, schema, cases, columns, into), as_json=as_json)


@app.command(epilog=f"{EXIT_CODES} check: 1 where a law is broken.")
def check(task: Which, as_json: Json = False) -> None:
    """Say what a task lacks, how many cases there are a field and value, and what is earned without reading."""
    from proseform import display
    from proseform import task as tasks
    from proseform.data import census

    the_task = tasks.load(tasks.located(task))
    result = census.census(the_task)
    display.counted(result, as_json=as_json)
    if result.faults:
        raise typer.Exit(1)


@app.command(epilog=EXIT_CODES)
def derived(
    task: Which,
    file: Annotated[str, typer.Argument(help="evaluator.md, formatter.md, guide.md or rubric.toml.")],
) -> None:
    """Print what is derived as the file that would replace it: proseform task derived NAME guide.md > …/guide.md."""
    from proseform import task as tasks
    from proseform.data import derived as data

    typer.echo(data.file(tasks.load(tasks.located(task)), file), nl=False)


def listed(*, as_json: Json = False) -> None:
    """List the tasks: installed ones, and folders of data alone."""
    from proseform import display
    from proseform import task as tasks

    known = map(tasks.load, tasks.names())
    rows = [(task.name, task.title, ", ".join(task.inputs), ", ".join(task.levels)) for task in known]
    display.show(("task", "title", "inputs", "levels"), rows, as_json=as_json)
