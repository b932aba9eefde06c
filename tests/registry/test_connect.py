"""Which registry is opened, whether it answers, and that its password is never shown."""

import socket

import pytest

from proseform import registry
from proseform.errors import RegistryError
from proseform.registry import models

PASSWORD = "s3cr%40t"
SHOWN = "s3cr@t"


@pytest.fixture
def closed():
    """A port on which nothing listens while the test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_the_environment_says_where_unless_a_uri_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://from-the-environment:5000")
    assert registry.connect(tmp_path).uri == "http://from-the-environment:5000"
    assert registry.connect(tmp_path, "http://given:5000").uri == "http://given:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert registry.connect(tmp_path).uri == f"sqlite:///{tmp_path}/mlflow.db"


def test_talking_to_a_registry_leaves_the_environment_as_it_was(mlflow, monkeypatch):
    """MLflow sets this variable to its tracking URI."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # so that what MLflow writes there is taken back after the test
    registry.library().set_tracking_uri("sqlite://")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    mlflow.experiment("toy")
    assert "MLFLOW_TRACKING_URI" not in __import__("os").environ


@pytest.mark.parametrize("scheme", ["http", "postgresql", "mysql+pymysql"])
def test_a_registry_that_is_away_is_told_without_its_password(closed, scheme, monkeypatch):
    monkeypatch.setattr(registry, "_ANSWER_S", 0.2)  # it might be restarting, and is asked again for so long
    with pytest.raises(RegistryError, match=f"127.0.0.1:{closed} takes no connection") as caught:
        registry.await_answer(f"{scheme}://proseform:{PASSWORD}@127.0.0.1:{closed}/db")
    assert "proseform:***@" in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert SHOWN not in str(caught.value)


def test_a_registry_that_answers_passes_and_so_does_a_file():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        registry.await_answer(f"http://127.0.0.1:{listening.getsockname()[1]}")
    for uri in ("", "sqlite:////tmp/x.db", "databricks"):
        registry.await_answer(uri)


@pytest.mark.parametrize("uri", ["http://host:port/", "http://[::1", "http://host:99999"])
def test_a_uri_that_is_none_is_told(uri):
    with pytest.raises(RegistryError, match="is no tracking URI"):
        registry.await_answer(uri)


def test_no_error_and_no_name_of_a_registry_shows_a_password(tmp_path, closed, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    opened = registry.connect(tmp_path, f"http://proseform:{PASSWORD}@127.0.0.1:{closed}")
    with pytest.raises(RegistryError) as caught:
        models.aliases(opened, "proseform-toy")
    for text in (str(caught.value), repr(opened), opened.shown, repr(caught.value.__cause__)):
        assert PASSWORD not in text
        assert SHOWN not in text
