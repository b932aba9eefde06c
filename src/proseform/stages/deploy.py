"""A registered bundle on a cluster. Not a stage: what ``proseform deploy`` and ``undeploy``, promote and probe share.

Where ``serving.storage`` is empty, the bundle is fetched into the home folder, which lies on the claim that the
engines mount (``pvc://``): it was verified file by file on the way.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from proseform import bundle as bundles
from proseform import config, digest
from proseform import task as tasks
from proseform.bundle import Bundle, Role
from proseform.errors import ClusterError, ConfigError, EngineError, InputError, StageError
from proseform.infer.answer import agree
from proseform.kube import remote, rollout, serverless, services, traffic
from proseform.kube.api import Api
from proseform.kube.pods import Manifest
from proseform.registry import Registry, connect, models, speaking
from proseform.stages import cache
from proseform.stages.register import registered_name

DryRun = Literal["none", "client", "server"]
_FOUND_S = 90.0
"""Seconds in which a gateway has to lead to the promoted bundle."""
_AWAY = frozenset({404, 502, 503, 504})
"""What gateways say before they know a route or its pods."""
_TRIES = 50
"""Requests, at least, in which a version that takes a small share has to be met."""
_BUSY = 503


def tell(words: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(f"{words}\n")


def run(
    task: str, run: str, place: str, which: str, *, name: str = "", tracking_uri: str = "", share: float = 1.0,
    dry_run: DryRun = "none", wait_s: float | None = None, say: rollout.Say = tell,
) -> str:  # fmt: skip
    """Deploy a version, wait for it, and give it its share of the traffic.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        place: A place's name, path or TOML text; it says where and how.
        which: An alias or a version.
        name: The registered model; see :func:`proseform.stages.register.registered_name`.
        tracking_uri: MLflow's; empty takes SQLite in the home folder.
        share: The version's share of the traffic, in [0, 1].
        dry_run: client: nothing but YAML; server: the API server checks it, and changes nothing.
        wait_s: Longest wait until it is ready, in seconds; None uses the place's.
        say: Told what happens.

    Returns:
        YAML for ``client``, else a sentence.

    Raises:
        RegistryError: No such model, alias or version.
        ConfigError: What this bundle or cluster cannot be.
        ClusterError: The cluster refuses, or the version does not become ready; with the reason.
    """
    resolved, where = config.load(run), config.PLACES.load(place)
    registry = connect(cache.home().root, tracking_uri)
    model = registered_name(task, resolved, name)
    made = served(registry, task, resolved, where, model, models.get(registry, model, which))
    if dry_run != "none":
        manifests = rendered(made, share)
        if dry_run == "client":
            return as_yaml(manifests)
        rollout.apply(Api(where.namespace, patience_s=10), manifests, dry_run=True)
        return f"The API server takes all {len(manifests)} objects of {made.name}; nothing was changed."
    api = Api(where.namespace)
    stand(api, made, share, wait_s, say)
    return shift(api, made, share, say)


def remove(
    task: str, run: str, place: str, version: str, *, name: str = "", force: bool = False, say: rollout.Say = tell
) -> None:
    """Take a version away; see :func:`proseform.kube.rollout.remove`."""
    where = config.PLACES.load(place)
    model = registered_name(task, config.load(run), name)
    rollout.remove(Api(where.namespace), task, version, where, model, force=force, say=say)


def served(
    registry: Registry, task: str, run: config.Run, place: config.Place, model: str, version: models.Version
) -> services.Served:
    """A version as the builders take it; its bundle is fetched and verified.

    Raises:
        RegistryError: Its artifacts are not its bundle.
        TaskError: The bundle was made for another task, or another state of it.
        ConfigError: ``serving.storage`` names a place where MLflow has no artifacts.
    """
    folder = models.fetch(registry, model, version.version, cache.home().root / "bundles")
    bundle = bundles.read(folder, check_files=False)
    agree(bundle, tasks.load(task))
    _readable(folder)
    if place.serving.storage.startswith("s3://"):
        models.complete(registry, version, folder)  # engines mount what MLflow keeps, which has adapters alone
    return services.Served(
        bundle=bundle,
        version=version.version,
        model=model,
        storage=storage(place, bundle.digest, lambda: _location(registry, version)),
        place=place,
        max_length=run.model.max_length,
        ranks=_ranks(folder, bundle),
    )


def rendered(made: services.Served, share: float) -> list[Manifest]:
    """Every object of a version, and in standard mode the route as it is where no other version stands."""
    if made.place.serving.mode == "serverless":
        return serverless.build(made, max(1, round(100 * share)))
    route = traffic.route(
        made.bundle.task, made.model, {made.version: made.service}, {made.version: traffic.WHOLE}, made.place
    )
    return [*_objects(made), route]


def _objects(made: services.Served) -> list[Manifest]:
    """A version's objects in standard mode."""
    return remote.build(made) if made.place.serving.engine.url else services.build(made)


def stand(api: Api, made: services.Served, share: float, wait_s: float | None, say: rollout.Say) -> None:
    """Apply a version and wait until it is ready; no traffic is moved, but by Knative in serverless mode."""
    serving = made.place.serving
    manifests = serverless.build(made, max(1, round(100 * share))) if serving.mode == "serverless" else _objects(made)
    rollout.apply(api, manifests)
    names = [each["metadata"]["name"] for each in manifests if each["kind"] == "InferenceService"]
    say(f"{', '.join(names)}: applied, bundle {digest.short(made.bundle.digest)}; waiting until ready")
    rollout.await_ready(api, names, serving, serving.ready_s if wait_s is None else wait_s, say)


def shift(api: Api, made: services.Served, share: float, say: rollout.Say) -> str:
    """Give a version that stands its share of the traffic; how it is split then, in words."""
    task = made.bundle.task
    if made.place.serving.mode == "serverless":
        return f"{made.name} takes {max(1, round(100 * share))} % of the traffic"
    standing = rollout.versions(api, task)
    now = {
        version: weight for version, weight in rollout.weights(api, made.model, standing).items() if version in standing
    }
    given = traffic.shares(made.version, now, share)
    rollout.move(api, task, made.model, given, made.place)
    split = ", ".join(f"version {version} {weight} %" for version, weight in given.items() if weight)
    say(f"traffic: {split}")
    return f"{made.name} stands; traffic: {split}"


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
    found = artifacts()
    if found.startswith("mlflow-artifacts:"):  # the server hands them out; where it keeps them is for the place to say
        return f"{root}/{found.removeprefix('mlflow-artifacts:').lstrip('/')}/bundle"
    if found.startswith("s3://"):
        return f"{found.rstrip('/')}/bundle"
    raise ConfigError(
        f"serving.storage: MLflow keeps artifacts at {found}, not on s3://.",
        hint="Leave it empty, or name a claim.",
    )


def as_yaml(manifests: Sequence[Manifest]) -> str:
    """Objects as YAML documents, texts of several lines as such.

    Raises:
        InputError: PyYAML is not installed.
    """
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError("PyYAML is not installed.", hint="Install proseform[cluster].") from error

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def text(dumper: Any, data: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)

    Dumper.add_representer(str, text)
    return str(yaml.dump_all(manifests, Dumper=Dumper, sort_keys=False, width=140))


def ask(
    task: str, place: config.Place, model: str, bundle: str, cases: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    """What the gateway answers, by the promoted bundle: asked again while it still leads elsewhere.

    Args:
        task: The task's name.
        place: The place.
        model: The route's name.
        bundle: The digest of the bundle that is to answer.
        cases: Inputs as text.

    Returns:
        For each case the answer, or the refusal, as JSON.

    Raises:
        StageError: The route never led to the promoted bundle.
        EngineError: Nothing answers at the URL.
    """
    import httpx

    url, until = _url(place), time.monotonic() + _FOUND_S
    host = {"host": place.serving.hostname} if place.serving.hostname and not place.serving.url else {}
    said: list[dict[str, Any]] = []
    tries = 0
    with httpx.Client(base_url=url, headers=host, timeout=place.serving.transformer.timeout_s + 10) as client:
        while len(said) < len(cases):
            tries += 1
            late = (
                time.monotonic() > until and tries > _TRIES
            )  # a small share is met seldom, and an answer takes its time
            try:
                given = client.post(f"/v1/tasks/{task}/answer", json={"inputs": dict(cases[len(said)])})
            except httpx.TransportError as error:
                if late:
                    raise EngineError(
                        f"Nothing answers at {url} ({error}).", hint="Name the gateway in the place's serving.url."
                    ) from error
                time.sleep(1)
                continue
            body = _body(given)
            refused = "error" in body and given.status_code != _BUSY  # a busy transformer is asked again
            if body.get("bundle") == bundle or refused:
                said.append(body.get("error", body))
                until, tries = time.monotonic() + _FOUND_S, 0
            elif late:
                who = f"bundle {digest.short(body['bundle'])}" if "bundle" in body else f"HTTP {given.status_code}"
                raise StageError(
                    f"{url} answers for {model} by {who}, not by {digest.short(bundle)}.", hint="Look at the HTTPRoute."
                )
            elif given.status_code in _AWAY:
                time.sleep(1)
    return said


def _body(given: Any) -> dict[str, Any]:
    """The JSON of an answer; a gateway's own errors are none."""
    try:
        body = given.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _url(place: config.Place) -> str:
    """Where the gateway is reached."""
    if place.serving.url:
        return place.serving.url.rstrip("/")
    found = Api(place.namespace).get("gateway.networking.k8s.io/v1", "Gateway", place.serving.gateway)
    url = traffic.address(found) if found else ""
    if not url:
        raise ClusterError(
            f"Gateway {place.serving.gateway} states no address.", hint="Name the URL in the place's serving.url."
        )
    return url


def _location(registry: Registry, version: models.Version) -> str:
    """Where MLflow keeps the artifacts of a version."""
    with speaking(registry):
        return str(registry.client.get_logged_model(version.model_id).artifact_location)


def _ranks(folder: Path, bundle: Bundle) -> dict[Role, int]:
    """LoRA rank by role, of the roles with an adapter: the greatest that its configuration names."""
    found: dict[Role, int] = {}
    for role, part in bundle.parts.items():
        if part.adapter:
            about = json.loads((folder / part.adapter / "adapter_config.json").read_text(encoding="utf-8"))
            found[role] = max([int(about["r"]), *map(int, about.get("rank_pattern", {}).values())])
    return found


def _readable(folder: Path) -> None:
    """Let the engines' user read a bundle that somebody else has fetched."""
    for path in (folder, *folder.rglob("*")):
        with suppress(PermissionError):  # not ours: whoever made it has done so
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
