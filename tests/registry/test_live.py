"""Metrics in MLflow while a stage trains."""

import json
import logging
import threading

import pytest

from proseform.registry import Registry, live, track


def write(path, steps):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({"step": step, "loss": 1 / step}) + "\n" for step in steps)


def curve(mlflow, run_id):
    return [(point.step, point.value) for point in mlflow.client.get_metric_history(run_id, "loss")]


@pytest.fixture
def metrics(tmp_path, name):
    """The metrics file of a work folder for one test."""
    return tmp_path / f"grpo-{name}" / "metrics.jsonl"


def test_what_is_new_is_sent_and_nothing_twice(mlflow, metrics):
    follower = live.Follower(mlflow, "toy", "grpo", metrics)
    assert follower.send() == 0  # nothing is there yet, but the run is
    assert mlflow.client.get_run(follower.run_id).info.status == "RUNNING"
    write(metrics, [1, 2])
    with metrics.open("a") as file:
        file.write('{"step": 3, "lo')  # the worker is at it
    assert [follower.send(), follower.send()] == [2, 0]
    assert curve(mlflow, follower.run_id) == [(1, 1.0), (2, 0.5)]


def test_a_stage_that_goes_on_goes_on_in_the_same_curve(mlflow, metrics):
    write(metrics, range(1, 6))
    first = live.Follower(mlflow, "toy", "grpo", metrics)
    first.send()
    metrics.unlink()
    write(metrics, range(1, 9))  # killed, resumed from step 4: the same steps again, and more
    second = live.Follower(mlflow, "toy", "grpo", metrics)
    assert second.send() == 3
    assert second.run_id == first.run_id
    assert [step for step, _ in curve(mlflow, second.run_id)] == list(range(1, 9))


def test_leaving_sends_what_is_left_and_the_logged_stage_replaces_it(mlflow, metrics, name):
    with live.following(mlflow, "toy", "grpo", metrics) as follower:
        write(metrics, [1, 2, 3])
    assert len(curve(mlflow, follower.run_id)) == 3
    follower.became(f"sha256:{name}")
    whole = track.log_stage(mlflow, "toy", "grpo", f"sha256:{name}", metrics=track.read_metrics(metrics))
    assert whole != follower.run_id
    assert mlflow.client.get_run(follower.run_id).info.lifecycle_stage == "deleted"
    assert len(curve(mlflow, whole)) == 3


def test_mlflow_is_imported_before_the_thread_starts(mlflow, metrics, monkeypatch):
    """Two threads that import requests, one by MLflow and one by Kubernetes' client, have met half of a module."""
    importing = []
    monkeypatch.setattr(live, "library", lambda: importing.append(threading.current_thread()))
    with live.following(mlflow, "toy", "grpo", metrics):
        assert importing == [threading.current_thread()]
    assert importing == [threading.current_thread()]


def test_a_server_that_is_away_costs_no_training(metrics, caplog, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    write(metrics, [1])
    with (
        caplog.at_level(logging.WARNING),
        live.following(Registry("http://127.0.0.1:9"), "toy", "grpo", metrics) as follower,
    ):
        pass
    follower.became("sha256:x")
    assert "grpo: no metrics are shown while it trains: MLflow at http://127.0.0.1:9" in caplog.text


def test_without_a_server_nothing_is_followed(metrics):
    with live.following(None, "toy", "grpo", metrics) as follower:
        assert follower is None
