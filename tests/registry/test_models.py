"""Bundles in the registry: registered once, found by name, fetched verified."""

import shutil

import pytest

from proseform import bundle, digest
from proseform.errors import RegistryError, StoreError
from proseform.registry import models
from proseform.registry.models import CANDIDATE, CHAMPION
from proseform.testing import toy_task


def test_a_registered_bundle_carries_its_digests_and_becomes_the_candidate(mlflow, name, bundles):
    folder = bundles(1)
    version = models.register(mlflow, folder, name=name, tags={"proseform.run": "small"})
    stated = bundle.read(folder)
    tags = mlflow.client.get_model_version(name, version.version).tags
    assert tags["proseform.bundle"] == stated.digest == version.bundle
    assert tags["proseform.task_contract"] == toy_task().contract
    assert tags["proseform.evaluator"] == stated.evaluator.base_digest != tags["proseform.formatter"]
    assert tags["proseform.run"] == "small"
    assert models.aliases(mlflow, name) == {CANDIDATE: version.version}
    assert models.get(mlflow, name, CANDIDATE) == version == models.get(mlflow, name, version.version)


def test_it_is_fetched_whole_when_the_folder_it_came_from_is_gone(mlflow, name, bundles, tmp_path):
    """Serving works with the stages' folders deleted."""
    folder = bundles(1)
    stated = bundle.read(folder)
    models.register(mlflow, folder, name=name)
    shutil.rmtree(folder)
    fetched = models.fetch(mlflow, name, CANDIDATE, tmp_path / "cache")
    assert fetched == tmp_path / "cache" / digest.short(stated.digest)
    assert bundle.read(fetched) == stated
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [fetched.name]


def test_what_was_fetched_is_kept_and_what_was_damaged_is_fetched_again(mlflow, name, bundles, tmp_path):
    version = models.register(mlflow, bundles(1), name=name)
    fetched = models.fetch(mlflow, name, CANDIDATE, tmp_path / "cache")
    before = (fetched / "bundle.json").stat().st_ino
    models.fetch(mlflow, name, CANDIDATE, tmp_path / "cache")
    assert (fetched / "bundle.json").stat().st_ino == before
    (fetched / "evaluator" / "weights.bin").write_text("damaged")
    assert bundle.read(models.fetch(mlflow, name, version.version, tmp_path / "cache")).digest == version.bundle


def test_the_same_bundle_is_adopted_and_another_is_the_next_version(mlflow, name, bundles):
    folders = [bundles(1), bundles(2)]
    versions = [models.register(mlflow, folder, name=name).version for folder in (*folders, folders[0])]
    assert versions == ["1", "2", "1"]
    assert models.aliases(mlflow, name) == {CANDIDATE: "1"}
    assert len(mlflow.client.search_model_versions(f"name = '{name}'")) == 2


def test_a_champion_that_is_registered_again_does_not_become_a_candidate(mlflow, name, bundles):
    folder = bundles(1)
    version = models.register(mlflow, folder, name=name)
    mlflow.client.set_registered_model_alias(name, CHAMPION, version.version)
    mlflow.client.delete_registered_model_alias(name, CANDIDATE)
    models.register(mlflow, folder, name=name)
    assert models.aliases(mlflow, name) == {CHAMPION: version.version}


@pytest.mark.parametrize("writes", range(13))
def test_a_registration_that_was_cut_short_is_made_good(mlflow, artifacts, name, bundles, dying, writes):
    """Before whichever write it dies: no version lacks artifacts, and in the end there is one version."""
    folder = bundles(1)
    half, died = dying(writes)
    try:
        models.register(half, folder, name=name)
    except died:
        known = [model.name for model in mlflow.client.search_registered_models(f"name = '{name}'")]
        if known:
            for version in mlflow.client.search_model_versions(f"name = '{name}'"):
                assert bundle.read(artifacts(models.get(mlflow, name, version.version)) / "bundle")
    version = models.register(mlflow, folder, name=name)
    assert version.version == "1"
    assert models.aliases(mlflow, name) == {CANDIDATE: "1"}
    assert bundle.read(artifacts(version) / "bundle").digest == version.bundle
    assert "bundle" in (artifacts(version) / "README.md").read_text()


def test_the_card_says_what_it_is_and_what_was_measured(bundles):
    stated = bundle.read(bundles(1))
    figures = {"formatter_exact": {"value": 0.98, "low": 0.95, "high": 0.99, "n": 200}, "lift": None}
    card = models.card(stated, "proseform-toy", {"meta": {"level": "easy"}, "figures": figures})
    assert stated.digest in card
    assert "verdict, grams, note" in card
    assert "| formatter_exact | 0.980 | 0.950 to 0.990 | 200 |" in card
    assert "lift" not in card
    assert "level “easy”" in card
    assert "Nothing yet" in models.card(stated, "proseform-toy", {})


def test_what_is_no_bundle_is_not_registered(mlflow, name, tmp_path):
    with pytest.raises(StoreError, match="no bundle here"):
        models.register(mlflow, tmp_path, name=name)
    with pytest.raises(RegistryError, match=f"No model '{name}'; registered: "):
        models.get(mlflow, name, CANDIDATE)


@pytest.mark.parametrize("which", ["champion", "previous", "7", "", "models:/x"])
def test_an_alias_that_does_not_exist_names_those_that_do(mlflow, name, bundles, tmp_path, which):
    models.register(mlflow, bundles(1), name=name)
    with pytest.raises(RegistryError) as caught:
        models.fetch(mlflow, name, which, tmp_path / "cache")
    assert f"has no alias or version '{which}'; aliases: candidate (version 1); versions: 1." in str(caught.value)


@pytest.mark.parametrize("file", ["evaluator/weights.bin", "bundle.json"])
def test_artifacts_that_were_altered_are_not_served(mlflow, artifacts, name, bundles, tmp_path, file):
    version = models.register(mlflow, bundles(1), name=name)
    (artifacts(version) / "bundle" / file).write_text("altered")
    with pytest.raises(RegistryError, match="no whole bundle"):
        models.fetch(mlflow, name, CANDIDATE, tmp_path / "cache")
    assert not any((tmp_path / "cache").iterdir())


def test_artifacts_of_another_bundle_are_not_served(mlflow, artifacts, name, bundles, tmp_path):
    """The bundle is whole, but not the one that the version's tag names."""
    one, two = (models.register(mlflow, bundles(number), name=name) for number in (1, 2))
    shutil.rmtree(artifacts(one) / "bundle")
    shutil.copytree(artifacts(two) / "bundle", artifacts(one) / "bundle")
    with pytest.raises(RegistryError, match="not its tag's"):
        models.fetch(mlflow, name, one.version, tmp_path / "cache")
