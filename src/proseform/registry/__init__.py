"""Runs, bundles and aliases in MLflow.

- :func:`connect` opens a registry: SQLite below the home folder, or any tracking URI.
- :mod:`~proseform.registry.track` logs stages: one parent run per pipeline, one child run per stage;
  :mod:`~proseform.registry.live` sends metrics while a stage trains.
- :mod:`~proseform.registry.models` registers, finds and fetches bundles; :mod:`~proseform.registry.artifacts` uploads
  and downloads their files.
- :mod:`~proseform.registry.attachments` files reports and gate verdicts beside a bundle.
- :mod:`~proseform.registry.aliases` promotes and rolls back, one process at a time by
  :mod:`~proseform.registry.lease`.

A bundle is one registered model version with one LoggedModel. Its artifacts are ``bundle/`` (the folder without the
bases of its adapters, which are LoggedModels of their own), ``README.md`` (the model card) and, once judged,
``gate.json`` and the report. Names and tags are in ``mlflow/registry.toml``.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from proseform import redact
from proseform.errors import RegistryError

TRACKING_URI = "MLFLOW_TRACKING_URI"
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",  # about 30 s in all; MLflow's default of 7 takes 4 minutes
}
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_QUOTED = re.compile(r"%(?=[0-9a-fA-F]{2})|[?]")
"""Characters that a path may hold and a database's URI must quote."""
_ANSWER_S = 3.0
"""Longest wait for the registry's host to accept a connection, in seconds."""


@dataclass(frozen=True)
class Registry:
    """An open registry.

    Attributes:
        uri: MLflow's tracking and registry URI; may hold a password, so show :attr:`shown` instead.
        artifacts: Where new experiments keep their artifacts; empty leaves it to the server.
        strays: Folders that MLflow creates by mistake and :class:`speaking` removes; see :func:`connect`.
    """

    uri: str
    artifacts: str = ""
    strays: tuple[Path, ...] = ()

    @property
    def shown(self) -> str:
        """The URI without a password."""
        return redact.uri(self.uri)

    def __repr__(self) -> str:
        """Without a password."""
        return f"Registry({self.shown!r})"

    @cached_property
    def client(self) -> Any:
        """An ``mlflow.MlflowClient`` of this registry."""
        return library().MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def experiment(self, task: str) -> str:
        """The id of the task's experiment, created if missing.

        Raises:
            RegistryError: MLflow cannot be reached.
        """
        name = names()["names"]["experiment"].format(task=task)
        with speaking(self):
            experiment = self.client.get_experiment_by_name(name)
            if experiment is not None:
                return str(experiment.experiment_id)
            return str(self.client.create_experiment(name, artifact_location=self.artifacts or None))


def connect(home: Path, uri: str = "") -> Registry:
    """Open a registry.

    Args:
        home: Proseform's home folder, created if missing.
        uri: A tracking URI, such as ``http://mlflow:5000``; empty takes ``MLFLOW_TRACKING_URI``, and if that is
            empty too, ``<home>/mlflow.db`` with artifacts in ``<home>/mlartifacts``.

    Raises:
        RegistryError: MLflow is not installed.
    """
    library()
    uri = uri or os.environ.get(TRACKING_URI, "")
    if uri and not uri.startswith("sqlite:"):
        return Registry(uri)
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    # SQLAlchemy unquotes the path, but MLflow creates the folder of the quoted path: a stray, removed after use.
    path = Path(_QUOTED.sub(lambda mark: f"%{ord(mark[0]):02X}", str(home / "mlflow.db")))
    strays = tuple(folder for folder in path.parents if not folder.exists())
    return Registry(uri or f"sqlite:///{path}", (home / "mlartifacts").as_uri(), strays)


def await_answer(uri: str = "") -> None:
    """Check that the registry's host accepts connections; a file has no host and passes.

    Args:
        uri: As :func:`connect` takes it.

    Raises:
        RegistryError: Nothing listens there within seconds, or the URI is malformed.
    """
    uri = uri or os.environ.get(TRACKING_URI, "")
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme.partition("+")[0])
    except ValueError as error:
        raise RegistryError(f"'{redact.uri(uri)}' is no tracking URI ({error}).") from error
    if not host or not port:
        return
    until = time.monotonic() + _ANSWER_S
    while True:
        try:
            socket.create_connection((host, port), timeout=_ANSWER_S).close()
        except OSError as error:
            if isinstance(error, TimeoutError | socket.gaierror) or time.monotonic() > until:
                raise RegistryError(
                    f"MLflow at {redact.uri(uri)}: {host}:{port} takes no connection ({error}).",
                    hint=f"Start it, or correct --tracking-uri or {TRACKING_URI}; "
                    "without either, runs go to SQLite in the home folder.",
                ) from error
            time.sleep(0.3)  # the server may be restarting
        else:
            return


def pages(search: Callable[..., Any], *args: Any, **kwargs: Any) -> Iterator[Any]:
    """All results of one of MLflow's searches, page by page."""
    token = None
    while True:
        page = search(*args, page_token=token, **kwargs)
        yield from page
        token = page.token
        if not token:
            return


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
    """Import MLflow; late, since it takes seconds.

    Raises:
        RegistryError: It is not installed. A checkout has a folder ``mlflow/``, which Python then imports as an empty
            namespace package; so its version is checked too.
    """
    for name, value in _SETTINGS.items():
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
    """A context for calls of MLflow, whose exceptions become a :class:`RegistryError` that names the registry.

    MLflow's SQL registry resolves ``models:/<id>`` through the *global* tracking URI, whichever client asked, and
    creates a ``mlflow.db`` in the current folder if that is unset. So it is set here.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def __enter__(self) -> None:
        """Point MLflow's global state to this registry."""
        mlflow, default = library(), os.environ.get(TRACKING_URI)
        if mlflow.get_tracking_uri() != self.registry.uri:
            mlflow.set_tracking_uri(self.registry.uri)
            mlflow.set_registry_uri(self.registry.uri)
            os.environ.pop(TRACKING_URI, None)  # MLflow sets it, and the next registry would inherit it
            if default is not None:
                os.environ[TRACKING_URI] = default

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Remove stray folders and translate MLflow's exceptions."""
        for folder in self.registry.strays:
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, library().exceptions.MlflowException):
            raise RegistryError(
                f"MLflow at {self.registry.shown}: {redact.text(error.message, self.registry.uri)}"
            ) from (None if redact.secrets(self.registry.uri) else error)
