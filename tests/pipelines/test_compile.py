"""The same functions compile to KFP's IR for a cluster."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from proseform.versions import images
from tests.pipelines.conftest import finish, start


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("ir")
    process = start(folder / "home", "compile", "--out", str(folder))
    output = finish(process)
    assert process.returncode == 0, output
    return {name: yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in ("train", "promote")}


def test_train_has_its_five_kinds_of_steps_in_order(compiled: dict[str, dict[str, Any]]) -> None:
    tasks = compiled["train"]["root"]["dag"]["tasks"]
    assert set(tasks) == {"dataset", "sft", "sft-2", "grpo", "evaluate", "register"}
    assert {task["taskInfo"]["name"] for task in tasks.values()} == {
        "dataset", "sft-evaluator", "sft-formatter", "grpo", "evaluate", "register",
    }  # fmt: skip
    assert set(tasks["grpo"]["dependentTasks"]) == {"dataset", "sft"}
    assert "evaluate" in tasks["register"]["dependentTasks"]


def test_promote_stands_behind_the_gate(compiled: dict[str, dict[str, Any]]) -> None:
    root = compiled["promote"]["root"]["dag"]["tasks"]
    assert set(root) == {"gate", "condition-1"}
    assert "== 'open'" in root["condition-1"]["triggerPolicy"]["condition"]


@pytest.mark.parametrize("name", ["train", "promote"])
def test_a_pipeline_has_at_most_six_flat_parameters_and_our_image(name: str, compiled: dict[str, dict[str, Any]]) -> None:
    pipeline = compiled[name]
    parameters = pipeline["root"]["inputDefinitions"]["parameters"]
    assert len(parameters) <= 6
    assert {parameter["parameterType"] for parameter in parameters.values()} == {"STRING"}
    executors = pipeline["deploymentSpec"]["executors"].values()
    assert {executor["container"]["image"] for executor in executors} == {images()["pipeline"]}
    assert not any("pip install" in " ".join(executor["container"]["command"]) for executor in executors)
