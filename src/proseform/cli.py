"""The command line: it only dispatches. Heavy imports are inside functions, so that ``--help`` is instant."""

import contextlib
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from proseform.commands import batch as batch_commands
from proseform.commands import keys as key_commands
from proseform.commands import rewards, training
from proseform.commands import task as task_commands
from proseform.commands import top as top_commands
from proseform.commands.options import (
    EXIT_CODES,
    BatchFolder,
    BundleFolder,
    CallersKeys,
    Dialect,
    Evaluator,
    Hedge,
    Json,
    KeyFile,
    LogFormat,
    Models,
    Name,
    NoKeys,
    Page,
    PlaceName,
    Prefixes,
    RunName,
    SlowS,
    TaskName,
    Traces,
    Uri,
    Url,
    Version,
)
from proseform.errors import ProseformError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, epilog=EXIT_CODES)
app.add_typer(rewards.app, name="rewards")
app.command(epilog=EXIT_CODES)(training.watch)
app.add_typer(task_commands.app, name="task")
app.command(name="tasks")(task_commands.listed)
app.add_typer(key_commands.app, name="keys")
app.command(epilog=EXIT_CODES)(batch_commands.batch)
app.command(name="top", epilog=EXIT_CODES)(top_commands.top)


def guarded(typer_app: typer.Typer) -> None:
    """Run an app; print a :class:`ProseformError` as one paragraph (or as JSON) on stderr, and exit with its code."""
    try:
        typer_app()
    except ProseformError as error:
        if "--json" in sys.argv:
            typer.echo(json.dumps({"error": error.as_dict()}, ensure_ascii=False), err=True)
        else:
            typer.echo(typer.style(f"{type(error).__name__}: ", fg="red", bold=True) + str(error), err=True)
        raise SystemExit(error.exit_code) from None


@app.callback(invoke_without_command=True)
def top(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Judge in prose, answer in JSON."""
    if version:
        typer.echo(importlib.metadata.version("proseform"))
        raise typer.Exit


@app.command(epilog=EXIT_CODES)
def answer(
    task: TaskName = "cv",
    inputs: Annotated[
        list[str] | None, typer.Option("--input", help="NAME=FILE, once for each of the task's inputs.")
    ] = None,
    schema: Annotated[Path | None, typer.Option(help="A JSON schema to answer instead of the bundle's.")] = None,
    timeout_s: Annotated[float, typer.Option(help="Longest time for the answer, in seconds.")] = 300.0,
    bundle: BundleFolder = None,
    alias: Annotated[str, typer.Option(help="An alias or a version.")] = "champion",
    name: Name = "",
    tracking_uri: Uri = "",
    engine: Url = None,
    models: Models = "evaluator,formatter",
    dialect: Dialect = "vllm",
    key_file: KeyFile = "",
    evaluator: Evaluator = None,
    as_json: Json = False,
) -> None:
    """Answer one case from files: PDF, DOCX, ODT, RTF, HTML, Markdown, text or JSON."""
    import time

    from proseform import display
    from proseform import task as tasks
    from proseform.infer import answer as infer
    from proseform.infer.plan import read
    from proseform.infer.spec import EngineSpec
    from proseform.serve.reading import as_schema
    from proseform.stages.engine import opened, read_inputs

    spec = EngineSpec.parse(engine or [], models=models, dialect=dialect, key_file=key_file, evaluator=evaluator or [])
    the_task = tasks.load(task)
    texts = read_inputs(the_task, inputs or [])
    own = as_schema(read(schema)) if schema else None
    running = opened(the_task, spec, bundle, alias, name, tracking_uri)
    with contextlib.ExitStack() as stack:
        stack.callback(infer.close, running)
        answer = infer.answer(running, the_task, texts, deadline=time.monotonic() + timeout_s, schema=own)
    display.answered(answer.as_dict(), as_json=as_json)


@app.command(epilog=EXIT_CODES, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def serve(
    task: TaskName = "cv",
    alias: Annotated[
        list[str] | None, typer.Option(help="An alias or version, =weight; repeat it to split. Else champion.")
    ] = None,
    bundle: BundleFolder = None,
    name: Name = "",
    tracking_uri: Uri = "",
    engine: Url = None,
    models: Models = "evaluator,formatter",
    host: Annotated[
        str, typer.Option(help="Address to listen on; in a container 0.0.0.0, or :: for IPv6 too.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "--http_port", help="TCP port.")] = 8080,
    grpc_port: Annotated[
        int | None, typer.Option("--grpc-port", "--grpc_port", help="TCP port for gRPC; absent takes no calls.")
    ] = None,
    admin_port: Annotated[int | None, typer.Option(help="TCP port on which --admin-keys may set weights.")] = None,
    admin_keys: Annotated[
        Path | None, typer.Option(help="The file of administrators' keys (proseform keys new).")
    ] = None,
    follow_s: Annotated[
        float | None, typer.Option(min=0.1, help="Look so often, in seconds, whether an alias has moved.")
    ] = None,
    timeout_s: Annotated[float, typer.Option(help="Longest time for an answer, in seconds.")] = 60.0,
    queue: Annotated[int, typer.Option(help="Requests that may wait.")] = 64,
    model_name: Annotated[str, typer.Option("--model_name", help="The model's name in KServe's protocols.")] = "",
    predictor_host: Annotated[
        str, typer.Option("--predictor_host", help="As KServe appends it: the engine's host.")
    ] = "",
    dialect: Dialect = "vllm",
    key_file: KeyFile = "",
    evaluator: Evaluator = None,
    slow_s: SlowS = 120.0,
    hedge: Hedge = False,
    prefixes: Prefixes = False,
    cache_mb: Annotated[float, typer.Option(min=0, help="Memory for evaluations of equal requests; 0 is off.")] = 64.0,
    cache_age_s: Annotated[float, typer.Option(min=0, help="How long an evaluation is kept, in seconds.")] = 600.0,
    cache_secret: Annotated[
        Path | None, typer.Option(help="A file of at least 16 bytes that keys are made with; else drawn at the start.")
    ] = None,
    cache_url_file: Annotated[
        Path | None, typer.Option(help="A file with the URL of a Valkey or Redis server that replicas share.")
    ] = None,
    keys: CallersKeys = None,
    no_keys: NoKeys = False,
    batches: BatchFolder = None,
    log_format: LogFormat = "text",
    page: Page = False,
    traces: Traces = "",
) -> None:
    """Serve verified answers by our protocol, OpenAI's and KServe's, until a signal ends the server."""
    from proseform import task as tasks
    from proseform.infer import kept
    from proseform.infer.spec import EngineSpec
    from proseform.serve import server, tracing
    from proseform.stages.engine import followed, weighted

    tracing.asked(traces, os.environ)  # before models are loaded
    urls = engine or ([f"http://{predictor_host}"] if predictor_host else [])
    spec = EngineSpec.parse(
        urls,
        models=models,
        dialect=dialect,
        key_file=key_file,
        evaluator=evaluator or [],
        slow_s=slow_s,
        hedge=hedge,
        prefixes=prefixes,
    )
    the_task = tasks.load(task)
    aliases = alias or ["champion"]
    keeps = kept.cache(cache_mb, cache_age_s, cache_secret, cache_url_file)
    admin = server.administration(admin_port, admin_keys)
    follows = None
    if follow_s is not None:
        follows = server.Following(followed(the_task, spec, bundle, aliases, name, tracking_uri), follow_s)
    engines = weighted(the_task, spec, bundle, aliases, name, tracking_uri)
    server.run(
        engines,
        the_task,
        name=model_name,
        host=host,
        port=port,
        grpc_port=grpc_port,
        admin=admin,
        follows=follows,
        timeout_s=timeout_s,
        concurrency=spec.concurrency * len(spec.roots("formatter")) if urls else 32,
        queue=queue,
        kept=keeps,
        keys=keys,
        no_keys=no_keys,
        batches=batches,
        log_format=log_format,
        page=page,
        listens=(lambda url: typer.echo(f"The page is at {url} (Ctrl+C ends it).")) if page else None,
        traces=traces,
    )


@app.command(epilog=EXIT_CODES)
def deploy(
    task: TaskName = "cv",
    run: RunName = "default",
    place: PlaceName = "default",
    alias: Version = "champion",
    name: Name = "",
    tracking_uri: Uri = "",
    share: Annotated[float, typer.Option(min=0, max=1, help="Share of the traffic that it takes.")] = 1.0,
    dry_run: Annotated[
        Literal["none", "client", "server"], typer.Option(help="Print YAML, or let the API server check it.")
    ] = "none",
    wait: Annotated[
        float | None, typer.Option(help="Seconds to wait until it is ready; absent uses the place's.")
    ] = None,
) -> None:
    """Deploy a registered bundle on a cluster, and give it traffic.

    To roll back, deploy --alias previous.
    """
    from proseform.stages import deploy as stage

    typer.echo(
        stage.run(
            task, run, place, alias, name=name, tracking_uri=tracking_uri, share=share, dry_run=dry_run, wait_s=wait
        )
    )


@app.command(epilog=EXIT_CODES)
def undeploy(
    version: Annotated[str, typer.Option("--version", help="The version.")],
    task: TaskName = "cv",
    run: RunName = "default",
    place: PlaceName = "default",
    name: Name = "",
    force: Annotated[bool, typer.Option(help="Take the last one too, so that nothing answers.")] = False,
) -> None:
    """Delete a version from a cluster, unless it takes traffic."""
    from proseform.stages import deploy as stage

    stage.remove(task, run, place, version, name=name, force=force)


@app.command(epilog=EXIT_CODES)
def report(
    folder: Annotated[Path, typer.Argument(help="A report's folder, as a run prints it.")],
    out: Annotated[Path, typer.Option(help="The folder to write into.")] = Path("report"),
    as_json: Json = False,
) -> None:
    """Judge stored records again, and write a new report; nothing is generated."""
    from proseform import display
    from proseform.stages.evaluate import recompute

    summary = recompute(folder, out)
    if note := summary["meta"].get("note"):
        typer.echo(note, err=True)
    rows = [
        (name, *(f"{figure[part]:.4g}" for part in ("value", "low", "high")), str(figure["n"]))
        for name, figure in summary["figures"].items()
        if figure
    ]
    display.show(("figure", "value", "low", "high", "cases"), rows, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def prune(*, as_json: Json = False) -> None:
    """Delete texts of your own cases whose date (evaluate.retention_days) has come, and say which; records stay."""
    from proseform import display
    from proseform.stages import cache, retention

    deleted = retention.prune(cache.home(), retention.today())
    rows = [(one.uri, one.delete_after.isoformat()) for one in deleted]
    if rows or as_json:
        display.show(("deleted", "delete_after"), rows, as_json=as_json)
    else:
        typer.echo("Nothing is due.")


@app.command(name="read", epilog=EXIT_CODES)
def read_document(
    file: Annotated[Path, typer.Argument(help="A PDF, DOCX, ODT, RTF, HTML, Markdown, text or JSON file.")],
    *,
    as_json: Json = False,
) -> None:
    """Show a document's text as a model sees it, and what was left out or noticed; exit 2 if it cannot be read."""
    from proseform import display, documents

    display.document(documents.read(file), as_json=as_json)


@app.command(name="schema", epilog=EXIT_CODES)
def show_schema(
    file: Annotated[Path, typer.Argument(help="A JSON schema of draft 4 to 2020-12.")], *, as_json: Json = False
) -> None:
    """Say whether a schema is taken, what grammar and verifier each enforce, and at what cost; exit 2 if not taken."""
    from proseform import display
    from proseform.errors import InputError
    from proseform.infer.plan import plan, read

    try:
        schema_plan = plan(read(file), file.name)
    except InputError as error:
        if as_json:
            typer.echo(json.dumps({"taken": False, **error.as_dict()}, ensure_ascii=False))
            raise typer.Exit(error.exit_code) from error
        raise
    if as_json:
        typer.echo(json.dumps(schema_plan.as_dict(), ensure_ascii=False))
    else:
        display.show(("", file.name), schema_plan.rows(), as_json=False)


@app.command(name="runs")
def list_runs(*, as_json: Json = False) -> None:
    """List the shipped runs."""
    from proseform import config, display

    display.show(
        ("run", "description"), [(name, config.load(name).description) for name in config.shipped()], as_json=as_json
    )


@app.command(name="knobs")
def list_knobs(
    kind: Annotated[Literal["run", "place"], typer.Argument(help="Of a run file, or of a place file.")] = "run",
    *,
    as_json: Json = False,
) -> None:
    """List every knob of a run or of a place, with its default and its sentence."""
    from proseform import config, display

    model = config.Run if kind == "run" else config.Place
    rows = [(path, "" if value is None else str(value), sentence) for path, value, sentence in config.knobs(model)]
    display.show(("knob", "default", "what it does"), rows, as_json=as_json)


def main() -> None:
    """The entry point."""
    guarded(app)


if __name__ == "__main__":
    main()
