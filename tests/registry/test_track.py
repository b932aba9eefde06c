"""Runs: one for a pipeline, a child for each stage, each logged once."""

import pytest

from proseform import config
from proseform.registry import track

METRICS = [
    {"step": step, "loss": 1 / step, "reward": float("nan"), "note": "x", "done": True} for step in range(1, 251)
]


@pytest.fixture
def key(name):
    """A stage key for one test."""
    return f"sha256:{name}"


def runs(mlflow, key):
    """The runs of a key, without deleted ones."""
    return mlflow.client.search_runs([mlflow.experiment("toy")], filter_string=f"tags.`proseform.stage_key` = '{key}'")


def test_a_pipeline_carries_the_whole_configuration(mlflow, key):
    run = config.load("small")
    logged = mlflow.client.get_run(track.log_pipeline(mlflow, "toy", run, key, {"proseform.task_contract": "sha256:x"}))
    assert logged.data.params["grpo.steps"] == str(run.grpo.steps)
    assert logged.data.params["model.source"] == "tiny"
    assert logged.data.tags["proseform.task_contract"] == "sha256:x"
    assert logged.info.run_name == "small"


def test_a_stage_stands_beneath_its_pipeline_with_every_step(mlflow, key, tmp_path):
    parent = track.log_pipeline(mlflow, "toy", config.load("small"), f"{key}-parent")
    (tmp_path / "report.html").write_text("<p>")
    figures = {"loss": 0.25, "cases": {"train": 40, "level": "easy"}}
    run_id = track.log_stage(
        mlflow,
        "toy",
        "grpo",
        key,
        parent=parent,
        metrics=METRICS,
        figures=figures,
        params={"beta": 0.01},
        files=[tmp_path / "report.html"],
    )
    logged = mlflow.client.get_run(run_id)
    assert logged.data.tags["mlflow.parentRunId"] == parent
    assert (logged.data.tags["proseform.stage"], logged.info.status) == ("grpo", "FINISHED")
    assert logged.data.params == {"beta": "0.01"}
    history = mlflow.client.get_metric_history(run_id, "loss")
    assert sorted(metric.step for metric in history) == list(range(251))
    assert logged.data.metrics["cases.train"] == 40
    assert logged.data.tags["cases.level"] == "easy"
    assert not {"reward", "note", "done"} & set(logged.data.metrics)
    assert [file.path for file in mlflow.client.list_artifacts(run_id)] == ["report.html"]


def test_the_same_result_is_logged_once(mlflow, key):
    """A resumed pipeline, or a stage that was adopted from the store."""
    first = track.log_stage(mlflow, "toy", "sft-evaluator", key, metrics=METRICS[:3])
    assert track.log_stage(mlflow, "toy", "sft-evaluator", key, metrics=METRICS[:3]) == first
    assert len(runs(mlflow, key)) == 1
    assert len(mlflow.client.get_metric_history(first, "loss")) == 3


def test_two_roles_of_one_key_are_two_runs(mlflow, key):
    assert track.log_stage(mlflow, "toy", "sft-evaluator", key) != track.log_stage(mlflow, "toy", "sft-formatter", key)


@pytest.mark.parametrize("writes", range(1, 5))
def test_a_run_that_was_cut_short_is_logged_anew(mlflow, key, dying, writes):
    half, died = dying(writes)
    with pytest.raises(died):
        track.log_stage(half, "toy", "grpo", key, metrics=METRICS[:120], params={"a": 1}, figures={"word": "x", "n": 1})
    run_id = track.log_stage(
        mlflow, "toy", "grpo", key, metrics=METRICS[:120], params={"a": 1}, figures={"word": "x", "n": 1}
    )
    assert [run.info.run_id for run in runs(mlflow, key)] == [run_id]
    assert len(mlflow.client.get_metric_history(run_id, "loss")) == 120


def test_metrics_are_read_up_to_the_line_that_was_cut(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert list(track.read_metrics(path)) == []
    path.write_text('{"step": 1, "loss": 2}\n\n3\n{"step": 2, "lo')
    assert list(track.read_metrics(path)) == [{"step": 1, "loss": 2}]
