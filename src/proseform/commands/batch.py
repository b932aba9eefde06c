"""``proseform batch``: a file of requests to a file of results."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from proseform.commands.options import BundleFolder, Dialect, Evaluator, Json, KeyFile, Models, Name, TaskName, Uri, Url


def batch(
    file: Annotated[Path, typer.Argument(help='JSON Lines of {"custom_id", "body"}, as OpenAI\'s batches have them.')],
    task: TaskName = "cv",
    out: Annotated[
        Path | None, typer.Option(help="Results: .jsonl, .csv or .parquet; absent takes FILE.results.jsonl.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=0, help="Rows at a time; 0 takes as many as engines bear.")] = 0,
    timeout_s: Annotated[float, typer.Option(help="Longest time for one answer, in seconds.")] = 300.0,
    patience_s: Annotated[
        float, typer.Option(help="Seconds for which no row may be answered, before it ends with exit code 6.")
    ] = 600.0,
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
    """Answer a file of requests, refusals in their places; interrupt or kill it, and the same command goes on."""
    from proseform import display
    from proseform import task as tasks
    from proseform.infer.spec import EngineSpec
    from proseform.serve.batches import file as batches
    from proseform.stages.engine import opened

    the_task, target = tasks.load(task), out or file.with_name(f"{file.name.removesuffix('.jsonl')}.results.jsonl")
    rows = batches.requests(file, target, the_task)  # before models are loaded
    spec = EngineSpec.parse(engine or [], models=models, dialect=dialect, key_file=key_file, evaluator=evaluator or [])
    outcomes = batches.run(
        opened(the_task, spec, bundle, alias, name, tracking_uri),
        the_task,
        file,
        target,
        concurrency=concurrency or (spec.concurrency * len(spec.roots("formatter")) if spec.url else 32),
        timeout_s=timeout_s,
        patience_s=patience_s,
        watched=partial(display.rows_done, quiet=as_json),
    )
    if not as_json:
        typer.echo(f"{len(rows)} results: {target}")
    display.show(("outcome", "rows"), [(name, str(count)) for name, count in outcomes.most_common()], as_json=as_json)
