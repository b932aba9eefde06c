"""`python -m pipelines run | compile | submit`."""

import os
from pathlib import Path
from typing import Annotated, Literal, Optional

import typer

from proseform import cli, config, digest, redact
from proseform.commands.options import located
from proseform.errors import InputError

app = typer.Typer(help="Train, gate and promote.", no_args_is_help=True, add_completion=False)
Task = Annotated[str, typer.Option(callback=located, help="A task's name, or its folder's path.")]
RunName = Annotated[
    str, typer.Option("--run", help=f"A shipped run ({', '.join(config.shipped())}), or the path of a TOML file.")
]
Place = Annotated[
    str,
    typer.Option(
        "--place",
        envvar="PROSEFORM_PLACE",
        help=f"Where on Kubernetes: a shipped place ({', '.join(config.PLACES.shipped())}), or a TOML file's path.",
    ),
]
Uri = Annotated[str, typer.Option(help="MLflow's tracking URI; empty takes SQLite in the home folder.")]
Name = Annotated[str, typer.Option(help="The registered model's name; empty takes proseform-<task>.")]


@app.command()
def run(
    task: Task = "cv",
    run: RunName = "small",
    tracking_uri: Uri = "",
    name: Name = "",
    fresh: Annotated[bool, typer.Option(help="Adopt no result of an earlier run.")] = False,
    example: Annotated[
        Optional[Path], typer.Option(help="A folder with example.toml (input = file); asked at the end.")
    ] = None,
    place: Place = "",
    engine: Annotated[
        Literal["", "vllm"],
        typer.Option(
            envvar="PROSEFORM_ENGINE",
            help="What answers at the end on this machine: vllm starts vLLM; empty answers in the step's own process.",
        ),
    ] = "",
) -> None:
    """Run both pipelines from here: train, evaluate, register, gate, promote, answer; with --place on a cluster."""
    from pipelines import runner

    os.environ["PROSEFORM_PLACE"] = config.PLACES.portable(place) if place else ""  # every step reads it
    os.environ["PROSEFORM_ENGINE"] = engine  # as the probe does
    runner.run(task, run, tracking_uri, name, example, fresh=fresh)


@app.command()
def ship(
    task: Task = "cv",
    run: RunName = "small",
    alias: Annotated[str, typer.Option(help="An alias or version; its gate must be open.")] = "champion",
    tracking_uri: Uri = "",
    name: Name = "",
    into: Annotated[
        Optional[Path], typer.Option(help="A folder that is new, empty or a bundle; absent takes bundles/<task>.")
    ] = None,
) -> None:
    """Write a registered bundle where a repository keeps it: without the base of its adapters, with report and card."""
    from proseform.stages import shipped

    folder = into or Path("bundles") / task
    bundle = shipped.ship(task, run, alias, name, tracking_uri, folder)
    typer.echo(f"{folder}: bundle {digest.short(bundle.digest)}")


@app.command("compile")
def compile_pipelines(
    out: Annotated[Path, typer.Option(help="Folder for the compiled pipelines.")] = Path("build"),
    run: RunName = "default",
    place: Place = "default",
) -> None:
    """Write both pipelines as KFP IR, for a place."""
    from pipelines import cluster

    for file in cluster.write(run, place, out).values():
        typer.echo(file)


@app.command()
def submit(
    host: Annotated[str, typer.Option(help="URL of the KFP server.")],
    what: Annotated[Literal["train", "promote"], typer.Option(help="Which pipeline.")] = "train",
    task: Task = "cv",
    run: RunName = "default",
    place: Place = "default",
    tracking_uri: Uri = "",
    name: Name = "",
    namespace: Annotated[str, typer.Option(help="The profile's namespace, on a server with many users.")] = "",
    token_file: Annotated[Optional[Path], typer.Option(help="A file that holds the server's bearer token.")] = None,
) -> None:
    """Send a pipeline to a KFP server.

    Tested against answers written by the API's description, not against a server.
    """
    from pipelines import server
    from proseform.stages import preflight

    preflight.check(task, run, config.PLACES.load(place), name=name, asked=False)
    if redact.secrets(tracking_uri):
        raise InputError(
            f"--tracking-uri {redact.uri(tracking_uri)}: a KFP server keeps parameters, and would keep its password.",
            hint="Leave it out of the URI, and give it to the pods as MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD.",
        )
    arguments = {"task": task, "run": config.toml(run), "tracking_uri": tracking_uri, "name": name}
    typer.echo(
        server.submit(
            what, run, place, arguments, host, namespace, token_file.read_text().strip() if token_file else ""
        )
    )


if __name__ == "__main__":
    cli.guarded(app)
