"""MLflow, where runs, bundles and their aliases stand.

- :func:`connect` opens a registry: SQLite below the home folder, or any tracking URI.
- :mod:`~proseform.registry.track` logs what stages did: one run above, one run for each stage beneath it.
- :mod:`~proseform.registry.models` registers a bundle, keeps its gate's verdict, and gets it back, verified.
- :mod:`~proseform.registry.aliases` promotes and rolls back: two or three writes that survive being cut short.

A bundle is one registered model version over one LoggedModel, whose artifacts are ``bundle/`` (the whole folder),
``README.md`` (the model card) and, once judged, ``gate.json`` and what was filed beside it. Names and tags are in
``mlflow/registry.toml``. Left out: locks between people who promote at the same time; the last one wins.
"""

from __future__ import annotations

import logging
import os
import tomllib
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from proseform.errors import RegistryError

_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


@dataclass(frozen=True)
class Registry:
    """An open registry.

    Attributes:
        uri: MLflow's tracking and registry URI.
        artifacts: Where artifacts of new experiments go; empty leaves it to the server.
    """

    uri: str
    artifacts: str = ""

    @cached_property
    def client(self) -> Any:
        """An ``mlflow.MlflowClient`` of this registry."""
        return library().MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def experiment(self, task: str) -> str:
        """The id of the task's experiment, made where it is missing.

        Raises:
            RegistryError: MLflow cannot be reached.
        """
        name = names()["names"]["experiment"].format(task=task)
        with speaking(self):
            found = self.client.get_experiment_by_name(name)
            if found is not None:
                return str(found.experiment_id)
            return str(self.client.create_experiment(name, artifact_location=self.artifacts or None))


def connect(home: Path, uri: str = "") -> Registry:
    """Open a registry.

    Args:
        home: Proseform's home folder, made where it is missing.
        uri: A tracking URI, such as ``http://mlflow:5000``; empty takes ``<home>/mlflow.db`` with artifacts in
            ``<home>/mlartifacts``.

    Raises:
        RegistryError: MLflow is not installed.
    """
    library()
    if uri and not uri.startswith("sqlite:"):
        return Registry(uri)
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    return Registry(uri or f"sqlite:///{home / 'mlflow.db'}", (home / "mlartifacts").as_uri())


def model_name(task: str) -> str:
    """The registered model of a task.

    >>> model_name("cv")
    'proseform-cv'
    """
    return str(names()["names"]["model"]).format(task=task)


@cache
def names() -> dict[str, Any]:
    """``registry.toml``: names, aliases and tags."""
    return tomllib.loads((resources.files("proseform.registry") / "registry.toml").read_text(encoding="utf-8"))


def library() -> Any:
    """MLflow, imported late (it takes seconds) and proven to be MLflow.

    Raises:
        RegistryError: It is not installed. A checkout has a folder ``mlflow/``, which Python then imports as an empty
            namespace package: hence the look at its version.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    for noisy in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        import mlflow
    except ImportError:
        mlflow = None
    if not hasattr(mlflow, "__version__"):
        raise RegistryError("MLflow is not installed.", hint="Install proseform[registry].")
    return mlflow


class speaking:  # noqa: N801 - reads as a clause: with speaking(registry)
    """Talk to this registry; MLflow's exceptions come out as a :class:`RegistryError` that names it.

    MLflow's SQL registry resolves ``models:/<id>`` through the *global* tracking URI, whatever client asked, and makes
    a ``mlflow.db`` in the current folder when that is unset: so it is set here.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def __enter__(self) -> None:
        """Point MLflow's global state here."""
        mlflow = library()
        if mlflow.get_tracking_uri() != self.registry.uri:
            mlflow.set_tracking_uri(self.registry.uri)
            mlflow.set_registry_uri(self.registry.uri)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate."""
        if isinstance(error, library().exceptions.MlflowException):
            raise RegistryError(f"MLflow at {self.registry.uri}: {error.message}") from error
