"""A bundle's files in MLflow: a base is stored once, uploads resume, and only what exists is adopted."""

import json
import shutil
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from proseform import bundle, digest, registry
from proseform.bundle import Generation, Part
from proseform.errors import RegistryError
from proseform.registry import artifacts, attachments, models
from proseform.registry.models import CANDIDATE
from proseform.testing import toy_bundle, toy_task

FIXTURES = Path(__file__).parent.parent / "fixtures" / "bundles"
BASE_BYTES = 200_000


@pytest.fixture
def adapters(tmp_path, name):
    """Makes bundles of two adapters on one base; each number gives other adapters."""

    def make(number):
        folder = tmp_path / f"adapters-{number}"
        for part, text in (("base", name), ("evaluator", number), ("formatter", number)):
            (folder / part / "deep").mkdir(parents=True)
            (folder / part / "deep" / "more.bin").write_text(f"{part} {text}")
        (folder / "base" / "weights.bin").write_bytes(b"x" * BASE_BYTES)
        task, base = toy_task(), digest.of_files(folder / "base")
        parts = {
            role: Part("base", base, getattr(task, role), Generation(9, 64), role, digest.of_files(folder / role))
            for role in ("evaluator", "formatter")
        }
        toy_bundle(task, **parts).write(folder)
        return folder

    return make


def place(mlflow, model_id):
    """Where a LoggedModel's artifacts lie on this machine."""
    return Path(unquote(urlparse(mlflow.client.get_logged_model(model_id).artifact_location).path))


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def base_of(version):
    """The LoggedModel of a version's base."""
    (model_id,) = json.loads(version.tags[artifacts.BASES]).values()
    return model_id


def test_a_second_version_on_a_base_uploads_its_adapters_alone(mlflow, name, adapters, tmp_path):
    root = Path(unquote(urlparse(mlflow.artifacts).path))
    one = models.register(mlflow, adapters(1), name=name)
    before = size(root)
    two = models.register(mlflow, adapters(2), name=name)
    assert two.version == "2"
    assert base_of(one) == base_of(two)
    assert size(root) - before < BASE_BYTES / 10
    for version, folder in ((one, adapters_at(tmp_path, 1)), (two, adapters_at(tmp_path, 2))):
        fetched = models.fetch(mlflow, name, version.version, tmp_path / "cache")
        assert bundle.read(fetched) == bundle.read(folder)
        assert digest.listing(fetched) == digest.listing(folder)


def adapters_at(tmp_path, number):
    return tmp_path / f"adapters-{number}"


def test_fetched_bundles_on_one_base_share_its_bytes(mlflow, name, adapters, tmp_path):
    for number in (1, 2):
        models.register(mlflow, adapters(number), name=name)
    one, two = (models.fetch(mlflow, name, which, tmp_path / "cache") for which in ("1", "2"))
    assert (one / "base" / "weights.bin").samefile(two / "base" / "weights.bin")
    (one / "base" / "weights.bin").unlink()
    (one / "base" / "weights.bin").write_text("damaged")
    assert bundle.read(models.fetch(mlflow, name, "1", tmp_path / "cache"))
    assert bundle.read(two)


def test_a_base_whose_logged_model_was_deleted_is_told_and_comes_back_with_the_next_registration(
    mlflow, name, adapters, tmp_path
):
    version = models.register(mlflow, adapters(1), name=name)
    mlflow.client.delete_logged_model(base_of(version))
    with pytest.raises(RegistryError, match=r"The base [0-9a-f]{12} of this bundle is not in the registry"):
        models.fetch(mlflow, name, CANDIDATE, tmp_path / "cache")
    models.register(mlflow, adapters_at(tmp_path, 1), name=name)
    assert bundle.read(models.fetch(mlflow, name, CANDIDATE, tmp_path / "cache")).digest == version.bundle


def test_a_base_that_was_altered_is_not_served(mlflow, name, adapters, tmp_path):
    version = models.register(mlflow, adapters(1), name=name)
    (place(mlflow, base_of(version)) / "base" / "weights.bin").write_bytes(b"y" * BASE_BYTES)
    with pytest.raises(RegistryError, match="holds other files"):
        models.fetch(mlflow, name, CANDIDATE, tmp_path / "cache")


@pytest.mark.parametrize("gone", ["evaluator/deep/more.bin", "bundle.json", "formatter"])
def test_a_version_whose_files_are_gone_gets_them_back_by_registering_again(mlflow, name, adapters, tmp_path, gone):
    version = models.register(mlflow, adapters(1), name=name)
    path = place(mlflow, version.model_id) / "bundle" / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    again = models.register(mlflow, adapters_at(tmp_path, 1), name=name)
    assert (again.version, again.model_id) == (version.version, version.model_id)
    assert bundle.read(models.fetch(mlflow, name, CANDIDATE, tmp_path / "cache")).digest == version.bundle


def test_a_version_whose_logged_model_was_deleted_is_not_adopted(mlflow, name, adapters, tmp_path):
    version = models.register(mlflow, adapters(1), name=name)
    mlflow.client.delete_logged_model(version.model_id)
    again = models.register(mlflow, adapters_at(tmp_path, 1), name=name)
    assert (again.version, again.bundle) == ("2", version.bundle)
    assert bundle.read(models.fetch(mlflow, name, CANDIDATE, tmp_path / "cache")).digest == version.bundle


def test_an_upload_that_was_cut_short_is_gone_on_with(mlflow, name, adapters, dying, tmp_path):
    """In the end there are one LoggedModel for the base and one for the bundle, both ready."""
    folder = adapters(1)
    half, died = dying(4)
    with pytest.raises(died):
        models.register(half, folder, name=name)
    version = models.register(mlflow, folder, name=name)
    experiment = mlflow.experiment("toy")
    for tag, value in (
        ("proseform.bundle", version.bundle),
        (artifacts.BASE, digest.of_files(folder / "base")),
    ):
        (model,) = mlflow.client.search_logged_models([experiment], filter_string=f"tags.`{tag}` = '{value}'")
        assert str(model.status) == "READY"
    assert bundle.read(models.fetch(mlflow, name, CANDIDATE, tmp_path / "cache")).digest == version.bundle


def test_engines_that_mount_artifacts_as_they_are_get_the_base_too(mlflow, name, adapters):
    folder = adapters(1)
    version = models.register(mlflow, folder, name=name)
    mounted = place(mlflow, version.model_id) / "bundle"
    assert not (mounted / "base").exists()
    artifacts.complete(mlflow, version.model_id, folder, bundle.read(folder))
    assert bundle.read(mounted).digest == version.bundle


@pytest.mark.parametrize("shape", ["whole", "adapters"])
def test_a_version_of_format_0_is_fetched(mlflow, name, tmp_path, shape):
    """As registered before format 1: the whole folder as one LoggedModel, with other tags."""
    folder, experiment = FIXTURES / f"0-{shape}", mlflow.experiment("toy")
    stated = bundle.read(folder)
    tags = {"proseform.task": "toy", "proseform.task_digest": stated.task_contract, "proseform.bundle": stated.digest}
    with registry.speaking(mlflow):
        model = mlflow.client.create_logged_model(experiment, f"old-{shape}", None, tags, model_type="proseform-bundle")
        mlflow.client.log_model_artifacts(model.model_id, str(folder), artifact_path="bundle")
        mlflow.client.finalize_logged_model(model.model_id, "READY")
        mlflow.client.create_registered_model(name)
        source = f"models:/{model.model_id}"
        version = mlflow.client.create_model_version(name, source, model_id=model.model_id, tags=tags)
        mlflow.client.set_registered_model_alias(name, CANDIDATE, version.version)
    fetched = models.fetch(mlflow, name, CANDIDATE, tmp_path / "cache")
    assert bundle.read(fetched) == stated


def test_models_beyond_the_first_page_are_found(mlflow, name, bundles):
    """A page of registered models has 100, whatever the request says."""
    for number in range(105):
        mlflow.client.create_registered_model(f"{name}-other-{number:03}")
    version = models.register(mlflow, bundles(1), name=name)
    assert models.get(mlflow, name, CANDIDATE) == version
    with pytest.raises(RegistryError, match=r"registered: .* and \d+ more"):
        models.aliases(mlflow, f"{name}-nobody")


@pytest.mark.parametrize("called", ["my home%20é", "50% off? #1"])
def test_a_home_of_any_name_holds_its_registry(tmp_path, adapters, called):
    home = tmp_path / called
    opened = registry.connect(home)
    version = models.register(opened, adapters(1), name="proseform-toy")
    attachments.attach(opened, version, {"report.json": "{}"})
    assert sorted(path.name for path in home.iterdir()) == ["mlartifacts", "mlflow.db"]
    assert attachments.read(opened, version, "report.json") == "{}"
    fetched = models.fetch(opened, "proseform-toy", CANDIDATE, home / "bundles")
    assert bundle.read(fetched).digest == version.bundle
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["adapters-1", called])
