"""What is measured by URL: which models an engine must serve, under which names. Not a stage.

The trap: a server that still has yesterday's adapter under the name ``grpo`` would be measured in the place of today's.
So names may carry the digest of the weights (``grpo-{digest}``, the default); a name without it is taken at its word.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proseform import config, digest
from proseform.bundle import Bundle, Role
from proseform.errors import EngineFaultError
from proseform.infer import served
from proseform.infer.spec import EngineSpec

DIGEST = "{digest}"
"""In a model's name: the first twelve hex digits of its weights' digest."""


def preflight(engine: config.EvaluateEngine) -> None:
    """Ask for every model whose name is known before anything trains.

    Raises:
        EngineFaultError: One is not served; with those that are.
        EngineError: The server does not answer.
        ConfigError: No key in the key file.
    """
    names = [name for name in engine.models.model_dump().values() if DIGEST not in name]
    served.check(_spec(engine), names)


def specs(engine: config.EvaluateEngine, bundles: Mapping[str, Bundle], folder: Path) -> dict[str, dict[str, Any]]:
    """How each subject is asked, once the server is known to serve it.

    Args:
        engine: The place's.
        bundles: Subject to bundle.
        folder: Holds the bundles' folders, by subject.

    Returns:
        Subject to the fields of an :class:`~proseform.infer.spec.EngineSpec`.

    Raises:
        EngineFaultError: A model is not served; with its name and the folder of its weights.
        EngineError: The server does not answer.
    """
    known = {
        (subject, role): (_name(engine, subject, role, bundle), _weights(folder / subject, bundle, role))
        for subject, bundle in bundles.items()
        for role in bundle.parts
    }
    try:
        served.check(_spec(engine), [name for name, _ in known.values()])
    except EngineFaultError as error:
        places = "; ".join(f"{name}: {weights}" for name, weights in dict(known.values()).items())
        raise EngineFaultError(error.message, hint=f"{error.hint} Serve these, and run again. {places}") from error
    return {
        subject: {
            "url": engine.url,
            "dialect": engine.dialect,
            "key_file": engine.key_file,
            "timeout_s": engine.timeout_s,
            **{f"{role}_model": known[subject, role][0] for role in bundle.parts},
        }
        for subject, bundle in bundles.items()
    }


def _spec(engine: config.EvaluateEngine) -> EngineSpec:
    """The server, whatever the model."""
    return EngineSpec(engine.url, dialect=engine.dialect, key_file=engine.key_file)


def _name(engine: config.EvaluateEngine, subject: str, role: Role, bundle: Bundle) -> str:
    """The name under which a subject's role is served."""
    kind = subject if subject == "base" or role == "evaluator" else "formatter"
    part = bundle.parts[role]
    return str(getattr(engine.models, kind)).replace(DIGEST, digest.short(part.adapter_digest or part.base_digest))


def _weights(folder: Path, bundle: Bundle, role: Role) -> Path:
    """Where the weights of a role lie: an adapter, or a whole model."""
    part = bundle.parts[role]
    return folder / (part.adapter or part.base)
