"""The same pipelines compile to KFP's IR for a cluster, with the needs of their pods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import dsl

from proseform import config
from tests.pipelines.conftest import finish, start

RUN = """
extends = "small"
name = "there"
"""
PLACE = """
extends = "default"
claim = "the-store"
user = 4711
[images]
pipeline = "here/pipeline@sha256:0123"
pull_policy = "Never"
[steps]
home = "/data/home"
cpu = "500m"
memory = "3Gi"
retries = 4
secret = "the-keys"
node_selector = { pool = "cpu" }
tolerations = [{ key = "spot" }, { key = "team", value = "a", effect = "NoExecute" }]
"""
TRAIN = {"dataset", "sft", "sft-2", "grpo", "evaluate", "register"}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """By name, the pipeline spec and the platform spec."""
    folder = tmp_path_factory.mktemp("ir")
    (folder / "run.toml").write_text(RUN)
    (folder / "place.toml").write_text(PLACE)
    files = ("--run", str(folder / "run.toml"), "--place", str(folder / "place.toml"))
    process = start(folder / "home", "compile", "--out", str(folder), *files)
    output = finish(process)
    assert process.returncode == 0, output
    return {name: list(yaml.safe_load_all((folder / f"{name}.yaml").read_text())) for name in ("train", "promote")}


def story(spec: dict[str, Any]) -> dict[str, Any]:
    """The tasks inside the exit handler."""
    return spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]


def test_train_has_its_five_kinds_of_steps_in_order(compiled: dict[str, list[dict[str, Any]]]) -> None:
    tasks = story(compiled["train"][0])
    assert set(tasks) == TRAIN
    assert {task["taskInfo"]["name"] for task in tasks.values()} == {
        "dataset",
        "sft-evaluator",
        "sft-formatter",
        "grpo",
        "evaluate",
        "register",
    }
    assert set(tasks["grpo"]["dependentTasks"]) == {"dataset", "sft"}
    assert "evaluate" in tasks["register"]["dependentTasks"]


def test_promote_stands_behind_the_gate(compiled: dict[str, list[dict[str, Any]]]) -> None:
    tasks = story(compiled["promote"][0])
    assert set(tasks) == {"gate", "condition-2"}
    assert "== 'open'" in tasks["condition-2"]["triggerPolicy"]["condition"]


def test_gate_and_promote_act_on_the_version_that_the_pipeline_is_given(
    compiled: dict[str, list[dict[str, Any]]],
) -> None:
    spec = compiled["promote"][0]
    behind = story(spec)["condition-2"]["componentRef"]["name"]
    promote = spec["components"][behind]["dag"]["tasks"]["promote"]
    for task in (story(spec)["gate"], promote):
        assert task["inputs"]["parameters"]["version"]["componentInputParameter"].endswith("pipelinechannel--version")
    assert spec["root"]["inputDefinitions"]["parameters"]["version"]["defaultValue"] == ""


@pytest.mark.parametrize("name", ["train", "promote"])
def test_whatever_comes_of_it_the_run_is_cleaned_up(name: str, compiled: dict[str, list[dict[str, Any]]]) -> None:
    root = compiled[name][0]["root"]["dag"]["tasks"]
    assert set(root) == {"exit-handler-1", "cleanup"}
    assert root["cleanup"]["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert root["cleanup"]["dependentTasks"] == ["exit-handler-1"]
    assert "policy.cancel" in " ".join(
        compiled[name][0]["deploymentSpec"]["executors"]["exec-cleanup"]["container"]["command"]
    )


@pytest.mark.parametrize("name", ["train", "promote"])
def test_a_pipeline_has_at_most_six_flat_parameters_and_the_run_as_a_default(
    name: str, compiled: dict[str, list[dict[str, Any]]]
) -> None:
    parameters = compiled[name][0]["root"]["inputDefinitions"]["parameters"]
    assert len(parameters) <= 6
    assert {parameter["parameterType"] for parameter in parameters.values()} == {"STRING"}
    assert config.parse(parameters["run"]["defaultValue"]).name == "there"


@pytest.mark.parametrize("name", ["train", "promote"])
def test_every_step_runs_our_image_with_its_resources_and_installs_nothing(
    name: str, compiled: dict[str, list[dict[str, Any]]]
) -> None:
    for executor in compiled[name][0]["deploymentSpec"]["executors"].values():
        container = executor["container"]
        assert container["image"] == "here/pipeline@sha256:0123"
        assert "pip install" not in " ".join(container["command"])
        asked = container["resources"]
        assert {asked["resourceCpuRequest"], asked["resourceCpuLimit"]} == {"500m"}
        assert {asked["resourceMemoryRequest"], asked["resourceMemoryLimit"]} == {"3Gi"}
        env = {variable["name"]: variable["value"] for variable in container["env"]}
        assert env["PROSEFORM_HOME"] == "/data/home"
        assert config.PLACES.load(env["PROSEFORM_PLACE"]).claim == "the-store"
        assert not any("KEY" in key or "TOKEN" in key or "PASSWORD" in key for key in env)


@pytest.mark.parametrize("name", ["train", "promote"])
def test_every_step_is_retried_and_kfps_cache_is_off(name: str, compiled: dict[str, list[dict[str, Any]]]) -> None:
    spec = compiled[name][0]
    dags = [spec["root"]["dag"], *(component["dag"] for component in spec["components"].values() if "dag" in component)]
    steps = [task for dag in dags for task in dag["tasks"].values() if task["componentRef"]["name"] in _executed(spec)]
    assert len(steps) == len(spec["deploymentSpec"]["executors"])
    for task in steps:
        assert task["retryPolicy"]["maxRetryCount"] == 4
        assert not task["cachingOptions"].get("enableCache")


def _executed(spec: dict[str, Any]) -> set[str]:
    """The components that are containers."""
    return {name for name, component in spec["components"].items() if "executorLabel" in component}


@pytest.mark.parametrize("name", ["train", "promote"])
def test_every_step_has_claim_secret_files_nodes_and_a_user_by_kfp_kubernetes(
    name: str, compiled: dict[str, list[dict[str, Any]]]
) -> None:
    spec, platform = compiled[name]
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors) == set(spec["deploymentSpec"]["executors"])
    for settings in executors.values():
        assert settings["pvcMount"][0]["constant"] == "the-store"
        assert settings["pvcMount"][0]["mountPath"] == "/data/home"
        assert settings["secretAsVolume"][0]["secretName"] == "the-keys"
        assert settings["secretAsVolume"][0]["mountPath"] == "/etc/proseform/secrets"
        assert "secretAsEnv" not in settings
        assert settings["nodeSelector"]["labels"] == {"pool": "cpu"}
        assert [toleration["key"] for toleration in settings["tolerations"]] == ["spot", "team"]
        assert settings["imagePullPolicy"] == "Never"
        assert settings["securityContext"] == {"runAsUser": "4711", "runAsGroup": "4711", "runAsNonRoot": True}
        assert {"name": "PROSEFORM_RUN", "fieldPath": "metadata.labels['pipeline/runid']"} in settings["fieldPathAsEnv"]


def test_without_secret_and_selectors_none_are_asked_for(tmp_path: Path) -> None:
    from pipelines import cluster

    files = cluster.write("small", "default", tmp_path)
    _, platform = yaml.safe_load_all(files["train"].read_text())
    settings = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-grpo"]
    assert not {"secretAsVolume", "nodeSelector", "tolerations"} & set(settings)


def test_the_report_goes_to_kfps_own_pages(compiled: dict[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    """The component declares them; the stage fills KFP's real artifacts from a report."""
    import json

    from proseform.stages.evaluate import Shown

    outputs = compiled["train"][0]["components"]["comp-evaluate"]["outputDefinitions"]["artifacts"]
    kinds = {name: output["artifactType"]["schemaTitle"] for name, output in outputs.items()}
    assert kinds == {
        "report": "system.HTML",
        "page": "system.HTML",
        "metrics": "system.Metrics",
        "confusion": "system.ClassificationMetrics",
    }
    confusion = {
        "field": "verdict",
        "labels": ["yes", "no"],
        "columns": ["yes", "no", "none"],
        "counts": [[3, 1, 0], [0, 2, 1]],
    }
    figures = {"schema_valid": {"value": 1.0, "low": 0.9, "high": 1.0, "n": 9}, "lift": None}
    (tmp_path / "report.json").write_text(json.dumps({"figures": figures, "confusion": confusion}))
    (tmp_path / "report.html").write_text("<p>the report</p>")
    page = dsl.HTML(uri=str(tmp_path / "kfp" / "page"))
    metrics, matrix = dsl.Metrics(), dsl.ClassificationMetrics()
    Shown(page, metrics, matrix).fill(tmp_path)
    assert Path(page.path).read_text() == "<p>the report</p>"
    assert metrics.metadata == {"schema_valid": 1.0}
    drawn = matrix.metadata["confusionMatrix"]
    assert [spec["displayName"] for spec in drawn["annotationSpecs"]] == ["yes", "no", "none"]
    assert [row["row"] for row in drawn["rows"]] == [[3, 1, 0], [0, 2, 1], [0, 0, 0]]


def test_without_a_headline_the_matrix_stays_empty(tmp_path: Path) -> None:
    from proseform.stages.evaluate import Shown

    (tmp_path / "report.json").write_text('{"figures": {}, "confusion": null}')
    (tmp_path / "report.html").write_text("")
    matrix = dsl.ClassificationMetrics()
    Shown(dsl.HTML(uri=str(tmp_path / "page")), dsl.Metrics(), matrix).fill(tmp_path)
    assert "confusionMatrix" not in matrix.metadata
