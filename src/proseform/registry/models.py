"""Bundles in the registry: registered once for each digest, judged, and got back verified."""

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
from proseform.registry import Registry, library, model_name, names, speaking
from proseform.thresholds import GateVerdict

CANDIDATE, CHAMPION, PREVIOUS = "candidate", "champion", "previous"
VERDICT = "gate.json"


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
    """Register a bundle's folder, and let ``candidate`` point at it.

    A bundle that is registered already is adopted, artifacts, verdict and all; ``candidate`` moves to it, unless it is
    the champion. A version appears only when its artifacts are complete.

    Args:
        registry: Where.
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
        known = _registered(registry, name, bundle)
        found = next((row for row in _versions(registry, name) if row.bundle == bundle.digest), None)
        if found is None:
            model_id = _logged(registry, folder, bundle, card(bundle, name, report or {}), all_tags, source_run)
            made = registry.client.create_model_version(
                name,
                f"models:/{model_id}",
                model_id=model_id,
                tags=all_tags,
                description=f"Bundle {digest.short(bundle.digest)}",
            )
            found = Version(name, str(made.version), bundle.digest, model_id, all_tags)
        if known.get(CHAMPION) != found.version and known.get(CANDIDATE) != found.version:
            registry.client.set_registered_model_alias(name, CANDIDATE, found.version)
    return found


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
        registry: Where from.
        name: The registered model.
        which: ``champion``, ``candidate``, ``previous`` or a version number.
        into: Holds fetched bundles by digest; one that is there and whole is not fetched again.

    Raises:
        RegistryError: No such model, alias or version, or its artifacts are not the bundle that its tag names.
    """
    version = get(registry, name, which)
    target = into / digest.short(version.bundle)
    if _whole(target, version.bundle):
        return target
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=into) as staging:
        with speaking(registry):
            _download(registry, version, "bundle", staging)
        found = Path(staging) / "bundle"
        try:
            state = bundles.read(found).digest
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
            found.rename(target)
        except OSError:  # somebody else fetched the same bundle meanwhile
            if not _whole(target, version.bundle):
                raise
    return target


def attach(registry: Registry, version: Version, files: Mapping[str, str]) -> None:
    """File texts by name beside a version's bundle; filing a name again replaces it."""
    with tempfile.TemporaryDirectory() as staging, speaking(registry):
        for file, text in files.items():
            (Path(staging) / file).write_text(text, encoding="utf-8")
        registry.client.log_model_artifacts(version.model_id, staging)


def attached(registry: Registry, version: Version, file: str) -> str:
    """A text that was filed with a version.

    Raises:
        RegistryError: No such file there.
    """
    with tempfile.TemporaryDirectory() as staging, speaking(registry):
        _download(registry, version, file, staging)
        return (Path(staging) / file).read_text(encoding="utf-8")


def judge(
    registry: Registry, version: Version, verdict: GateVerdict, attachments: Mapping[str, str] | None = None
) -> Version:
    """File a gate's verdict with a version: ``gate.json`` beside the bundle, and tags that name it.

    Args:
        registry: Where.
        version: What was judged.
        verdict: The verdict; filing another one replaces it.
        attachments: Further files by name, as text: the report.

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
    """The verdict that was filed with a version; None where there is none.

    Raises:
        RegistryError: ``gate.json`` is not the one that the version's tag names.
    """
    stated = version.tags.get("proseform.gate_verdict")
    if not stated:
        return None
    raw = json.loads(attached(registry, version, VERDICT))
    if digest.of_json(raw) != stated:
        raise RegistryError(
            f"'{version.name}', version {version.version}: its {VERDICT} was altered.", hint="Run the gate again."
        )
    return GateVerdict.from_dict(raw)


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
    """The digest of what was trained last."""
    return part.adapter_digest or part.base_digest


def _registered(registry: Registry, name: str, bundle: Bundle) -> dict[str, str]:
    """The registered model's aliases; the model is made where it is missing."""
    if name not in _names(registry):
        text = names()["model"]["description"].format(task=bundle.task)
        registry.client.create_registered_model(name, tags={"proseform.task": bundle.task}, description=text)
    return aliases(registry, name)


def _logged(
    registry: Registry, folder: Path, bundle: Bundle, readme: str, tags: Mapping[str, str], source_run: str
) -> str:
    """A LoggedModel that holds the bundle, ready; one that an interrupted call left ready is taken up."""
    experiment = registry.experiment(bundle.task)
    for left in registry.client.search_logged_models(
        [experiment], filter_string=f"tags.`proseform.bundle` = '{bundle.digest}'"
    ):
        if left.status == "READY":
            return str(left.model_id)
    name = f"{bundle.task}-{digest.short(bundle.digest)}"
    made = registry.client.create_logged_model(
        experiment, name, source_run or None, dict(tags), model_type="proseform-bundle"
    )
    registry.client.log_model_artifacts(made.model_id, str(folder), artifact_path="bundle")
    with tempfile.TemporaryDirectory() as staging:
        (Path(staging) / "README.md").write_text(readme, encoding="utf-8")
        registry.client.log_model_artifacts(made.model_id, staging)
    registry.client.finalize_logged_model(made.model_id, "READY")
    return str(made.model_id)


def _names(registry: Registry) -> list[str]:
    """All registered models."""
    return [model.name for model in registry.client.search_registered_models(max_results=1000)]


def _model(registry: Registry, name: str) -> Any:
    """MLflow's registered model."""
    with speaking(registry):
        have = sorted(_names(registry))
        if name not in have:
            raise RegistryError(
                f"No model '{name}'; registered: {', '.join(have) or 'none'}.", hint="The pipeline registers it."
            )
        return registry.client.get_registered_model(name)


def _versions(registry: Registry, name: str) -> list[Version]:
    """All versions that hold a bundle. A search leaves MLflow's own ``model_id`` empty; the source names it too."""
    rows = [row for row in registry.client.search_model_versions(f"name = '{name}'") if "proseform.bundle" in row.tags]
    return [
        Version(
            name, str(row.version), row.tags["proseform.bundle"], row.source.removeprefix("models:/"), dict(row.tags)
        )
        for row in rows
    ]


def _download(registry: Registry, version: Version, path: str, into: str) -> None:
    """Artifacts into a folder. Not by ``models:/<id>/<path>``, which MLflow reads as a model's name and stage."""
    place = registry.client.get_logged_model(version.model_id).artifact_location
    library().artifacts.download_artifacts(artifact_uri=f"{place}/{path}", dst_path=into, tracking_uri=registry.uri)


def _whole(folder: Path, wanted: str) -> bool:
    """Whether a folder is that bundle, file by file."""
    try:
        return bundles.read(folder).digest == wanted
    except (StoreError, OSError):
        return False
