"""`python -m pipelines run | compile | submit`."""

import os
from pathlib import Path
from typing import Annotated, Literal, Optional

import typer

from proseform import cli, config

app = typer.Typer(help="Train, gate and promote.", no_args_is_help=True, add_completion=False)
Task = Annotated[str, typer.Option(help="The installed task.")]
RunName = Annotated[str, typer.Option("--run", help=f"A shipped run ({', '.join(config.shipped())}), or the path of a TOML file.")]
Uri = Annotated[str, typer.Option(help="MLflow's tracking URI; empty takes SQLite in the home folder.")]
Name = Annotated[str, typer.Option(help="The registered model's name; empty takes proseform-<task>.")]


@app.command()
def run(
    task: Task = "cv",
    run: RunName = "small",
    tracking_uri: Uri = "",
    name: Name = "",
    fresh: Annotated[bool, typer.Option(help="Adopt nothing that earlier runs made.")] = False,
    example: Annotated[Optional[Path], typer.Option(help="A folder with example.toml (input = file); asked at the end.")] = None,
    on: Annotated[
        Literal["local", "cluster"], typer.Option(help="Where training runs; cluster reads the run file's cluster section.")
    ] = "local",
) -> None:
    """Run both pipelines from this machine: train, evaluate, register, gate, promote, and answer."""
    from pipelines import runner

    os.environ["PROSEFORM_ON"] = on
    runner.run(task, run, tracking_uri, name, example, fresh=fresh)


@app.command("compile")
def compile_pipelines(out: Annotated[Path, typer.Option(help="Folder for the compiled pipelines.")] = Path("build")) -> None:
    """Write both pipelines as KFP IR."""
    from kfp import compiler

    from pipelines.promote import promote_candidate
    from pipelines.train import train

    out.mkdir(parents=True, exist_ok=True)
    for name, pipeline in (("train", train), ("promote", promote_candidate)):
        compiler.Compiler().compile(pipeline, str(out / f"{name}.yaml"))
        typer.echo(out / f"{name}.yaml")


@app.command()
def submit(
    host: Annotated[str, typer.Option(help="URL of the KFP server.")],
    task: Task = "cv",
    run: RunName = "default",
    tracking_uri: Uri = "",
    name: Name = "",
) -> None:
    """Send the training pipeline to a KFP server."""
    import kfp

    from pipelines.train import train

    arguments = {"task": task, "run": config.toml(run), "tracking_uri": tracking_uri, "name": name}
    started = kfp.Client(host=host).create_run_from_pipeline_func(train, arguments=arguments, enable_caching=False)
    typer.echo(started.run_id)


if __name__ == "__main__":
    cli.guarded(app)
