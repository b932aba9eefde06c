"""evaluate: records once, reports as often as judgement changes; a user's own words stay apart."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proseform import config, jsonl, launch, records, testing, thresholds
from proseform import task as tasks
from proseform.case import Case
from proseform.errors import StoreError
from proseform.stages import cache, dataset, evaluate, policy, retention
from proseform.store import Ref, Result, write_json

MICRO = Path(__file__).parents[1] / "runs/micro.toml"
ALONE = f'extends = "{MICRO}"\nevaluate.processes = 1\n'
"""The micro run, measured by one process: the launcher here runs it in this one."""
SECRET = "Zanzibar"


@dataclass
class Artifact:
    """An artifact, in the shape of KFP's."""

    uri: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


class Here:
    """A launcher that runs the worker in this process, and counts."""

    runs = 0

    def run(self, worker: str, job: launch.Job) -> None:
        from proseform.infer import measure

        assert worker == "proseform.infer.measure"
        launch.prepare(job)
        measure.main(job)
        Here.runs += 1


class World:
    """A home with a dataset and two policies of random weights."""

    def __init__(self, root: Path, run: str) -> None:
        self.run, self.data = run, Artifact()
        task = tasks.load("cv")
        bundle = testing.random_bundle(root / "bundle", task, max_length=1024)
        store = cache.home().store
        models: dict[str, Artifact] = {}
        for name, role in (("sft", "evaluator"), ("grpo", "evaluator"), ("formatter", "formatter")):
            payload = root / name
            payload.mkdir()
            folder = testing.random_bundle(root / "other", task, seed=5, max_length=1024) if name == "sft" else bundle
            (folder / role).rename(payload / "weights")
            models[name] = Artifact()
            write_json(payload / "model.json", {"role": role, "adapter": False, "figures": {}})
            (payload / "metrics.jsonl").write_text('{"step": 1, "reward": 0.5}\n')
            cache.hand_over(store.commit(name, f"sha256:{name:0<64}", payload, {}, 1.0), models[name])
        self.models = models
        dataset.run("cv", run, self.data)

    def base(self, *_: Any) -> Result:
        """The base, made already."""
        root = cache.home().root / "base"
        if not root.is_dir():
            testing.random_bundle(root / "bundle", tasks.load("cv"), seed=9, max_length=1024)
            (root / "bundle" / "evaluator").rename(root / "payload")
        return cache.home().store.commit("base", "sha256:" + "b" * 64, root / "payload", {}, 1.0)

    def evaluate(self, run: str = "") -> Path:
        """Run the stage; the report's folder."""
        measured = Artifact()
        evaluate.run("cv", run or self.run, self.data, **self.models, measured=measured)
        return cache.folder(measured)


def world(root: Path, monkeypatch: pytest.MonkeyPatch, run: str) -> World:
    monkeypatch.setenv("PROSEFORM_HOME", str(root / "home"))
    monkeypatch.setattr(policy, "launcher", Here)
    opened = World(root, run)
    monkeypatch.setattr(policy, "base", opened.base)
    return opened


def own_cases(path: Path) -> str:
    """The TOML text of a run with a user's own cases, whose people occur nowhere else."""
    task, rows = tasks.load("cv"), []
    for split, count in (("train", 12), ("valid", 4), ("test", 4)):
        for case in task.generate("starter", split, 77, count):
            surname = case.answer["candidate"].split()[-1]
            text = case.to_json().replace(surname, f"{SECRET}{surname.lower()}")
            raw = Case.from_json(text)
            rows.append(Case(**{**{n: getattr(raw, n) for n in Case.__dataclass_fields__}, "groups": ()}).to_json())
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return f'{ALONE}[dataset]\nfile = "{path}"\nshared = ["job"]\n'


def test_a_run_that_begins_with_trained_weights_measures_what_it_makes_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = f'{ALONE}[sft.evaluator]\nstart = "elsewhere"\n'
    assert [one.name for one in evaluate.variants(config.load(ALONE))] == ["base", "sft", "grpo"]
    assert [one.name for one in evaluate.variants(config.load(begun))] == ["sft", "grpo"]
    folder = world(tmp_path, monkeypatch, begun + "[grpo]\nsteps = 0\n").evaluate()
    report = json.loads((folder / "report.json").read_text())
    assert [row["variant"] for row in report["variants"]] == ["grpo"]
    assert report["figures"]["lift"] is None
    assert report["figures"]["schema_valid"]["value"] == 1
    assert report["lifts"] == []


def test_records_are_generated_once_and_judged_as_often_as_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = world(tmp_path, monkeypatch, ALONE)
    Here.runs = 0
    folder = opened.evaluate()
    assert Here.runs == 1
    report = json.loads((folder / "report.json").read_text())
    assert [row["variant"] for row in report["variants"]] == ["base", "sft", "grpo"]
    assert report["meta"]["digests"]["bundle"].startswith("sha256:")
    rows = records.read(folder / records.RECORDS)
    assert {row.suite for row in rows} == {"evaluations", "answers", "formatter", "blind"}
    assert all(row.verdicts and row.scores for row in rows)

    other = f'{ALONE}[gate]\nlift = {{ at_least = 0.5 }}\n[grpo]\nrubric = "four"\n'
    assert opened.evaluate(other) != folder  # judged by another rubric
    assert opened.evaluate(other.replace("rubric", "# rubric")) == folder  # another threshold changes no report
    assert Here.runs == 1

    again = evaluate.recompute(folder, tmp_path / "again")
    assert again == report
    assert (tmp_path / "again/report.html").read_bytes() == (folder / "report.html").read_bytes()
    assert (tmp_path / "again" / records.RECORDS).read_bytes() == (folder / records.RECORDS).read_bytes()
    with pytest.raises(StoreError, match=r"no measured\.json here"):
        evaluate.recompute(tmp_path, tmp_path / "never")


def test_what_tuning_looks_at_is_measured_and_opens_no_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the split valid: other cases, said at the head of the report, and refused by the gate in words."""
    opened = world(tmp_path, monkeypatch, ALONE)
    folder = opened.evaluate(f'{ALONE}evaluate.split = "valid"\nevaluate.levels = []\n')
    known = {row["id"] for row in jsonl.rows(cache.folder(opened.data) / "cases-valid.jsonl")}
    asked = {row.case for row in records.read(folder / records.RECORDS) if row.suite != "formatter"}
    assert asked
    assert asked <= known
    report = json.loads((folder / "report.json").read_text())
    assert report["meta"]["split"] == "valid"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "the gate takes reports of the split “test” alone" in page[: page.index("<h2>")]
    meta = report["meta"]
    verdict = thresholds.judge(report, config.Gate(), meta["digests"]["bundle"], meta["task_contract"])
    assert "the report is of the split valid, not of test, which tuning has not looked at" in verdict.faults


def test_a_users_own_words_lie_apart_and_nothing_that_is_registered_holds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = world(tmp_path, monkeypatch, own_cases(tmp_path / "own.jsonl"))
    folder = opened.evaluate()
    about = json.loads((folder / evaluate.MEASURED).read_text())
    payload = Path(Ref.parse(about["records"]).uri.removeprefix("file://"))
    texts = Path(Ref.parse(json.loads((payload / records.ABOUT).read_text())["texts"]).uri.removeprefix("file://"))
    assert stat.S_IMODE((texts / records.TEXTS).stat().st_mode) == 0o600
    assert records.delete_after(texts / records.TEXTS).isoformat() > "2026"

    for path in (*folder.iterdir(), *payload.iterdir()):
        assert SECRET.encode() not in path.read_bytes(), path
    sealed = records.read(payload / records.RECORDS)
    assert not any(SECRET in row.to_json() for row in [*sealed, *records.read(folder / records.RECORDS)])
    assert {value[:7] for row in sealed for value in row.texts.values()} == {"sha256:"}
    shown = [row.texts.get("given", "") for row in records.with_texts(sealed, texts / records.TEXTS)]
    assert any(SECRET in text for text in shown)  # the gold prose that the formatter was given

    assert evaluate.recompute(folder, tmp_path / "again") == json.loads((folder / "report.json").read_text())
    until = records.delete_after(texts / records.TEXTS)
    assert until is not None
    (texts / records.TEXTS).unlink()
    with pytest.raises(StoreError, match="its files are not those"):  # altered before their time
        evaluate.recompute(folder, tmp_path / "altered")
    assert [one.uri for one in retention.prune(cache.home(), until)] == [f"file://{texts}"]

    late = evaluate.recompute(folder, tmp_path / "late")  # judged no more, but said
    first = json.loads((folder / "report.json").read_text())
    note = late["meta"].pop("note")
    assert f"(delete_after {until})" in note
    assert late == first
    assert note in (tmp_path / "late/report.html").read_text(encoding="utf-8")
    assert opened.evaluate() == folder  # adopted, as nothing is asked of the texts
    with pytest.raises(StoreError, match=rf"deleted when their time was up \(delete_after {until}\); they cannot be"):
        opened.evaluate(f'{opened.run}[grpo]\nrubric = "four"\n')
