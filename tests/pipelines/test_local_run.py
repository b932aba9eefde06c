"""The whole run, by KFP's local runner, through every component."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from proseform.stages import STEPS
from tests.pipelines.conftest import MICRO, ROOT, Finished, finish, start

AFTER = {
    "sft-evaluator": ("dataset",),
    "sft-formatter": ("dataset",),
    "grpo": ("sft-evaluator",),
    "evaluate": ("grpo", "sft-formatter"),
    "register": ("evaluate",),
    "gate": ("register",),
    "promote": ("gate",),
    "probe": ("promote",),
}
"""The steps that each step waits for; KFP's local runner promises no other order."""


def test_every_step_runs_once_after_what_it_needs_and_ends_with_a_valid_answer(whole: Finished) -> None:
    ended = [event for event in whole.events("first") if event["state"] in {"done", "failed"}]
    steps = [event["stage"] for event in ended if event["stage"] not in {"base", "records", "abstention"}]
    assert sorted(steps) == sorted(STEPS)
    assert {event["state"] for event in ended} == {"done"}
    assert [
        (step, before) for step, needs in AFTER.items() for before in needs if steps.index(before) > steps.index(step)
    ] == []
    probe = json.loads((whole.home / "runs/first/probe.json").read_text())
    assert probe["example"]["verdict"] == "valid"
    assert "The answer: valid" in whole.output
    for step in STEPS:
        assert step in whole.output


def test_one_digest_goes_from_training_through_registry_and_gate_to_the_answer(whole: Finished) -> None:
    from proseform import registry
    from proseform.registry import attachments, models

    done = {event["stage"]: event for event in whole.events("first") if event["state"] == "done"}
    report = json.loads((Path(done["evaluate"]["uri"].removeprefix("file://")) / "report.json").read_text())
    trained = {
        step: _result(done[step]["uri"])["digest"] for step in ("dataset", "sft-evaluator", "grpo", "sft-formatter")
    }
    digests = report["meta"]["digests"]
    assert [digests[name] for name in ("dataset", "sft", "grpo", "formatter")] == list(trained.values())

    opened = registry.connect(whole.home)
    champion = models.get(opened, "proseform-cv", "champion")
    for step, payload_digest in trained.items():
        assert champion.tags[f"proseform.stage.{step}"] == payload_digest
    verdict = attachments.verdict(opened, champion)
    answered = json.loads((whole.home / "runs/first/probe.json").read_text())["example"]["bundle"]
    assert verdict is not None
    assert digests["bundle"] == champion.bundle == verdict.bundle == answered


def test_two_processes_measure_every_ask_once_and_in_the_order_of_the_plans(whole: Finished) -> None:
    from proseform import config, records, task
    from proseform.stages.evaluate import SUBJECTS
    from proseform.suites.plans import plan

    run = config.load(MICRO)
    assert run.evaluate.processes > 1
    done = {event["stage"]: event for event in whole.events("first") if event["state"] == "done"}
    dataset, recorded = (Path(done[stage]["uri"].removeprefix("file://")) for stage in ("dataset", "records"))
    study = records.study(dataset, task.load("cv"), run)
    asked = [ask.record.id for subject in SUBJECTS for ask in plan(study, subject)]
    assert [row.id for row in records.read(recorded / records.RECORDS)] == asked


def test_the_weights_that_grpo_wrote_are_the_weights_in_the_bundle(whole: Finished) -> None:
    from proseform import bundle, digest, registry
    from proseform.registry import models

    done = {event["stage"]: event for event in whole.events("first") if event["state"] == "done"}
    served = bundle.read(models.fetch(registry.connect(whole.home), "proseform-cv", "champion", whole.home / "bundles"))
    for step, part in (("grpo", served.evaluator), ("sft-formatter", served.formatter)):
        assert digest.of_files(Path(done[step]["uri"].removeprefix("file://")) / "weights") == part.base_digest


def test_mlflow_holds_parameters_metrics_by_step_and_the_report(whole: Finished) -> None:
    from proseform import registry

    opened = registry.connect(whole.home)
    runs = opened.client.search_runs([opened.experiment("cv")])
    by_stage = {run.data.tags["proseform.stage"]: run for run in runs}
    assert set(by_stage) == {"pipeline", "dataset", "sft-evaluator", "grpo", "sft-formatter", "evaluate"}
    assert by_stage["grpo"].data.params["beta"] == "0.01"
    history = opened.client.get_metric_history(by_stage["sft-evaluator"].info.run_id, "loss")
    assert [point.step for point in history] == sorted(point.step for point in history)
    assert len(history) > 1
    assert "report.html" in [file.path for file in opened.client.list_artifacts(by_stage["evaluate"].info.run_id)]


def test_a_second_run_adopts_everything_that_was_trained(whole: Finished) -> None:
    process = start(whole.home, "run", "--task", "cv", "--run", MICRO, run="second")
    output = finish(process)
    assert process.returncode == 0, output
    states = {event["stage"]: event["state"] for event in whole.events("second")}
    adopted = ("dataset", "sft-evaluator", "grpo", "sft-formatter", "evaluate")
    assert {states[step] for step in adopted} == {"reused"}
    assert "as made before" in output


def test_fresh_adopts_nothing(whole: Finished) -> None:
    """Only the dataset is run again; a second training would show nothing more."""
    script = (
        "from types import SimpleNamespace as N; from proseform.stages import dataset;"
        f"dataset.run('cv', {MICRO!r}, N(uri='', metadata={{}}))"
    )
    for run, fresh in (("fresh-no", ""), ("fresh-yes", "20260101")):
        env = {**os.environ, "PROSEFORM_HOME": str(whole.home), "PROSEFORM_RUN": run, "PROSEFORM_FRESH": fresh}
        subprocess.run([sys.executable, "-c", script], env=env, check=True)
    assert [event["state"] for event in whole.events("fresh-no")] == ["reused"]
    assert [event["state"] for event in whole.events("fresh-yes")] == ["started", "done"]


def test_answers_come_from_the_registry_alone(whole: Finished, tmp_path: Path) -> None:
    """Without the stages' folders, the champion still answers from files."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("mlflow.db", "mlartifacts"):
        source = whole.home / name
        shutil.copytree(source, home / name) if source.is_dir() else shutil.copy(source, home / name)
    moved = {str(whole.home): str(home)}
    for database in [home / "mlflow.db"]:
        _relocate(database, moved)
    command = [sys.executable, "-m", "proseform.cli", "answer", "--task", "cv", "--json"]
    inputs = ["--input", "cv=examples/cv/li-zhen.pdf", "--input", "job=examples/cv/job.md"]
    done = subprocess.run(
        [*command, *inputs],
        cwd=ROOT,
        env={**os.environ, "PROSEFORM_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["verdict"] == "valid"
    assert answer["bundle"] == json.loads((whole.home / "runs/first/probe.json").read_text())["bundle"]


def test_an_untrained_bundle_answers_valid_json_and_its_gate_stays_closed(
    whole: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    from proseform.errors import RegistryError
    from proseform.stages import gate, promote

    monkeypatch.setenv("PROSEFORM_HOME", str(whole.home))
    monkeypatch.setenv("PROSEFORM_RUN", "strict")
    strict = (
        Path(MICRO).read_text().replace("formatter_exact = { at_least = 0.0", "formatter_exact = { at_least = 0.97")
    )
    strict_name = "strict-cv"
    from proseform import registry
    from proseform.registry import attachments, models

    opened = registry.connect(whole.home)
    folder = models.fetch(opened, "proseform-cv", "champion", whole.home / "bundles")
    version = models.register(opened, folder, name=strict_name)
    report = attachments.read(opened, models.get(opened, "proseform-cv", "champion"), "report.json")
    attachments.attach(opened, version, {"report.json": report})
    assert json.loads(report)["figures"]["schema_valid"]["value"] == 1.0
    assert gate.run("cv", strict, "", strict_name) == "closed"
    with pytest.raises(RegistryError, match="its gate is closed: formatter_exact"):
        promote.run("cv", strict, "", strict_name)


SLOW = """
extends = "{micro}"
name = "slow"
[sft.evaluator]
steps = 60
save_every = 5
"""


def test_killed_in_the_middle_it_leaves_nobody_behind_and_goes_on_where_it_was(tmp_path: Path) -> None:
    run = tmp_path / "slow.toml"
    run.write_text(SLOW.format(micro=MICRO))
    home = tmp_path / "home"
    process = start(home, "run", "--task", "cv", "--run", str(run), run="killed")
    progress = _wait_for_step(process, home, 20)
    process.kill()
    process.wait()
    while _alive(str(home)):  # bounded by pytest's own time limit: a busy machine takes longer, and is no failure
        time.sleep(0.2)
    stopped_at = _steps(progress)[-1]
    mark = len(_steps(progress))

    process = start(home, "run", "--task", "cv", "--run", str(run), run="resumed")
    while len(_steps(progress)) <= mark:
        assert process.poll() is None, finish(process)
        time.sleep(0.2)
    process.terminate()
    process.wait()
    first = _steps(progress)[mark]
    assert stopped_at - 5 <= first <= stopped_at + 1, (stopped_at, first)


def _steps(progress: Path) -> list[int]:
    """The steps of events, in order."""
    return [json.loads(line)["done"] for line in progress.read_text().splitlines() if line.endswith("}")]


def _wait_for_step(process: subprocess.Popen[str], home: Path, step: int) -> Path:
    """Wait until the evaluator's SFT has done a number of steps; its progress file."""
    while process.poll() is None:
        for progress in home.glob("work/sft-evaluator-*/progress.jsonl"):
            if any(done >= step for done in _steps(progress)):
                return progress
        time.sleep(0.1)
    raise AssertionError(f"training did not come so far: {finish(process)}")


def _alive(word: str) -> list[str]:
    """Command lines of other processes that have a word in their environment."""
    commands = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                if word.encode() in (folder / "environ").read_bytes() and (folder / "cmdline").read_bytes():
                    commands.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:120])
            except OSError:
                continue
    return commands


def _result(uri: str) -> dict[str, Any]:
    """The commit record of a payload."""
    return json.loads((Path(uri.removeprefix("file://")) / "result.json").read_text())


def _relocate(database: Path, moved: dict[str, str]) -> None:
    """Let a copied registry point at its own artifacts."""
    import sqlite3

    columns = (
        ("experiments", "artifact_location"),
        ("runs", "artifact_uri"),
        ("logged_models", "artifact_location"),
        ("model_versions", "storage_location"),
    )
    with sqlite3.connect(database) as connection:
        for old, new in moved.items():
            for table, column in columns:
                connection.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (old, new))
