"""Options that several commands take, and the exit codes of all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

EXIT_CODES = (
    "Exit codes: 0 done; 2 invalid input or configuration; 3 no valid answer; 4 a stage or the cluster failed; "
    "5 a payload, model or alias is missing; 6 the engine does not answer; 1 anything else."
)


def located(task: str) -> str:
    """A task's name; a path to its folder is turned into it. The import is no part of ``--help``."""
    from proseform.task import located as by_path

    return by_path(task) if task else task


TaskName = Annotated[str, typer.Option("--task", callback=located, help="A task's name, or its folder's path.")]
BundleFolder = Annotated[Path | None, typer.Option("--bundle", help="A bundle's folder, in the place of an alias.")]
Name = Annotated[str, typer.Option("--name", help="The registered model; empty takes proseform-<task>.")]
Uri = Annotated[
    str,
    typer.Option("--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="MLflow; empty takes SQLite in the home folder."),
]
Url = Annotated[
    list[str] | None,
    typer.Option(
        "--engine",
        envvar="PROSEFORM_ENGINE",
        help="An OpenAI-compatible server that runs the bundle; repeat it for replicas. The word vllm starts vLLM on "
        "this machine. Else in this process.",
    ),
]
Models = Annotated[str, typer.Option("--models", help="Names of evaluator and formatter at that server.")]
Dialect = Annotated[
    Literal["vllm", "openai"],
    typer.Option("--dialect", help="How that server is asked for a schema: vLLM's way, or OpenAI's response_format."),
]
KeyFile = Annotated[str, typer.Option("--key-file", help="A file that holds the API key of that server.")]
Evaluator = Annotated[
    list[str] | None,
    typer.Option("--evaluator", help="The evaluator's server, if it has its own; repeat it for replicas."),
]
SlowS = Annotated[
    float, typer.Option("--slow-s", help="A call to an engine that takes longer counts as failed, in seconds.")
]
Hedge = Annotated[
    bool, typer.Option("--hedge", help="Ask a second replica when a call takes longer than 95 % of its backend's.")
]
Prefixes = Annotated[
    bool, typer.Option("--prefixes", help="Ask a replica first that has read the beginning of the prompt.")
]
RunName = Annotated[
    str,
    typer.Option("--run", help="A shipped run, or the path of a TOML file."),
]
PlaceName = Annotated[
    str,
    typer.Option(
        "--place", envvar="PROSEFORM_PLACE", help="A shipped place, or the path of a TOML file: where and how."
    ),
]
Version = Annotated[str, typer.Option("--alias", "--version", help="An alias or a version.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
CallersKeys = Annotated[
    Path | None,
    typer.Option("--keys", envvar="PROSEFORM_KEYS", help="A file of API keys (proseform keys): callers need one."),
]
NoKeys = Annotated[bool, typer.Option("--no-keys", help="Ask callers for no key, though others can reach --host.")]
BatchFolder = Annotated[
    Path | None, typer.Option("--batches", help="Take batches (/v1/batches), and keep their files in this folder.")
]
LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option("--log-format", help="How a line a request, and what else is told, is logged to stderr."),
]
Page = Annotated[bool, typer.Option("--page", help="A page at / to try the task in a browser on this machine.")]
Traces = Annotated[
    str,
    typer.Option("--traces", help="An OTLP/HTTP collector for traces (http://collector:4318); else as OTEL_* say."),
]
