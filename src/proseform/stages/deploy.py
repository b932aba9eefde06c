"""Deploying a registered bundle on a cluster. Not a stage: ``proseform deploy``, ``undeploy`` and promote share it.

The bundle is fetched into the home folder and verified file by file. If ``serving.storage`` is empty, engines mount it
from there, since the home folder lies on a claim (``pvc://``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from proseform import bundle as bundles
from proseform import config, digest
from proseform import task as tasks
from proseform.errors import ConfigError
from proseform.infer import vllm
from proseform.infer.answer import agree
from proseform.kube import dump, remote, rollout, serverless, services, traffic, waiting
from proseform.kube.api import Api
from proseform.kube.pods import Manifest
from proseform.registry import Registry, connect, models, speaking
from proseform.stages import cache
from proseform.stages.register import registered_name

DryRun = Literal["none", "client", "server"]


def tell(words: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(f"{words}\n")


def run(
    task: str,
    run: str,
    place: str,
    which: str,
    *,
    name: str = "",
    tracking_uri: str = "",
    share: float = 1.0,
    dry_run: DryRun = "none",
    wait_s: float | None = None,
    say: waiting.Say = tell,
) -> str:
    """Deploy a version, wait for it, and give it its share of the traffic.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        place: A place's name, path or TOML text; it says where and how.
        which: An alias or a version.
        name: The registered model; see :func:`proseform.stages.register.registered_name`.
        tracking_uri: MLflow's; empty takes SQLite in the home folder.
        share: The version's share of the traffic, in [0, 1].
        dry_run: client: only render YAML; server: the API server checks the objects, and changes nothing.
        wait_s: Longest wait until it is ready, in seconds; None takes the place's.
        say: Called with a sentence for each step.

    Returns:
        YAML for ``client``, else a sentence.

    Raises:
        RegistryError: No such model, alias or version.
        ConfigError: The bundle cannot be served as the place asks.
        ClusterError: The cluster refuses, or the version does not become ready; with the reason.
    """
    resolved, where = config.load(run), config.PLACES.load(place)
    registry = connect(cache.home().root, tracking_uri)
    model = registered_name(task, resolved, name)
    served = prepare(registry, task, resolved, where, model, models.get(registry, model, which))
    if dry_run != "none":
        manifests = rendered(served, share)
        if dry_run == "client":
            return dump.as_yaml(manifests)
        rollout.apply(Api(where.namespace, patience_s=10), manifests, dry_run=True)
        return f"The API server takes all {len(manifests)} objects of {served.name}; nothing was changed."
    api = Api(where.namespace)
    bring_up(api, served, share, wait_s, say)
    return shift(api, served, share, say)


def remove(
    task: str, run: str, place: str, version: str, *, name: str = "", force: bool = False, say: waiting.Say = tell
) -> None:
    """Remove a version; see :func:`proseform.kube.rollout.remove`."""
    where = config.PLACES.load(place)
    model = registered_name(task, config.load(run), name)
    rollout.remove(Api(where.namespace), task, version, where, model, force=force, say=say)


def prepare(
    registry: Registry, task: str, run: config.Run, place: config.Place, model: str, version: models.Version
) -> services.Served:
    """Fetch and verify a version's bundle; the version, as the builders of objects take it.

    Raises:
        RegistryError: Its artifacts are not its bundle.
        TaskError: The bundle was made for another task, or another version of it.
        ConfigError: MLflow keeps no artifacts where ``serving.storage`` says.
    """
    folder = models.fetch(registry, model, version.version, cache.home().root / "bundles")
    bundle = bundles.read(folder, check_files=False)
    agree(bundle, tasks.load(task))
    if not place.serving.engine.url:
        vllm.check(bundle)
    _readable(folder)
    if place.serving.storage.startswith("s3://"):
        models.complete(registry, version, folder)  # engines mount MLflow's artifacts, which lack the bases
    return services.Served(
        bundle=bundle,
        version=version.version,
        model=model,
        storage=storage(place, bundle.digest, lambda: _location(registry, version)),
        place=place,
        max_length=run.model.max_length,
        ranks=vllm.ranks(folder, bundle),
    )


def rendered(served: services.Served, share: float) -> list[Manifest]:
    """Every object of a version, and in standard mode the route of a cluster without other versions."""
    if served.place.serving.mode == "serverless":
        return serverless.build(served, max(1, round(100 * share)))
    route = traffic.route(
        served.bundle.task,
        served.model,
        {served.version: served.service},
        {served.version: traffic.WHOLE},
        served.place,
    )
    return [*_objects(served), route]


def _objects(served: services.Served) -> list[Manifest]:
    """A version's objects in standard mode."""
    return remote.build(served) if served.place.serving.engine.url else services.build(served)


def bring_up(api: Api, served: services.Served, share: float, wait_s: float | None, say: waiting.Say) -> None:
    """Apply a version and wait until it is ready. In serverless mode Knative then shifts traffic; else it stays."""
    serving = served.place.serving
    manifests = (
        serverless.build(served, max(1, round(100 * share))) if serving.mode == "serverless" else _objects(served)
    )
    rollout.apply(api, manifests)
    names = [manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == "InferenceService"]
    say(f"{', '.join(names)}: applied, bundle {digest.short(served.bundle.digest)}; waiting until ready")
    waiting.await_ready(api, names, serving, serving.ready_s if wait_s is None else wait_s, say)


def shift(api: Api, served: services.Served, share: float, say: waiting.Say) -> str:
    """Give a deployed version its share of the traffic; the new split, in words."""
    task = served.bundle.task
    if served.place.serving.mode == "serverless":
        return f"{served.name} takes {max(1, round(100 * share))} % of the traffic"
    deployed = rollout.versions(api, task)
    now = {
        version: weight
        for version, weight in rollout.weights(api, served.model, deployed).items()
        if version in deployed
    }
    weights = traffic.shares(served.version, now, share)
    rollout.move(api, task, served.model, weights, served.place)
    split = ", ".join(f"version {version} {weight} %" for version, weight in weights.items() if weight)
    say(f"traffic: {split}")
    return f"{served.name} is deployed; traffic: {split}"


def storage(place: config.Place, bundle: str, artifacts: Callable[[], str]) -> str:
    """The URI of a bundle's folder, as KServe reads it.

    Args:
        place: The cluster.
        bundle: The bundle's digest.
        artifacts: Gives MLflow's URI of the version's artifacts; asked only where they are used.

    Raises:
        ConfigError: MLflow's artifacts lie on no object store.
    """
    root, short = place.serving.storage.rstrip("/"), digest.short(bundle)
    if not root:
        return f"pvc://{place.claim}/bundles/{short}"
    if root.startswith("pvc://"):
        return f"{root}/{short}"
    if root.startswith("oci"):
        return f"{root}:{short}"
    location = artifacts()
    if location.startswith("mlflow-artifacts:"):  # served by MLflow; the place says where they lie
        return f"{root}/{location.removeprefix('mlflow-artifacts:').lstrip('/')}/bundle"
    if location.startswith("s3://"):
        return f"{location.rstrip('/')}/bundle"
    raise ConfigError(
        f"serving.storage: MLflow keeps artifacts at {location}, not on s3://.",
        hint="Leave it empty, or name a claim.",
    )


def _location(registry: Registry, version: models.Version) -> str:
    """MLflow's URI of a version's artifacts."""
    with speaking(registry):
        return str(registry.client.get_logged_model(version.model_id).artifact_location)


def _readable(folder: Path) -> None:
    """Let the engines' user read a bundle that another user has fetched."""
    for path in (folder, *folder.rglob("*")):
        with suppress(PermissionError):  # another user's file; its owner has done this
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
