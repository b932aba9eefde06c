"""Texts beside a registered bundle: the report on it, and the verdict of its gate.

The verdict is ``gate.json``; a tag of the version holds its digest, so an altered file is noticed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from proseform import digest
from proseform.bundle import Bundle
from proseform.errors import RegistryError
from proseform.registry import Registry, artifacts, speaking
from proseform.registry.models import Version
from proseform.thresholds import GateVerdict

VERDICT = "gate.json"


def attach(registry: Registry, version: Version, files: Mapping[str, str]) -> None:
    """File texts, by file name, beside a version's bundle; a name that is filed again is replaced."""
    with tempfile.TemporaryDirectory() as staging, speaking(registry):
        for file, text in files.items():
            (Path(staging) / file).write_text(text, encoding="utf-8")
        registry.client.log_model_artifacts(version.model_id, staging)


def read(registry: Registry, version: Version, file: str) -> str:
    """A text that was filed with a version.

    Raises:
        RegistryError: No such file.
    """
    with tempfile.TemporaryDirectory() as staging, speaking(registry):
        artifacts.get(registry, version.model_id, file, Path(staging))
        return (Path(staging) / file).read_text(encoding="utf-8")


def find(registry: Registry, bundle: Bundle, file: str) -> str | None:
    """A text that was filed with a bundle, under whatever name it is registered; None if there is none."""
    with speaking(registry), tempfile.TemporaryDirectory() as staging:
        model_id = artifacts.find(registry, bundle)
        if not model_id or file not in artifacts.beside(registry, model_id):
            return None
        artifacts.get(registry, model_id, file, Path(staging))
        return (Path(staging) / file).read_text(encoding="utf-8")


def judge(
    registry: Registry, version: Version, verdict: GateVerdict, attachments: Mapping[str, str] | None = None
) -> Version:
    """File a gate's verdict with a version: ``gate.json`` beside the bundle, and tags that state it.

    Args:
        registry: An open registry.
        version: The version that was judged.
        verdict: The verdict; it replaces an earlier one.
        attachments: Further texts by file name, such as the report.

    Returns:
        The version with its new tags.

    Raises:
        RegistryError: The verdict is of another bundle.
    """
    if verdict.bundle != version.bundle:
        ours, theirs = digest.short(version.bundle), digest.short(verdict.bundle)
        raise RegistryError(
            f"'{version.name}', version {version.version} is bundle {ours}; the verdict is of {theirs}."
        )
    raw = verdict.as_dict()
    tags = {
        "proseform.gate": "open" if verdict.open else "closed",
        "proseform.gate_verdict": digest.of_json(raw),
        "proseform.report": verdict.report,
    }
    attach(registry, version, {**(attachments or {}), VERDICT: json.dumps(raw, indent=2, ensure_ascii=False)})
    with speaking(registry):
        for key, value in tags.items():
            registry.client.set_model_version_tag(version.name, version.version, key, value)
    return Version(version.name, version.version, version.bundle, version.model_id, {**version.tags, **tags})


def verdict(registry: Registry, version: Version) -> GateVerdict | None:
    """The verdict that was filed with a version, or None.

    Raises:
        RegistryError: ``gate.json`` is not the one that the version's tag names.
    """
    stated = version.tags.get("proseform.gate_verdict")
    if not stated:
        return None
    raw = json.loads(read(registry, version, VERDICT))
    if digest.of_json(raw) != stated:
        raise RegistryError(
            f"'{version.name}', version {version.version}: its {VERDICT} was altered.", hint="Run the gate again."
        )
    return GateVerdict.from_dict(raw)
