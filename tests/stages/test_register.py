"""Runs that share a registered model: each promotes its own version, and no report of the test split goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proseform import config, digest, testing
from proseform.bundle import Bundle, Generation, Part
from proseform.registry import Registry, attachments, connect, models
from proseform.stages import abstention, cache, gate, policy, promote, register

LENIENT = 'name = "lenient"\n[model]\nsource = "tiny"\n'
STRICT = f"{LENIENT}[gate]\nformatter_exact = {{ at_least = 0.99 }}\n"
NAME = "proseform-toy"
Registering = Callable[..., str]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One MLflow for all tests, since creating its tables takes seconds."""
    root = tmp_path_factory.mktemp("home")
    connect(root).experiment("toy")
    return root


@pytest.fixture
def mlflow(home: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("PROSEFORM_HOME", str(home))
    return connect(home)


@pytest.fixture
def registering(
    mlflow: Registry, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Registering:
    """Runs the stage register on models that are a text each, with a report of a split on them."""
    monkeypatch.setattr(cache, "load_task", lambda _name: testing.toy_task())
    monkeypatch.setattr(abstention, "learnt", lambda *_: None)
    monkeypatch.setattr(abstention, "read", lambda _: None)
    monkeypatch.setattr(policy, "of", lambda _: None)
    monkeypatch.setattr(register, "_track", lambda *_: "")

    def run(models_: str, split: str = "test", value: float = 1.0, text: str = LENIENT, name: str = "") -> str:
        made = _bundle(tmp_path / models_, f"{request.node.name}: {models_}")
        monkeypatch.setattr(policy, "assemble", lambda into, *_: _bundle(into, f"{request.node.name}: {models_}"))
        report = tmp_path / f"report-{models_}-{split}-{value}"
        report.mkdir(exist_ok=True)
        (report / "report.json").write_text(json.dumps(_report(made, split, value)))
        (report / "report.html").write_text(f"<p>{split}</p>")
        done = cache.home().store.commit("evaluate", digest.of_files(report), report, {}, 0.0)
        slot = cache.Slot(done.ref.uri, {"digest": done.ref.digest})
        artifacts = dict.fromkeys(("dataset", "sft", "grpo", "formatter", "report"), slot)
        return register.run("toy", text, artifacts, "", name or request.node.name)

    return run


def _bundle(folder: Path, weights: str) -> Bundle:
    """A bundle of the toy task whose models are texts."""
    task, parts = testing.toy_task(), {}
    for role, prompt in (("evaluator", task.evaluator), ("formatter", task.formatter)):
        (folder / role).mkdir(parents=True, exist_ok=True)
        (folder / role / "weights.bin").write_text(f"{role} {weights}")
        parts[role] = Part(role, digest.of_files(folder / role), prompt, Generation(9, 64))
    bundle = testing.toy_bundle(task, settings={"dtype": "float32"}, **parts)
    bundle.write(folder)
    return bundle


def _report(bundle: Bundle, split: str, value: float) -> dict[str, Any]:
    """A report whose figures all have a value."""
    figure = {"value": value, "low": value - 0.02, "high": value, "n": 200}
    return {
        "meta": {"task_contract": bundle.task_contract, "split": split, "digests": {"bundle": bundle.digest}},
        "figures": dict.fromkeys(config.Gate.model_fields, figure),
        "baseline": {"evaluator_reward": {**figure, "high": 0.5}},
    }


def test_a_run_that_is_called_again_promotes_its_own_version_and_not_the_candidate_of_another(
    mlflow: Registry, registering: Registering, request: pytest.FixtureRequest
) -> None:
    name = request.node.name
    first = registering("one")
    assert gate.run("toy", LENIENT, "", name, first) == "open"
    assert promote.run("toy", LENIENT, "", name, first) == first
    second = registering("two")
    assert gate.run("toy", STRICT, "", name, second) == "closed"

    assert registering("one") == first
    assert gate.run("toy", LENIENT, "", name, first) == "open"
    assert promote.run("toy", LENIENT, "", name, first) == first
    assert models.aliases(mlflow, name) == {"champion": first, "candidate": second}
    verdict = attachments.verdict(mlflow, models.get(mlflow, name, second))
    assert verdict is not None
    assert not verdict.open


def test_a_run_promotes_its_version_though_another_has_become_the_candidate_meanwhile(
    mlflow: Registry, registering: Registering, request: pytest.FixtureRequest
) -> None:
    name = request.node.name
    first, second = registering("one"), registering("two")
    assert gate.run("toy", LENIENT, "", name, first) == "open"
    assert promote.run("toy", LENIENT, "", name, first) == first
    assert models.aliases(mlflow, name) == {"champion": first, "candidate": second}


def test_without_a_version_the_candidate_is_judged_and_promoted(
    registering: Registering, request: pytest.FixtureRequest
) -> None:
    name = request.node.name
    registering("one")
    second = registering("two")
    assert gate.run("toy", LENIENT, "", name) == "open"
    assert promote.run("toy", LENIENT, "", name) == second
    assert gate.run("toy", LENIENT, "", name) == "open", "there is no candidate any more, so the champion is judged"


def test_a_report_of_the_test_split_is_not_replaced_by_one_of_another_split(
    mlflow: Registry, registering: Registering, request: pytest.FixtureRequest
) -> None:
    name = request.node.name
    version = models.get(mlflow, name, registering("one", value=0.875))
    for other in (name, f"{name}-2"):  # the bundle's files are the same under every name
        assert models.get(mlflow, other, registering("one", "valid", 0.5, name=other)).model_id == version.model_id
        assert (
            "its report of the split test stays" in json.loads((cache.home().runs / "register.json").read_text())["key"]
        )
        assert json.loads(attachments.read(mlflow, version, "report.json"))["meta"]["split"] == "test"
        assert attachments.read(mlflow, version, "report.html") == "<p>test</p>"
        assert "0.875" in attachments.read(mlflow, version, "README.md")
    gate.run("toy", LENIENT, "", name, version.version)
    verdict = attachments.verdict(mlflow, models.get(mlflow, name, version.version))
    assert verdict is not None
    assert verdict.faults == (), "one of another split would be a fault"


@pytest.mark.parametrize("splits", [("valid", "valid"), ("valid", "test"), ("test", "test")], ids="-then-".join)
def test_every_other_report_is_replaced_by_the_later_one(
    splits: tuple[str, str], mlflow: Registry, registering: Registering, request: pytest.FixtureRequest
) -> None:
    name = f"{NAME}-{'-'.join(splits)}"
    registering("one", splits[0], 0.5, name=name)
    version = models.get(mlflow, name, registering("one", splits[1], 0.875, name=name))
    report = json.loads(attachments.read(mlflow, version, "report.json"))
    assert report["meta"]["split"] == splits[1]
    assert report["figures"]["formatter_exact"]["value"] == 0.875
    assert "0.875" in attachments.read(mlflow, version, "README.md")
