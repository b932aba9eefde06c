"""The code and the libraries that a stage's result passes through: the part of its key that is not its inputs.

Roots are the stage's module and its worker's. From there :func:`proseform.closure.reached` follows imports, names of
modules and data files. :data:`BESIDE` stays out, since no result passes through it: modules that start processes,
display, check or store, and those whose digests or values the key holds (tasks, run files). A file counts by its
meaning, so a changed comment or docstring retrains nothing.

Libraries are those that the reached modules import, in the versions that are *locked* for workers (``locked.toml``,
written by ``make render`` from ``requirements/``): the process that computes a key need not have them installed. A
worker refuses to start on other versions. ``PROSEFORM_LIBRARIES="torch=2.14.0 trl=1.17.0"`` locks other versions, and
changes the keys. Left out: processors, drivers and the number of threads, which decide how floats are rounded.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from proseform import closure
from proseform.errors import ConfigError

PACKAGE = "proseform"
ROOT = Path(__file__).parent.parent
BESIDE = frozenset(
    f"{PACKAGE}.{name}"
    for name in (
        *("cli", "commands", "display", "testing", "serve", "kube", "documents", "registry"),
        *("launch", "lifetime", "warm", "store", "machine", "naming", "versions", "redact"),
        *("config", "runs", "places", "tasks", "errors", "laws", "hostile", "checklist", "digest", "closure"),
        *("injection.rule", "injection.noticed"),
        *(
            "stages.cache",
            "stages.frozen",
            "stages.keys",
            "stages.policy",
            "stages.preflight",
            "stages.retention",
            "stages.served",
        ),
    )
)
"""Modules and packages that no result passes through, unless they are roots."""
VERIFIER = frozenset(
    f"{PACKAGE}.{name}"
    for name in (
        "verify",
        "claims",
        "direct",
        "tagged",
        "reward",
        "schema",
        "verdict",
        "rubric",
        "case",
        "leaks",
        "abstention",
        "injection",
        "verbal",
        "roundtrip",
    )
)
"""Modules that judge texts: the dataset's rows pass through them, SFT on those rows does not."""
OVERRIDE = "PROSEFORM_LIBRARIES"
_WITH = {"transformers": ("tokenizers", "safetensors", "numpy"), "trl": ("accelerate", "datasets", "transformers")}
"""Libraries that decide results although our modules import only the one that uses them."""


def of(
    stage: str, roots: Sequence[str], apart: frozenset[str] = frozenset(), also: Sequence[str] = ()
) -> dict[str, Any]:
    """The part of a key that states code and libraries.

    Args:
        stage: The step's name; without roots, its module is the root.
        roots: Dotted names of modules.
        apart: Further modules that the result does not pass through.
        also: Libraries that the result passes through although no module imports them by name.

    Returns:
        ``code``, a digest, and ``libraries``, locked versions by name.

    Raises:
        ValueError: A root does not exist.
    """
    chosen = tuple(roots) or (f"{PACKAGE}.stages.{stage.partition('-')[0]}",)
    files = _files(ROOT, chosen, apart)
    return {"code": closure.of_files(ROOT, files), "libraries": _locked(ROOT, files, also)}


def libraries(roots: Sequence[str], apart: frozenset[str] = frozenset(), also: Sequence[str] = ()) -> dict[str, str]:
    """The locked versions of the libraries that modules run on.

    Raises:
        ConfigError: ``PROSEFORM_LIBRARIES`` names one that is not locked.
    """
    return _locked(ROOT, _files(ROOT, tuple(roots), apart), also)


@lru_cache(maxsize=64)
def _files(root: Path, roots: tuple[str, ...], apart: frozenset[str]) -> frozenset[str]:
    """Files that the roots reach."""

    def stops(module: str) -> bool:
        steps = module.split(".")
        above = {".".join(steps[:count]) for count in range(2, len(steps) + 1)}
        return module not in roots and bool(above & (BESIDE | apart))

    return frozenset(closure.reached(root, PACKAGE, roots, stops=stops))


def _locked(root: Path, files: frozenset[str], also: Sequence[str]) -> dict[str, str]:
    """Locked versions of what files import."""
    table: dict[str, str] = tomllib.loads((root / "locked.toml").read_text(encoding="utf-8"))["libraries"]
    table = {**table, **_override(table)}
    imported = {name.lower().replace("_", "-") for name in closure.imported(root, files)}
    imported |= {other for name in imported for other in _WITH.get(name, ())}
    return {name: table[name] for name in sorted(imported.union(also) & table.keys())}


def _override(table: Mapping[str, str]) -> dict[str, str]:
    """``PROSEFORM_LIBRARIES`` as names and versions."""
    pairs = dict(pair.partition("=")[::2] for pair in os.environ.get(OVERRIDE, "").split())
    for name, version in pairs.items():
        if name not in table or not version:
            raise ConfigError(
                f"{OVERRIDE}: '{name}={version}' names no locked library and its version; "
                f"locked are: {', '.join(table)}."
            )
    return pairs
