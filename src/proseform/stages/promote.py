"""promote: a version becomes champion, and the champion before it previous.

On a cluster (``PROSEFORM_PLACE`` names one) the bundle is deployed and ready before it becomes champion, and gets its
share of the traffic afterwards, so that a champion can always answer.
"""

from __future__ import annotations

from typing import Any

from proseform import config, digest
from proseform.registry import Registry, aliases, attachments, connect, models
from proseform.stages import cache
from proseform.stages.gate import candidate
from proseform.stages.register import registered_name


def run(task: str, run: str, tracking_uri: str, name: str, version: str = "") -> str:
    """Promote a version.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        tracking_uri: MLflow's; empty takes SQLite in the home folder.
        name: The registered model; see :func:`proseform.stages.register.registered_name`.
        version: The version to promote; empty takes the candidate, or the champion if there is no candidate.

    Returns:
        The champion's version.

    Raises:
        RegistryError: No such model or version, or its gate is not open for this very bundle.
        ClusterError: On a cluster: the bundle's services are refused, or do not become ready; nothing was promoted.
    """
    knobs = config.load(run)

    def body() -> dict[str, Any]:
        registry = connect(cache.home().root, tracking_uri)
        model = registered_name(task, knobs, name)
        which = version or candidate(models.aliases(registry, model))
        place = cache.home().cluster
        if place is not None:
            champion, words = _on_cluster(registry, task, knobs, place, model, which)
        else:
            champion, words = aliases.promote(registry, model, which), ""
        key = f"{model}, version {champion.version} is champion (bundle {digest.short(champion.bundle)}){words}"
        return {"key": key, "version": champion.version, "bundle": champion.bundle}

    return str(cache.act("promote", body)["version"])


def _on_cluster(
    registry: Registry, task: str, run: config.Run, place: config.Place, model: str, which: str
) -> tuple[models.Version, str]:
    """Deploy the bundle, promote it, and shift the traffic."""
    from proseform.kube import rollout
    from proseform.kube.api import Api
    from proseform.stages import deploy

    version = models.get(registry, model, which)
    verdict = attachments.verdict(registry, version)
    if verdict is None or not verdict.open:
        return aliases.promote(registry, model, which), ""  # raises, with the reasons
    api = Api(place.namespace)
    served = deploy.prepare(registry, task, run, place, model, version)
    deploy.bring_up(api, served, run.promote.share, None, deploy.tell)
    champion = aliases.promote(registry, model, which)
    split = deploy.shift(api, served, run.promote.share, deploy.tell)
    if place.serving.mode == "standard":
        rollout.prune(api, task, model, place, deploy.tell)
    return champion, f"; {split.partition('; ')[2] or split}"
