"""probe: real answers from the promoted bundle.

On this machine the bundle is fetched from the registry and runs in this process, or in the engine that
``PROSEFORM_ENGINE`` names; on a cluster (``PROSEFORM_PLACE``
names one) the gateway is asked, as a client would.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from proseform import config, documents, reward
from proseform.data import splits
from proseform.errors import ConfigError, DocumentError, InputError
from proseform.infer.answer import answers, close
from proseform.infer.opening import over
from proseform.infer.spec import EngineSpec
from proseform.input import Input
from proseform.registry import Registry, connect, models
from proseform.stages import cache
from proseform.stages.register import registered_name
from proseform.task import Task

EXAMPLE = "example.toml"


def check() -> None:
    """Refuse an engine that cannot be asked later, before anything trains.

    Raises:
        ConfigError: vLLM is to be started and is not installed, or models are served on a cluster.
    """
    home = cache.home()
    if not EngineSpec.parse(home.engine).hosted:
        return
    if home.place:
        raise ConfigError(
            "--engine and --place exclude each other: on a cluster the gateway is asked.", hint="Leave --engine out."
        )
    from proseform.infer import hosting

    hosting.interpreter()


def run(task: str, run: str, tracking_uri: str, name: str, version: str, example: str) -> None:
    """Ask the champion.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        tracking_uri: MLflow's; empty takes SQLite in the home folder.
        name: The registered model; see :func:`proseform.stages.register.registered_name`.
        version: The version to ask.
        example: A JSON object of input name to text, the first request; may be empty.

    Raises:
        RegistryError: No such version, or its artifacts are not its bundle.
        StageError: On a cluster: the gateway does not route to this version.
        EngineError: Nothing answers.
    """
    knobs, the_task = config.load(run), cache.load_task(task)

    def body() -> dict[str, Any]:
        registry, model = connect(cache.home().root, tracking_uri), registered_name(task, knobs, name)
        cases = splits.held_out(the_task, knobs.dataset, knobs.probe.cases)
        shown = json.loads(example) if example else {}
        asked = [*([shown] if shown else []), *(dict(case.inputs) for case in cases)]
        place = cache.home().cluster
        if place is None:
            bundle, replies = _near(registry, the_task, model, version, asked)
        else:
            bundle, replies = _far(registry, the_task, place, model, version, asked)
        example_reply, case_replies = (replies[0], replies[1:]) if shown else ({}, replies)
        right = sum(_right(reply, dict(case.answer)) for case, reply in zip(cases, case_replies, strict=True))
        verdicts = Counter(reply.get("verdict", "refused") for reply in replies)
        given = ", ".join(f"{verdicts[word]} {word}" for word in ("verified", "valid", "refused") if verdicts[word])
        return {
            "key": f"{given} of {len(replies)}, {right} of {len(cases)} held-out cases wholly right",
            "bundle": bundle,
            "example": example_reply,
            "answers": case_replies,
        }

    cache.act("probe", body)


_Replies = tuple[str, list[dict[str, Any]]]
"""The digest of the bundle that was asked, and for each case the answer or the refusal, as JSON."""


def _near(registry: Registry, task: Task, model: str, version: str, asked: list[dict[str, str]]) -> _Replies:
    """Ask the bundle on this machine, by the engine that ``PROSEFORM_ENGINE`` names."""
    home = cache.home()
    folder = models.fetch(registry, model, version, home.root / "bundles")
    engine = over(folder, EngineSpec.parse(home.engine), home.root / "engines")
    try:
        return engine.bundle.digest, [reply.as_dict() for reply in answers(engine, task, asked)]
    finally:
        close(engine)


def _far(
    registry: Registry, task: Task, place: config.Place, model: str, version: str, asked: list[dict[str, str]]
) -> _Replies:
    """Ask the gateway."""
    from proseform.stages import gateway

    bundle = models.get(registry, model, version).bundle
    return bundle, gateway.ask(task.name, place, model, bundle, asked)


def read_example(task: Task, folder: Path) -> dict[str, Input]:
    """The inputs of an example folder.

    Args:
        task: Names the inputs.
        folder: Holds ``example.toml``, which maps input names to files beside it.

    Raises:
        InputError: There is no ``example.toml``, or it does not name the task's inputs.
        DocumentError: A file cannot be read as text.
    """
    path = folder / EXAMPLE
    if not path.is_file():
        raise InputError(f"{folder}: no {EXAMPLE} here.", hint=f"It maps inputs to files: {', '.join(task.inputs)}.")
    files = tomllib.loads(path.read_text())
    if set(files) != set(task.inputs):
        raise InputError(f"{path}: has {', '.join(files)}; task '{task.name}' has {', '.join(task.inputs)}.")
    return {name: read_input(task, name, folder / str(file)) for name, file in files.items()}


def read_input(task: Task, name: str, path: Path) -> Input:
    """One input of a task from a file.

    Raises:
        DocumentError: It cannot be read as text, or is JSON that the task does not read.
    """
    document = documents.read(path)
    if document.kind != "json":
        return document.input
    if task.from_json is None:
        raise DocumentError(
            f"{path}: task '{task.name}' reads no JSON inputs.", hint="Give a PDF, DOCX, Markdown or text file."
        )
    read = document.input
    return Input.of(task.from_json(name, document.data), origin=read.origin, findings=read.findings)


def _right(reply: dict[str, Any], gold: dict[str, Any]) -> bool:
    """Whether a reply is an answer all of whose fields are right."""
    value = reply.get("answer")
    if not isinstance(value, dict):
        return False
    return reward.content_share(value, {name: gold[name] for name in value if name in gold}) == 1.0
