"""A bundle's files in MLflow: LoggedModels, uploaded once for each digest, and assembled again when they are fetched.

A version's LoggedModel holds ``bundle/`` without the bases that adapters stand on. Each base is a LoggedModel of its
own, found by its digest (tag ``proseform.base``) and named in the version's tag ``proseform.bases``: ten versions on
one base keep it once. An upload that was cut short is gone on with, file by file, by whoever registers the bundle
again.
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
    """A LoggedModel that holds a bundle, whole and ready.

    Args:
        registry: Where.
        folder: The bundle's folder.
        bundle: What it holds, verified.
        readme: The model card.
        tags: Tags of a new LoggedModel.
        source_run: The MLflow run that made it.

    Returns:
        Its id, and the tags that say where its bases are.
    """
    experiment = registry.experiment(bundle.task)
    bases = {value: base(registry, experiment, folder / name, value) for name, value in sorted(bundle.bases.items())}
    where = {BASES: json.dumps(bases)} if bases else {}
    model_id = _of(registry, experiment, "proseform.bundle", bundle.digest)
    if not model_id:
        title = f"{bundle.task}-{digest.short(bundle.digest)}"
        made = registry.client.create_logged_model(
            experiment, title, source_run or None, {**tags, **where}, model_type="proseform-bundle"
        )
        model_id = str(made.model_id)
    for name in sorted(set(bundle.folders) - set(bundle.bases)):
        _complete(registry, model_id, folder / name, f"bundle/{name}")
    with tempfile.TemporaryDirectory() as staging:
        card = Path(staging) / "README.md"
        card.write_text(readme, encoding="utf-8")
        registry.client.log_model_artifact(model_id, str(card))
    _complete(registry, model_id, folder, "bundle", [MANIFEST])  # last: a folder without it is no bundle
    _ready(registry, model_id)
    return model_id, where


def base(registry: Registry, experiment: str, folder: Path, value: str) -> str:
    """The LoggedModel that holds a base of a digest, made where it is missing; its id."""
    model_id = _of(registry, experiment, BASE, value)
    if not model_id:
        made = registry.client.create_logged_model(
            experiment, f"base-{digest.short(value)}", None, {BASE: value}, model_type="proseform-base"
        )
        model_id = str(made.model_id)
    _complete(registry, model_id, folder, "base")
    _ready(registry, model_id)
    return model_id


def complete(registry: Registry, model_id: str, folder: Path, bundle: Bundle) -> None:
    """Put the bases beside a version's adapters too, for engines that mount MLflow's own artifacts as they are.

    Args:
        registry: Where.
        model_id: The version's LoggedModel.
        folder: The whole bundle, as :func:`download` gives it.
        bundle: What it holds.
    """
    for name in bundle.bases:
        _complete(registry, model_id, folder / name, f"bundle/{name}")


def download(registry: Registry, model_id: str, bases: Mapping[str, str], staging: Path, cached: Path) -> Path:
    """A version's bundle as a whole folder; not verified yet.

    Args:
        registry: Where from.
        model_id: The version's LoggedModel.
        bases: Digest of a base to the LoggedModel that holds it, as the version's tag states.
        staging: An empty folder, on the file system of ``cached``.
        cached: Holds bases by digest; their files are linked from there.

    Raises:
        RegistryError: A base is not to be found.
        StoreError: The manifest is missing or malformed.
    """
    get(registry, model_id, "bundle", staging)
    found = staging / "bundle"
    bundle = bundles.read(found, check_files=False)
    for name, value in bundle.bases.items():
        if not (found / name).is_dir():
            source = _base(registry, bundle.task, value, bases.get(value, ""), cached)
            shutil.copytree(source, found / name, copy_function=link)
    return found


def get(registry: Registry, model_id: str, path: str, into: Path) -> None:
    """Artifacts into a folder. Not by ``models:/<id>/<path>``, which MLflow reads as a model's name and stage."""
    place = registry.client.get_logged_model(model_id).artifact_location
    library().artifacts.download_artifacts(
        artifact_uri=f"{place}/{path}", dst_path=str(into), tracking_uri=registry.uri
    )


def _base(registry: Registry, task: str, value: str, stated: str, cached: Path) -> Path:
    """The folder of a base, verified; fetched where it is not there."""
    target = cached / digest.short(value)
    if target.is_dir() and digest.of_files(target) == value:
        return target
    experiment = registry.experiment(task)
    with tempfile.TemporaryDirectory(prefix=".base-", dir=_made(cached)) as staging:
        errors: list[str] = []
        for model_id in dict.fromkeys(filter(None, (stated, _of(registry, experiment, BASE, value, ready=True)))):
            place = Path(staging) / model_id
            try:
                get(registry, model_id, "base", _made(place))
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
    raise RegistryError(
        f"The base {digest.short(value)} of this bundle is not in the registry: {'; '.join(errors) or 'no LoggedModel has it'}.",
        hint="Register a bundle on that base again: it uploads what is missing.",
    )


def _of(registry: Registry, experiment: str, tag: str, value: str, *, ready: bool = False) -> str:
    """The id of a LoggedModel with a tag: the first that is ready, else one whose upload was cut short.

    May be empty.
    """
    found = [*pages(registry.client.search_logged_models, [experiment], filter_string=f"tags.`{tag}` = '{value}'")]
    found.sort(key=lambda model: (str(model.status) != "READY", model.creation_timestamp, model.model_id))
    return next((str(model.model_id) for model in found if not ready or str(model.status) == "READY"), "")


def _complete(registry: Registry, model_id: str, folder: Path, path: str, files: list[str] | None = None) -> None:
    """Upload the files of a folder that are missing under a path, or are there with another size."""
    names = sorted(digest.files(folder) if files is None else files)
    there = _listed(registry, model_id, path)
    missing = [name for name in names if there.get(name) != (folder / name).stat().st_size]
    for name in missing:
        above = Path(name).parent.as_posix()
        registry.client.log_model_artifact(
            model_id, str(folder / name), artifact_path=path if above == "." else f"{path}/{above}"
        )


def _listed(registry: Registry, model_id: str, path: str) -> dict[str, int]:
    """Files below a path of a LoggedModel, relative to it, with their sizes in bytes."""
    sizes: dict[str, int] = {}
    left = [path]
    while left:
        at = left.pop()
        for entry in _entries(registry, model_id, at):
            if entry.is_dir:
                left.append(entry.path)
            else:
                sizes[entry.path.removeprefix(f"{path}/")] = int(entry.file_size or 0)
    return sizes


def _entries(registry: Registry, model_id: str, path: str) -> list[Any]:
    """What stands in a folder of artifacts; nothing where there is none."""
    try:
        return list(registry.client.list_logged_model_artifacts(model_id, path))
    except FileNotFoundError:
        return []
    except library().exceptions.MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}:
            return []
        raise


def _ready(registry: Registry, model_id: str) -> None:
    """Let a LoggedModel be ready, where it is not."""
    if str(registry.client.get_logged_model(model_id).status) != "READY":
        registry.client.finalize_logged_model(model_id, "READY")


def is_whole(folder: Path, value: str) -> bool:
    """Whether a folder is a bundle of a digest, file by file."""
    try:
        return bundles.read(folder).digest == value
    except (StoreError, OSError):
        return False


def _made(folder: Path) -> Path:
    """The folder, made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder
