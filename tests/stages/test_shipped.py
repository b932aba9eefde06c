"""A bundle as a repository keeps it: without its base, which is made again, and is the same or refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from proseform import bundle as bundles
from proseform import config, digest, task
from proseform.errors import InputError, RegistryError, StoreError
from proseform.infer.answer import close
from proseform.infer.spec import EngineSpec
from proseform.registry import attachments, connect, models
from proseform.stages import cache, policy, shipped
from proseform.stages.engine import opened
from proseform.testing.untrained import random_bundle
from proseform.thresholds import Check, GateVerdict

SHIPPED = Path(__file__).parents[2] / "bundles"
RUN = 'extends = "default"\nname = "mine"\n[model]\nname = "{folder}"\ndtype = "float32"\n'


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A registered bundle of two adapters on a base that the project's own stage makes, and its run."""
    at = tmp_path_factory.mktemp("shipped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROSEFORM_HOME", str(at / "home"))
        folder = random_bundle(at / "bundle", task.load("cv"), adapters=True)
        (folder / "base").rename(at / "model")
        run = RUN.format(folder=at / "model")
        base = policy.base(config.load(run), "cv")
        shutil.copytree(policy.fetched(base), folder / "base", ignore=shutil.ignore_patterns("result.json"))
        bundle = bundles.read(folder, check_files=False)
        parts = {role: replace(part, base_digest=base.ref.digest) for role, part in bundle.parts.items()}
        replace(bundle, **parts).write(folder)
        registry = connect(cache.home().root, "")
        version = models.register(registry, folder)
        attachments.attach(registry, version, {"report.json": json.dumps({"figures": {}, "training": {"sft": []}})})
        yield folder, run


def judged(*, is_open: bool) -> None:
    """File a verdict with the version."""
    registry = connect(cache.home().root, "")
    version = models.get(registry, "proseform-cv", "1")
    check = Check("schema_valid", "at least", 1.0, "value", 1, 1.0 if is_open else 0.5, 0.5, 1.0, 9)
    attachments.judge(registry, version, GateVerdict((check,), (), "r", version.bundle, "t"))


def test_what_is_shipped_without_its_base_is_whole_again(registered: tuple[Path, str], tmp_path: Path) -> None:
    folder, run = registered
    into = tmp_path / "bundles" / "cv"
    into.mkdir(parents=True)
    (into / "of an earlier one").touch()
    (into / "bundle.json").touch()
    judged(is_open=True)
    bundle = shipped.ship("cv", run, "1", "", "", into)
    assert bundle == bundles.read(folder)
    assert {path.name for path in into.iterdir()} == {
        "bundle.json", "evaluator", "formatter", "run.json", "report.json", "README.md"
    }  # fmt: skip
    assert [path.name for path in into.parent.iterdir()] == ["cv"]
    assert json.loads((into / "report.json").read_text()) == {"figures": {}}
    assert bundle.digest in (into / "README.md").read_text()
    whole = shipped.whole(into)
    assert bundles.read(whole) == bundle
    assert shipped.whole(into) == whole
    assert shipped.whole(folder) == folder, "what is whole stays where it is"
    engine = opened(task.load("cv"), EngineSpec.parse([]), into, "", "", "")
    assert engine.bundle == bundle, "it is served as any other"
    close(engine)


def test_what_is_whole_stays_so_where_the_folder_is_written_over_in_place(
    registered: tuple[Path, str], tmp_path: Path
) -> None:
    """As `cp -r` of a newer bundle does: a linked file would change under the digest that it is kept by."""
    _, run = registered
    judged(is_open=True)
    bundle = shipped.ship("cv", run, "1", "", "", tmp_path / "cv")
    shutil.rmtree(cache.home().root / "shipped", ignore_errors=True)
    whole = shipped.whole(tmp_path / "cv")
    for file in (tmp_path / "cv").rglob("*.json"):
        file.write_text("{}")
    assert bundles.read(whole) == bundle


def test_a_base_that_comes_out_otherwise_is_refused(
    registered: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, run = registered
    judged(is_open=True)
    into = tmp_path / "cv"
    shipped.ship("cv", run, "1", "", "", into)
    model = folder.parent / "model"
    shutil.copytree(model, tmp_path / "other")
    settings = json.loads((model / "config.json").read_text())
    (tmp_path / "other" / "config.json").write_text(json.dumps({**settings, "rms_norm_eps": 0.001}))
    (into / "run.json").write_text((into / "run.json").read_text().replace(str(model), str(tmp_path / "other")))
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path / "home"))
    with pytest.raises(StoreError, match="is not that of the adapters"):
        shipped.whole(into)


def test_what_its_gate_has_not_let_through_is_not_shipped(registered: tuple[Path, str], tmp_path: Path) -> None:
    judged(is_open=False)
    with pytest.raises(RegistryError, match="its gate has not opened"):
        shipped.ship("cv", registered[1], "1", "", "", tmp_path / "cv")
    assert not (tmp_path / "cv").exists()


@pytest.mark.parametrize("what", ["a folder", "a file"])
def test_what_is_no_bundle_is_not_replaced(what: str, tmp_path: Path) -> None:
    into = tmp_path / "somebody's"
    mine = into / "thesis.txt" if what == "a folder" else into
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(InputError, match="is no bundle"):
        shipped.ship("cv", "small", "1", "", "", into)
    assert mine.read_text() == "mine"


def test_a_folder_that_is_empty_is_filled(registered: tuple[Path, str], tmp_path: Path) -> None:
    judged(is_open=True)
    shipped.ship("cv", registered[1], "1", "", "", tmp_path)
    assert (tmp_path / "bundle.json").is_file()


def test_an_interruption_leaves_the_bundle_that_was_there(
    registered: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(is_open=True)
    into = tmp_path / "cv"
    into.mkdir()
    (into / "bundle.json").write_text("of an earlier one")
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if Path(target) == into and (self / "README.md").exists():
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shipped.ship("cv", registered[1], "1", "", "", into)
    assert (into / "bundle.json").read_text() == "of an earlier one"
    assert [path.name for path in tmp_path.iterdir()] == ["cv"]


@pytest.mark.parametrize("folder", sorted(SHIPPED.glob("*/")), ids=lambda folder: folder.name)
def test_the_bundle_that_ships_is_that_of_its_manifest_and_its_report(folder: Path) -> None:
    bundle = bundles.read(shipped.whole(folder))
    the_task = task.load(bundle.task)
    report = json.loads((folder / "report.json").read_text())
    assert report["meta"]["digests"]["bundle"] == bundle.digest
    run = config.load((folder / "run.json").read_text())
    assert report["meta"]["run"] == run.name
    if bundle.task_contract != the_task.contract:
        pytest.skip("the task's contract has changed since this bundle was made; it is replaced at releases")
    assert bundle.evaluator.prompt == the_task.evaluator
    assert digest.of_json(bundle.schema) == digest.of_json(the_task.format(run.dataset.format).document)
