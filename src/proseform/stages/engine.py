"""The engine of a bundle: from the registry by alias, or from a folder; in this process, or behind a URL.

Not a stage: what ``proseform answer`` and ``proseform serve`` share, here because it ties registry and engines together.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from proseform import bundle as bundles
from proseform.errors import InputError
from proseform.infer import Engine
from proseform.infer.answer import agree
from proseform.serve.router import Weighted
from proseform.stages import cache
from proseform.stages.probe import read_input
from proseform.task import Task


def opened(
    task: Task,
    folder: Path | None,
    alias: str,
    name: str,
    tracking_uri: str,
    url: str,
    models: str,
    evaluator_url: str = "",
) -> Engine:
    """An engine that runs a bundle of this very task.

    Args:
        task: The task.
        folder: A bundle's folder; None asks the registry, and needs nothing else of what stages left behind.
        alias: Which bundle of the registry: an alias or a version.
        name: The registered model; empty takes the task's own.
        tracking_uri: MLflow's; empty takes SQLite in the home folder.
        url: An OpenAI-compatible server that runs the bundle; empty loads it into this process.
        models: The names of evaluator and formatter at that server, with a comma between.
        evaluator_url: The evaluator's server, where it is another.

    Raises:
        RegistryError: No such model, alias or version.
        StoreError: No whole bundle in the folder.
        TaskError: A bundle that was made for another task, or another state of it.
        InputError: Not two model names.
    """
    if folder is None:
        from proseform import registry
        from proseform.registry.models import fetch

        root = cache.home().root
        folder = fetch(
            registry.connect(root, tracking_uri), name or registry.model_name(task.name), alias, root / "bundles"
        )
    agree(bundles.read(folder, check_files=False), task)  # before weights are loaded
    if not url:
        from proseform.infer.local import LocalEngine

        return LocalEngine(folder)
    from proseform.infer.http import HttpEngine

    evaluator, comma, formatter = models.partition(",")
    if not comma:
        raise InputError(f"--models {models}: two names were expected.", hint="Such as --models evaluator,formatter.")
    bundle = bundles.read(folder, check_files=False)
    return HttpEngine(url, bundle, evaluator_model=evaluator, formatter_model=formatter, evaluator_url=evaluator_url)


def weighted(task: Task, folder: Path | None, aliases: Sequence[str], *where: str) -> list[Weighted]:
    """Engines that share the traffic of a server on this machine.

    Args:
        task: The task.
        folder: A bundle's folder, in the place of aliases.
        aliases: Aliases or versions, each with ``=<weight>`` or of weight 1.
        where: The rest of what :func:`opened` takes.

    Raises:
        InputError: A weight that is no whole number; besides, as :func:`opened`.
    """
    split = [text.partition("=") for text in (["champion"] if folder else aliases)]
    if not all((weight or "1").isdigit() for _, _, weight in split):
        raise InputError(f"A weight of {', '.join(aliases)} is no whole number.", hint="Such as --alias champion=90.")
    return [Weighted(opened(task, folder, which, *where), int(weight or 1)) for which, _, weight in split]


def read_inputs(task: Task, pairs: Sequence[str]) -> dict[str, str]:
    """The task's inputs as text, from ``NAME=FILE`` pairs.

    Raises:
        InputError: Not the task's inputs, each once.
        DocumentError: A file that cannot be read as text.
    """
    split = [text.partition("=") for text in pairs]
    wanted = " ".join(f"--input {name}=FILE" for name in task.inputs)
    for name, _, file in split:
        if name not in task.inputs or not file:
            raise InputError(
                f"Task '{task.name}' has no input '{name}' or no file stands behind it.", hint=f"Give {wanted}."
            )
    if sorted(name for name, _, _ in split) != sorted(task.inputs):
        raise InputError(f"{len(split)} inputs were given; task '{task.name}' wants each once.", hint=f"Give {wanted}.")
    return {name: read_input(task, name, Path(file)) for name, _, file in split}
