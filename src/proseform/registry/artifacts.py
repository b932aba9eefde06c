"""A bundle's files in MLflow: uploaded once per digest as LoggedModels, and assembled again on download.

A version's LoggedModel holds ``bundle/`` without the bases of its adapters. Each base is a LoggedModel of its own,
found by its digest (tag ``proseform.base``) and named in the version's tag ``proseform.bases``: ten versions on one
base keep it once. Registering a bundle again resumes an interrupted upload, file by file.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proseform import bundle as bundles
from proseform import digest
from proseform.bundle import MANIFEST, Bundle
from proseform.errors import RegistryError, StoreError
from proseform.registry import Registry, library, pages
from proseform.store import link

BASE, BASES = "proseform.base", "proseform.bases"


def upload(
    registry: Registry, folder: Path, bundle: Bundle, readme: str, tags: Mapping[str, str], source_run: str = ""
) -> tuple[str, dict[str, str]]:
    """Upload a bundle as a LoggedModel, complete and ``READY``.

    Args:
        registry: An open registry.
        folder: The bundle's folder.
        bundle: The bundle in it, verified.
        readme: The model card.
        tags: Tags of a new LoggedModel.
        source_run: The MLflow run that made the bundle.

    Returns:
        The LoggedModel's id, and the tags that say where the bundle's bases are.
    """
    experiment = registry.experiment(bundle.task)
    bases = {value: base(registry, experiment, folder / name, value) for name, value in sorted(bundle.bases.items())}
    base_tags = {BASES: json.dumps(bases)} if bases else {}
    model_id = find(registry, bundle)
    if not model_id:
        title = f"{bundle.task}-{digest.short(bundle.digest)}"
        logged = registry.client.create_logged_model(
            experiment, title, source_run or None, {**tags, **base_tags}, model_type="proseform-bundle"
        )
        model_id = str(logged.model_id)
    for name in sorted(set(bundle.folders) - set(bundle.bases)):
        _complete(registry, model_id, folder / name, f"bundle/{name}")
    with tempfile.TemporaryDirectory() as staging:
        card = Path(staging) / "README.md"
        card.write_text(readme, encoding="utf-8")
        registry.client.log_model_artifact(model_id, str(card))
    _complete(registry, model_id, folder, "bundle", [MANIFEST])  # last: a folder without it is no bundle
    _ready(registry, model_id)
    return model_id, base_tags


def find(registry: Registry, bundle: Bundle) -> str:
    """The id of the LoggedModel that holds a bundle, complete or not; empty if there is none."""
    return _tagged(registry, registry.experiment(bundle.task), "proseform.bundle", bundle.digest)


def beside(registry: Registry, model_id: str) -> set[str]:
    """Names of the files and folders at the top of a LoggedModel."""
    return {str(entry.path) for entry in _entries(registry, model_id, "")}


def base(registry: Registry, experiment: str, folder: Path, value: str) -> str:
    """The id of the LoggedModel that holds the base of this digest; uploaded if missing."""
    model_id = _tagged(registry, experiment, BASE, value)
    if not model_id:
        logged = registry.client.create_logged_model(
            experiment, f"base-{digest.short(value)}", None, {BASE: value}, model_type="proseform-base"
        )
        model_id = str(logged.model_id)
    _complete(registry, model_id, folder, "base")
    _ready(registry, model_id)
    return model_id


def complete(registry: Registry, model_id: str, folder: Path, bundle: Bundle) -> None:
    """Upload the bases beside a version's adapters too, for engines that mount MLflow's artifacts.

    Args:
        registry: An open registry.
        model_id: The version's LoggedModel.
        folder: The whole bundle, as :func:`download` gives it.
        bundle: The bundle in it.
    """
    for name in bundle.bases:
        _complete(registry, model_id, folder / name, f"bundle/{name}")


def download(registry: Registry, model_id: str, bases: Mapping[str, str], staging: Path, cached: Path) -> Path:
    """A version's bundle as a whole folder; not verified yet.

    Args:
        registry: An open registry.
        model_id: The version's LoggedModel.
        bases: Digest of a base to the LoggedModel that holds it, as the version's tag states.
        staging: An empty folder, on the file system of ``cached``.
        cached: Holds bases by digest; their files are linked from there.

    Raises:
        RegistryError: A base is in no LoggedModel.
        StoreError: The manifest is missing or malformed.
    """
    get(registry, model_id, "bundle", staging)
    folder = staging / "bundle"
    bundle = bundles.read(folder, check_files=False)
    for name, value in bundle.bases.items():
        if not (folder / name).is_dir():
            source = _base(registry, bundle.task, value, bases.get(value, ""), cached)
            shutil.copytree(source, folder / name, copy_function=link)
    return folder


def get(registry: Registry, model_id: str, path: str, into: Path) -> None:
    """Download artifacts into a folder; by location, since MLflow reads ``models:/<id>/<path>`` as name and stage."""
    place = registry.client.get_logged_model(model_id).artifact_location
    library().artifacts.download_artifacts(
        artifact_uri=f"{place}/{path}", dst_path=str(into), tracking_uri=registry.uri
    )


def _base(registry: Registry, task: str, value: str, stated: str, cached: Path) -> Path:
    """The folder of a base, verified; downloaded unless it is cached."""
    target = cached / digest.short(value)
    if target.is_dir() and digest.of_files(target) == value:
        return target
    experiment = registry.experiment(task)
    with tempfile.TemporaryDirectory(prefix=".base-", dir=_ensured(cached)) as staging:
        errors: list[str] = []
        for model_id in dict.fromkeys(filter(None, (stated, _tagged(registry, experiment, BASE, value, ready=True)))):
            place = Path(staging) / model_id
            try:
                get(registry, model_id, "base", _ensured(place))
            except (library().exceptions.MlflowException, OSError) as error:
                errors.append(str(getattr(error, "message", error)))
                continue
            if digest.of_files(place / "base") == value:
                shutil.rmtree(target, ignore_errors=True)
                try:
                    (place / "base").rename(target)
                except OSError:  # somebody else fetched the same base meanwhile
                    if digest.of_files(target) != value:
                        raise
                return target
            errors.append(f"LoggedModel {model_id} holds other files")
    reasons = "; ".join(errors) or "no LoggedModel has it"
    raise RegistryError(
        f"The base {digest.short(value)} of this bundle is not in the registry: {reasons}.",
        hint="Register a bundle on that base again: it uploads what is missing.",
    )


def _tagged(registry: Registry, experiment: str, tag: str, value: str, *, ready: bool = False) -> str:
    """The id of the first LoggedModel with a tag that is ``READY``, else of one that is not; empty if there is none."""
    models = [*pages(registry.client.search_logged_models, [experiment], filter_string=f"tags.`{tag}` = '{value}'")]
    models.sort(key=lambda model: (str(model.status) != "READY", model.creation_timestamp, model.model_id))
    return next((str(model.model_id) for model in models if not ready or str(model.status) == "READY"), "")


def _complete(registry: Registry, model_id: str, folder: Path, path: str, files: list[str] | None = None) -> None:
    """Upload those files of a folder that are missing below a path, or have another size there."""
    names = sorted(digest.files(folder) if files is None else files)
    uploaded = _listed(registry, model_id, path)
    missing = [name for name in names if uploaded.get(name) != (folder / name).stat().st_size]
    for name in missing:
        above = Path(name).parent.as_posix()
        registry.client.log_model_artifact(
            model_id, str(folder / name), artifact_path=path if above == "." else f"{path}/{above}"
        )


def _listed(registry: Registry, model_id: str, path: str) -> dict[str, int]:
    """Files below a path of a LoggedModel, relative to it, with their sizes in bytes."""
    sizes: dict[str, int] = {}
    folders = [path]
    while folders:
        folder = folders.pop()
        for entry in _entries(registry, model_id, folder):
            if entry.is_dir:
                folders.append(entry.path)
            else:
                sizes[entry.path.removeprefix(f"{path}/")] = int(entry.file_size or 0)
    return sizes


def _entries(registry: Registry, model_id: str, path: str) -> list[Any]:
    """The entries of a folder of artifacts; none if the folder does not exist."""
    try:
        return list(registry.client.list_logged_model_artifacts(model_id, path))
    except FileNotFoundError:
        return []
    except library().exceptions.MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}:
            return []
        raise


def _ready(registry: Registry, model_id: str) -> None:
    """Mark a LoggedModel as ``READY``, unless it is."""
    if str(registry.client.get_logged_model(model_id).status) != "READY":
        registry.client.finalize_logged_model(model_id, "READY")


def is_whole(folder: Path, value: str) -> bool:
    """Whether a folder is a bundle of a digest, file by file."""
    try:
        return bundles.read(folder).digest == value
    except (StoreError, OSError):
        return False


def _ensured(folder: Path) -> Path:
    """The folder, created if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder
