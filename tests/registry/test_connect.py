"""Opening a registry, and what stands in its dictionary of names."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from proseform import registry
from proseform.errors import RegistryError
from proseform.registry import aliases, models

ROOM = Path(registry.__file__).parent


def test_sqlite_lies_in_the_home_folder_and_nowhere_else(mlflow, home, tmp_path, monkeypatch, bundles, name):
    """Unset, MLflow's global URI makes a mlflow.db in the current folder."""
    monkeypatch.chdir(tmp_path)
    models.register(mlflow, bundles(1), name=name)
    assert (home / "mlflow.db").is_file()
    assert list((home / "mlartifacts").rglob("bundle.json"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle-1"]


def test_a_server_that_is_away_is_an_error_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match=r"MLflow at http://127\.0\.0\.1:9: "):
        registry.connect(tmp_path, "http://127.0.0.1:9").experiment("toy")


def test_a_folder_called_mlflow_is_not_taken_for_the_library(monkeypatch):
    """A checkout has one; without the library Python imports it as an empty namespace."""
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    with pytest.raises(RegistryError, match=r"MLflow is not installed\. Install proseform\[registry\]\."):
        registry.library()


def tags(folder):
    """What looks like a tag in a folder's code."""
    return set(re.findall(r"[\"`](proseform\.[a-z_]+)[\"`]", "".join(path.read_text() for path in folder.glob("*.py"))))


def test_every_tag_and_alias_in_the_code_is_in_the_dictionary_and_the_other_way_round():
    known = set(registry.names()["tags"])
    assert tags(ROOM) - {"proseform.registry"} <= known <= tags(ROOM) | tags(ROOM.parent / "stages")
    assert {models.CANDIDATE, models.CHAMPION, models.PREVIOUS} == set(registry.names()["aliases"])
    assert aliases.MOVE in known


def test_names_are_derived_from_the_task(mlflow):
    assert registry.model_name("toy") == "proseform-toy"
    assert mlflow.client.get_experiment(mlflow.experiment("toy")).name == "proseform-toy"
