"""shipped: a bundle as a repository keeps it, without the base of its adapters, which is made again where it is used.

The folder holds the bundle's manifest and models, the run that they are of (``run.json``: it says where a base comes
from), the report that measured them, and a card for people (``README.md``).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from proseform import bundle as bundles
from proseform import config, digest
from proseform.bundle import MANIFEST, Bundle
from proseform.errors import InputError, RegistryError, StoreError
from proseform.registry import attachments, connect, models
from proseform.stages import cache, policy
from proseform.stages.register import registered_name
from proseform.store import RESULT, link, write_json

RUN, REPORT, CARD = "run.json", "report.json", "README.md"


def ship(task: str, run: str, alias: str, name: str, tracking_uri: str, into: Path) -> Bundle:
    """Write a registered bundle as a repository keeps it, in the place of one that is there.

    Args:
        task: The task's name.
        run: The run that made it: a name, path or TOML text.
        alias: An alias or a version; its gate must be open.
        name: The registered model; empty takes the run's, and then proseform-<task>.
        tracking_uri: MLflow's; empty takes SQLite in the home folder.
        into: The folder to write, such as ``bundles/<task>``; absent, empty, or one that holds a bundle.

    Raises:
        InputError: The folder holds something else.
        RegistryError: No such model, alias or version, no report is filed with it, or its gate is not open.
    """
    into = into.resolve()
    if into.exists() and not (into / MANIFEST).is_file() and not (into.is_dir() and not any(into.iterdir())):
        raise InputError(
            f"{into}: it is there, and is no bundle ({MANIFEST} is missing).",
            hint="Name a folder that is absent, empty, or holds the bundle to replace.",
        )
    knobs = config.load(run)
    registry, model = connect(cache.home().root, tracking_uri), registered_name(task, knobs, name)
    version = models.get(registry, model, alias)
    verdict = attachments.verdict(registry, version)
    if verdict is None or not verdict.open:
        raise RegistryError(
            f"'{model}', version {version.version}: its gate has not opened.", hint="Ship a version whose gate is open."
        )
    report = json.loads(attachments.read(registry, version, "report.json"))
    report.pop("training", None)  # the curves of every step, most of its size
    folder = models.fetch(registry, model, version.version, cache.home().root / "bundles")
    bundle = bundles.read(folder)
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".ship-", dir=into.parent) as staging:
        made = Path(staging) / into.name
        shutil.copytree(folder, made, ignore=_but(folder, *bundle.bases))
        write_json(made / RUN, knobs.model_dump(mode="json", by_alias=True))
        (made / CARD).write_text(models.card(bundle, f"{task} by the run {knobs.name}", report), encoding="utf-8")
        write_json(made / REPORT, report)
        _swap(made, into)
    return bundle


def whole(folder: Path) -> Path:
    """The folder of a whole bundle: this one, or one in the home folder that has its base too.

    Args:
        folder: A bundle's folder, with bases or without.

    Raises:
        StoreError: It holds no bundle, or its base comes out otherwise here.
        ConfigError: What the base is made of is not installed.
    """
    bundle = bundles.read(folder, check_files=False)
    lacking = {name: value for name, value in bundle.bases.items() if not (folder / name).is_dir()}
    if not lacking or not (folder / RUN).is_file():
        return folder
    target = cache.home().root / "shipped" / digest.short(bundle.digest)
    if (target / MANIFEST).is_file():
        return target
    base = policy.base(config.load((folder / RUN).read_text(encoding="utf-8")), bundle.task)
    for name, value in lacking.items():
        if base.ref.digest != value:
            raise StoreError(
                f"{folder / name}: the base that is made here ({digest.short(base.ref.digest)}) is not that of the "
                f"adapters ({digest.short(value)}).",
                hint="Install what requirements/ locks (make setup).",
            )
    source = policy.fetched(base)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".whole-", dir=target.parent) as staging:
        made = Path(staging) / target.name
        # Copies: what a store keeps is never written to again, this folder may be, and in place.
        shutil.copytree(folder, made, ignore=_but(folder, RUN, REPORT, CARD))
        for name in lacking:
            shutil.copytree(source, made / name, copy_function=link, ignore=_but(source, RESULT))
        try:
            made.rename(target)
        except OSError:  # another process made the same meanwhile
            if not (target / MANIFEST).is_file():
                raise
    return target


def _swap(made: Path, into: Path) -> None:
    """Put a folder into the place of another; that one is deleted last, and comes back if this is cut off before."""
    if not (into / MANIFEST).is_file():
        made.rename(into)  # nothing is there, or an empty folder
        return
    earlier = Path(tempfile.mkdtemp(prefix=f".{into.name}-", dir=into.parent))
    try:
        into.rename(earlier)
        made.rename(into)
    finally:
        if into.exists():
            shutil.rmtree(earlier)
        else:
            earlier.rename(into)


def _but(folder: Path, *names: str) -> Callable[[str, list[str]], set[str]]:
    """For :func:`shutil.copytree`: these entries of the folder itself stay behind."""
    return lambda within, _entries: {*names} if Path(within) == folder else set()
