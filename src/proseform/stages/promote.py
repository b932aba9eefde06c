"""promote: the candidate becomes champion, and the champion before it previous."""

from __future__ import annotations

from typing import Any

from proseform import config, digest
from proseform.registry import aliases, connect, models
from proseform.stages import frame
from proseform.stages.gate import candidate
from proseform.stages.register import registered_name


def run(task: str, run: str, tracking_uri: str, name: str) -> str:
    """Promote the candidate.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        tracking_uri: MLflow's; empty takes SQLite in the home folder.
        name: The registered model; see :func:`proseform.stages.register.registered_name`.

    Returns:
        The champion's version.

    Raises:
        RegistryError: Nothing is registered, or its gate is not open for this very bundle.
    """
    wanted = config.load(run)

    def body() -> dict[str, Any]:
        registry = connect(frame.home().root, tracking_uri)
        model = registered_name(task, wanted, name)
        champion = aliases.promote(registry, model, candidate(models.aliases(registry, model)))
        words = f"{model}, version {champion.version} is champion (bundle {digest.short(champion.bundle)})"
        return {"key": words, "version": champion.version, "bundle": champion.bundle}

    return str(frame.act("promote", body)["version"])
