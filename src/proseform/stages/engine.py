"""The engine of a bundle: from the registry by alias, or from a folder; in this process, started here, or by URL.

Not a stage: ``proseform answer`` and ``proseform serve`` share it. It is here because it needs both the registry and
the engines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proseform import bundle as bundles
from proseform.errors import ConfigError, InputError
from proseform.infer import Engine
from proseform.infer.answer import agree
from proseform.infer.opening import over
from proseform.infer.spec import EngineSpec
from proseform.input import Input
from proseform.serve.router import Weighted
from proseform.stages import cache, shipped
from proseform.stages.probe import read_input
from proseform.task import Task

if TYPE_CHECKING:
    from proseform.registry import Registry


def opened(task: Task, spec: EngineSpec, folder: Path | None, alias: str, name: str, tracking_uri: str) -> Engine:
    """Open an engine that runs a bundle of this task.

    Args:
        task: The task.
        spec: Where the bundle's models run; without a URL they are loaded into this process.
        folder: A bundle's folder, with its bases or as :mod:`.shipped`; None: resolve the alias in the registry.
        alias: Which bundle of the registry: an alias or a version.
        name: The registered model; empty takes the task's own.
        tracking_uri: MLflow's; empty takes SQLite in the home folder.

    Raises:
        RegistryError: No such model, alias or version.
        StoreError: The folder holds no whole bundle.
        TaskError: The bundle was made for another task, or another version of it.
        ConfigError: The key file holds no key, or vLLM is to be started and is not installed.
        EngineError: vLLM was started, and does not answer.
    """
    if folder is None:
        from proseform.registry.models import fetch

        folder = fetch(*_registered(task, name, tracking_uri), alias, cache.home().root / "bundles")
    agree(bundles.read(folder, check_files=False), task)  # before weights are loaded
    return over(shipped.whole(folder), spec, cache.home().root / "engines")


def weighted(
    task: Task, spec: EngineSpec, folder: Path | None, aliases: Sequence[str], name: str, tracking_uri: str
) -> list[Weighted]:
    """Engines that share the traffic of a server on this machine.

    Args:
        task: The task.
        spec: As for :func:`opened`.
        folder: A bundle's folder, instead of aliases.
        aliases: Aliases or versions, each followed by ``=<weight>`` or of weight 1.
        name: As for :func:`opened`.
        tracking_uri: As for :func:`opened`.

    Raises:
        InputError: A weight is not a whole number. Other errors are those of :func:`opened`.
    """
    if folder is not None:
        return [Weighted(opened(task, spec, folder, "", name, tracking_uri))]
    return [
        Weighted(opened(task, spec, None, alias, name, tracking_uri), weight, alias)
        for alias, weight in _split(aliases)
    ]


@dataclass(frozen=True, slots=True)
class Aliased:
    """Where the bundles of aliases are found: the registry. For :mod:`proseform.serve.following`.

    Attributes:
        task: The task.
        aliases: As for :func:`weighted`.
        name: As for :func:`opened`.
        tracking_uri: As for :func:`opened`.
    """

    task: Task
    aliases: tuple[str, ...]
    name: str
    tracking_uri: str

    def bundles(self) -> dict[str, str]:
        """Each alias, and the digest of its bundle.

        Raises:
            RegistryError: The registry does not answer, or has no such model or alias.
        """
        from proseform.registry.models import get

        registered = _registered(self.task, self.name, self.tracking_uri)
        return {alias: get(*registered, alias).bundle for alias, _ in _split(self.aliases)}

    def open(self, alias: str) -> Engine:
        """An engine in this process that runs the bundle of an alias; raises as :func:`opened`."""
        return opened(self.task, EngineSpec(), None, alias, self.name, self.tracking_uri)


def followed(
    task: Task, spec: EngineSpec, folder: Path | None, aliases: Sequence[str], name: str, tracking_uri: str
) -> Aliased:
    """Where moved aliases are looked for.

    Raises:
        ConfigError: The bundle is a folder's, or its models run elsewhere, where nobody here can change them.
    """
    if folder is not None:
        raise ConfigError("--follow-s and --bundle exclude each other.", hint="A folder has no alias that moves.")
    if spec.url:
        raise ConfigError(
            "--follow-s and --engine exclude each other: its models are loaded by the engine.",
            hint="Deploy another version beside it, and move the traffic.",
        )
    return Aliased(task, tuple(aliases), name, tracking_uri)


def _registered(task: Task, name: str, tracking_uri: str) -> tuple[Registry, str]:
    """The registry, and the name of a task's model in it; arguments as for :func:`opened`."""
    from proseform import registry

    return registry.connect(cache.home().root, tracking_uri), name or registry.model_name(task.name)


def _split(aliases: Sequence[str]) -> list[tuple[str, int]]:
    """Aliases and their weights; raises as :func:`weighted`."""
    split = [text.partition("=") for text in aliases]
    for text, (_, _, weight) in zip(aliases, split, strict=True):
        if not ((weight or "1").isascii() and (weight or "1").isdigit()):
            raise InputError(f"--alias {text}: the weight is no whole number.", hint="Such as --alias champion=90.")
    return [(alias, int(weight or 1)) for alias, _, weight in split]


def read_inputs(task: Task, pairs: Sequence[str]) -> dict[str, Input]:
    """The task's inputs, from ``NAME=FILE`` pairs.

    Raises:
        InputError: An input is missing, unknown, or given twice.
        DocumentError: A file cannot be read as text.
    """
    split = [text.partition("=") for text in pairs]
    options = " ".join(f"--input {name}=FILE" for name in task.inputs)
    for name, _, file in split:
        if name not in task.inputs or not file:
            raise InputError(f"Task '{task.name}' has no input '{name}' or it has no file.", hint=f"Give {options}.")
    if sorted(name for name, _, _ in split) != sorted(task.inputs):
        raise InputError(
            f"{len(split)} inputs were given; task '{task.name}' wants each once.", hint=f"Give {options}."
        )
    return {name: read_input(task, name, Path(file)) for name, _, file in split}
