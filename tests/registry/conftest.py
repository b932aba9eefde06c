"""One MLflow on SQLite for all tests, since creating its tables takes seconds. Every test has its own model."""

import itertools
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlparse

import pytest

from proseform import digest, registry, thresholds
from proseform.bundle import Generation, Part
from proseform.config import Gate
from proseform.registry import attachments, lease, models
from proseform.testing import toy_bundle, toy_task

NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """No lease ends because a machine is slow; tests of its end set their own."""
    monkeypatch.setattr(lease, "LEASE_S", 1800.0)
    monkeypatch.setattr(lease, "PATIENCE_S", 7200.0)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def mlflow(home):
    opened = registry.connect(home)
    opened.experiment("toy")
    return opened


@pytest.fixture
def name():
    """The name of a registered model for one test."""
    return f"proseform-toy-{next(NUMBERS)}"


@pytest.fixture
def bundles(tmp_path, name):
    """Makes bundle folders; each number gives another bundle."""

    def make(number):
        folder = tmp_path / f"bundle-{number}"
        task, parts = toy_task(), {}
        for role, prompt in (("evaluator", task.evaluator), ("formatter", task.formatter)):
            (folder / role).mkdir(parents=True)
            (folder / role / "weights.bin").write_text(f"{name}: {role} {number}")
            parts[role] = Part(
                prompt=prompt, generation=Generation(9, 64), base=role, base_digest=digest.of_files(folder / role)
            )
        toy_bundle(task, settings={"dtype": "float32"}, **parts).write(folder)
        return folder

    return make


@pytest.fixture
def verdict():
    """Makes verdicts; open, or closed because nothing was measured."""

    def make(bundle, *, is_open=True):
        figure = {"value": 1.0, "low": 0.98, "high": 1.0, "n": 200}
        figures = dict.fromkeys(Gate.model_fields, figure) if is_open else {}
        task = toy_task().contract
        unread = {"value": 0.4, "low": 0.3, "high": 0.5, "n": 200}
        report = {
            "meta": {"task_contract": task, "split": "test", "digests": {"bundle": bundle}},
            "figures": figures,
            "baseline": {"evaluator_reward": unread, "recommendation_right": unread},
        }
        return thresholds.judge(report, Gate(), bundle, task)

    return make


@pytest.fixture
def promotable(mlflow, name, bundles, verdict):
    """Registers a bundle and opens its gate."""

    def make(number):
        version = models.register(mlflow, bundles(number), name=name)
        return attachments.judge(mlflow, version, verdict(version.bundle))

    return make


@pytest.fixture
def artifacts(mlflow):
    """Where a version's artifacts lie on this machine."""

    def folder(version):
        return Path(urlparse(mlflow.client.get_logged_model(version.model_id).artifact_location).path)

    return folder


@pytest.fixture
def dying(mlflow):
    """The registry of a process that dies before its n-th write."""

    class Died(BaseException):
        pass

    def make(writes):
        class Client:
            def __init__(self):
                self.left = writes

            def __getattr__(self, called):
                method = getattr(mlflow.client, called)
                if not called.startswith(("set_", "delete_", "create_", "log_", "finalize_")):
                    return method

                def write(*args, **kwargs):
                    self.left -= 1
                    if self.left < 0:
                        raise Died
                    return method(*args, **kwargs)

                return write

        copy = replace(mlflow)
        copy.__dict__["client"] = Client()
        return copy, Died

    return make
