"""Bundles in the registry: registered once for each digest, found by alias or version, and fetched verified."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from proseform import bundle as bundles
from proseform import digest
from proseform.bundle import Bundle, Part
from proseform.errors import RegistryError, StoreError
from proseform.registry import Registry, artifacts, lease, library, model_name, names, pages, speaking

BASES = ".bases"
"""The folder of the bases that fetched bundles share, beside them."""
CANDIDATE, CHAMPION, PREVIOUS = "candidate", "champion", "previous"
_ABSENT = "RESOURCE_DOES_NOT_EXIST"
_SHOWN = 20
"""Most names in an error."""
_PAGE = 1000
"""Versions per page of a search."""


@dataclass(frozen=True, slots=True)
class Version:
    """A registered bundle.

    Attributes:
        name: The registered model.
        version: MLflow's version number.
        bundle: The bundle's digest.
        model_id: The LoggedModel that holds the artifacts.
        tags: All tags of the version.
    """

    name: str
    version: str
    bundle: str
    model_id: str
    tags: Mapping[str, str] = field(default_factory=dict)


def register(
    registry: Registry,
    folder: Path,
    *,
    name: str = "",
    tags: Mapping[str, str] | None = None,
    report: Mapping[str, Any] | None = None,
    source_run: str = "",
) -> Version:
    """Register a bundle's folder, and let ``candidate`` name it.

    A bundle that is registered already keeps its version and its verdict; files that are missing are uploaded again.
    ``candidate`` moves to it unless it is the champion. A version appears only once its artifacts are complete.

    Args:
        registry: An open registry.
        folder: A bundle's folder; nothing outside of it is needed afterwards.
        name: The registered model; empty takes ``proseform-<task>``.
        tags: Further tags of the version.
        report: The report, for the figures on the model card.
        source_run: The MLflow run that made it.

    Raises:
        StoreError: The folder holds no bundle, or one that was altered.
        RegistryError: MLflow refused.
    """
    bundle = bundles.read(folder)
    name = name or model_name(bundle.task)
    all_tags = {**(tags or {}), **_tags(bundle)}
    with speaking(registry):
        _registered(registry, name, bundle)
        readme = card(bundle, name, report or {})
        model_id, base_tags = artifacts.upload(registry, folder, bundle, readme, all_tags, source_run)
    with lease.hold(registry, name) as held, speaking(registry):
        known = aliases(registry, name)
        version = next((row for row in _versions(registry, name) if row.model_id == model_id), None)
        held.check()
        if version is None:
            row = registry.client.create_model_version(
                name,
                f"models:/{model_id}",
                model_id=model_id,
                tags={**all_tags, **base_tags},
                description=f"Bundle {digest.short(bundle.digest)}",
            )
            version = Version(name, str(row.version), bundle.digest, model_id, {**all_tags, **base_tags})
        if known.get(CHAMPION) != version.version and known.get(CANDIDATE) != version.version:
            registry.client.set_registered_model_alias(name, CANDIDATE, version.version)
    return version


def aliases(registry: Registry, name: str) -> dict[str, str]:
    """Alias to version number.

    Raises:
        RegistryError: No such model; the registered ones are named.
    """
    return {str(alias): str(version) for alias, version in _model(registry, name).aliases.items()}


def get(registry: Registry, name: str, which: str) -> Version:
    """The version behind an alias or a version number.

    Raises:
        RegistryError: No such model, alias or version; what exists is named.
    """
    known = aliases(registry, name)
    number = known.get(which, which)
    with speaking(registry):
        rows = _versions(registry, name)
    for row in rows:
        if row.version == str(number):
            return row
    have = ", ".join(f"{alias} (version {version})" for alias, version in sorted(known.items())) or "none"
    numbers = ", ".join(row.version for row in rows) or "none"
    raise RegistryError(f"'{name}' has no alias or version '{which}'; aliases: {have}; versions: {numbers}.")


def fetch(registry: Registry, name: str, which: str, into: Path) -> Path:
    """A bundle's folder, by alias or version, verified file by file.

    Args:
        registry: An open registry.
        name: The registered model.
        which: ``champion``, ``candidate``, ``previous`` or a version number.
        into: Keeps fetched bundles by digest; one that is there and whole is not fetched again. Bundles on one base
            share its files by links.

    Raises:
        RegistryError: No such model, alias or version, or its artifacts are not the bundle that its tag names.
    """
    version = get(registry, name, which)
    target = into / digest.short(version.bundle)
    if artifacts.is_whole(target, version.bundle):
        return target
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=into) as staging:
        try:
            with speaking(registry):
                folder = artifacts.download(registry, version.model_id, _bases(version), Path(staging), into / BASES)
            state = bundles.read(folder).digest
        except StoreError as error:
            raise RegistryError(
                f"'{name}', version {version.version}: its artifacts are no whole bundle: {error.message}"
            ) from error
        if state != version.bundle:
            raise RegistryError(
                f"'{name}', version {version.version}: its artifacts are bundle {digest.short(state)}, not its tag's."
            )
        shutil.rmtree(target, ignore_errors=True)
        try:
            folder.rename(target)
        except OSError:  # somebody else fetched the same bundle meanwhile
            if not artifacts.is_whole(target, version.bundle):
                raise
    return target


def complete(registry: Registry, version: Version, folder: Path) -> None:
    """Upload the bases beside a version's adapters, for engines that mount MLflow's artifacts.

    Args:
        registry: An open registry.
        version: The version to complete.
        folder: The whole bundle, as :func:`fetch` gives it.
    """
    with speaking(registry):
        artifacts.complete(registry, version.model_id, folder, bundles.read(folder, check_files=False))


def card(bundle: Bundle, name: str, report: Mapping[str, Any]) -> str:
    """The model card, in Markdown."""
    template = jinja2.Environment(
        autoescape=False,  # noqa: S701 - Markdown
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    text = (resources.files("proseform.registry") / "card.md.j2").read_text(encoding="utf-8")
    level = report.get("meta", {}).get("level", "")
    values = {
        "settings": bundle.settings,
        "figures": report.get("figures", {}),
        "level": level,
        "schema": bundle.compiled(),
    }
    return template.from_string(text).render(name=name, bundle=bundle, **values)


def _tags(bundle: Bundle) -> dict[str, str]:
    """The tags that every version carries."""
    return {
        "proseform.task": bundle.task,
        "proseform.task_contract": bundle.task_contract,
        "proseform.task_data": bundle.task_data,
        "proseform.bundle": bundle.digest,
        "proseform.evaluator": _weights(bundle.evaluator),
        "proseform.formatter": _weights(bundle.formatter),
    }


def _weights(part: Part) -> str:
    """The digest of the weights that were trained: the adapter's, else the whole model's."""
    return part.adapter_digest or part.base_digest


def _registered(registry: Registry, name: str, bundle: Bundle) -> None:
    """Create the registered model if it is missing."""
    exceptions = library().exceptions
    try:
        registry.client.get_registered_model(name)
    except exceptions.MlflowException as error:
        if error.error_code != _ABSENT:
            raise
        text = names()["model"]["description"].format(task=bundle.task)
        try:
            registry.client.create_registered_model(name, tags={"proseform.task": bundle.task}, description=text)
        except exceptions.MlflowException as other:
            if other.error_code != "RESOURCE_ALREADY_EXISTS":  # somebody else made it meanwhile
                raise


def _model(registry: Registry, name: str) -> Any:
    """MLflow's registered model."""
    with speaking(registry):
        try:
            return registry.client.get_registered_model(name)
        except library().exceptions.MlflowException as error:
            if error.error_code not in {_ABSENT, "INVALID_PARAMETER_VALUE"}:
                raise
        known = sorted(
            model.name for model in pages(registry.client.search_registered_models) if not lease.is_lock(model)
        )
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        raise RegistryError(
            f"No model '{name}'; registered: {', '.join(known[:_SHOWN]) or 'none'}{more}.",
            hint="The pipeline registers it.",
        )


def _versions(registry: Registry, name: str) -> list[Version]:
    """All versions that hold a bundle, newest first.

    MLflow's search leaves ``model_id`` empty; the source names it too.
    """
    rows = pages(registry.client.search_model_versions, f"name = '{name}'", max_results=_PAGE)
    versions = [
        Version(
            name, str(row.version), row.tags["proseform.bundle"], row.source.removeprefix("models:/"), dict(row.tags)
        )
        for row in rows
        if "proseform.bundle" in row.tags
    ]
    return sorted(versions, key=lambda version: -int(version.version))


def _bases(version: Version) -> dict[str, str]:
    """Where the bases of a version are, by its tag; empty if its bundle is stored whole."""
    return dict(json.loads(version.tags.get(artifacts.BASES, "{}")))
