"""``proseform keys``: who may ask a server, in a file that holds no key."""

from pathlib import Path
from typing import Annotated

import typer

from proseform.commands.options import EXIT_CODES, Json

app = typer.Typer(
    no_args_is_help=True, help="API keys of a server: new, list, revoke. A running server reads the file."
)
File = Annotated[Path, typer.Option("--file", envvar="PROSEFORM_KEYS", help="The file of keys (serve --keys FILE).")]


@app.command(epilog=EXIT_CODES)
def new(
    name: Annotated[str, typer.Argument(help="Whom the key is for.")],
    file: File,
    per_minute: Annotated[int, typer.Option(min=0, help="Cases a minute, at most; 0 sets no limit.")] = 0,
) -> None:
    """Print a new key, once: the file holds its hash alone."""
    from proseform.serve import keys

    typer.echo(keys.new(file, name, per_minute))


@app.command(name="list", epilog=EXIT_CODES)
def list_keys(file: File, *, as_json: Json = False) -> None:
    """List the keys of a file, without their secrets."""
    from proseform import display
    from proseform.serve import keys

    rows = [(key.name, key.id, str(key.per_minute or "no limit"), key.created) for key in keys.listed(file)]
    display.show(("name", "id", "cases a minute", "created"), rows, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def revoke(name: Annotated[str, typer.Argument(help="Its name or its id.")], file: File) -> None:
    """Take a key out of a file; a running server refuses it from then on."""
    from proseform.serve import keys

    keys.revoke(file, name)
