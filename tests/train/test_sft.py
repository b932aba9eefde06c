"""The sft worker on the toy task."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from proseform import digest, launch, task
from proseform.errors import ConfigError, StageError
from proseform.launch import Job
from proseform.train import progress, sft, weights
from tests.waiting import PATIENCE_S, until

MakeJob = Callable[..., Job]
WORKER = "proseform.train.sft"


def _metrics(job: Job) -> list[dict[str, float]]:
    return [json.loads(line) for line in (Path(job.out) / progress.METRICS).read_text().splitlines()]


def _weights(job: Job) -> bytes:
    return next((Path(job.out) / weights.WEIGHTS).glob("*.safetensors")).read_bytes()


@pytest.fixture
def whole(make_job: MakeJob, dataset: Path, tiny_base: Path) -> Job:
    """An uninterrupted run."""
    job = make_job("sft", dataset=dataset, base=tiny_base, name="whole")
    sft.main(job)
    return job


def test_the_loss_falls_and_the_output_is_an_ordinary_folder(whole: Job) -> None:
    losses = [line["loss"] for line in _metrics(whole)]
    about = weights.read_manifest(Path(whole.out))
    assert [line["step"] for line in _metrics(whole)] == list(range(1, 13))
    assert losses[-1] < losses[0] / 2
    assert (about["role"], about["adapter"]) == ("evaluator", False)
    assert about["figures"]["dropped"] == 0
    assert about["base"] == whole.inputs["base"]
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= {
        p.name for p in (Path(whole.out) / weights.WEIGHTS).iterdir()
    }
    assert whole.work not in "".join(path.read_text() for path in (Path(whole.out) / weights.WEIGHTS).glob("*.json"))
    last = json.loads((Path(whole.work) / launch.PROGRESS).read_text().splitlines()[-1])
    assert (last["done"], last["total"]) == (12, 12)
    assert "loss" in last


def test_killed_in_the_middle_it_goes_on_and_ends_with_the_same_weights(
    whole: Job, make_job: MakeJob, dataset: Path, tiny_base: Path
) -> None:
    """kill -9 of the worker after the first seal; then its newest checkpoint loses half a file as well."""
    job = make_job("sft", dataset=dataset, base=tiny_base, name="killed")
    killed(job)
    sft.main(job)
    assert _weights(job) == _weights(whole)
    assert [line["loss"] for line in _metrics(job)] == [line["loss"] for line in _metrics(whole)]
    began = [json.loads(line)["done"] for line in (Path(job.work) / launch.PROGRESS).read_text().splitlines()]
    assert began[began.index(4, began.index(8)) + 1] == 5  # it went on from step 4, the last whole save


def killed(job: Job) -> None:
    """Kill -9 a job's worker after its first seal; its newest checkpoint loses half a file as well."""
    seal = Path(job.work) / "checkpoints" / "checkpoint-8" / "seal.json"
    failed: list[StageError] = []

    def work() -> None:
        try:
            launch.Local().run(WORKER, job)
        except StageError as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    until(seal.exists, thread.is_alive)
    for process in _workers(job):
        os.kill(process, signal.SIGKILL)
    thread.join(PATIENCE_S)
    if not failed:
        pytest.skip("the worker was done before it could be killed")
    (seal.parent / "optimizer.pt").write_bytes(b"half")
    for later in seal.parent.parent.glob("checkpoint-12"):
        (later / "seal.json").unlink(missing_ok=True)


def _workers(job: Job) -> list[int]:
    """The processes that work on a job, torchrun left out."""
    processes = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().decode()
        except OSError:
            continue
        if f"{job.work}/job.json" in line and "torch.distributed.run" not in line:
            processes.append(int(folder.name))
    return processes


def test_a_finished_checkpoint_is_only_written_out(whole: Job) -> None:
    folder = Path(whole.out) / weights.WEIGHTS
    before = digest.of_files(folder)
    (folder / "model.safetensors").unlink()
    sft.main(whole)
    assert digest.of_files(folder) == before
    assert len(_metrics(whole)) == 12


def test_two_processes_share_a_step(make_job: MakeJob, whole: Job, dataset: Path, tiny_base: Path) -> None:
    """The same rows in the same steps, so nearly the same losses as one process."""
    job = make_job("sft", world_size=2, dataset=dataset, base=tiny_base, name="two")
    launch.Local().run(WORKER, job)
    for one, two in zip(_metrics(whole), _metrics(job), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=0.05)


def test_a_worker_with_the_wrong_number_of_processes_refuses(
    make_job: MakeJob, dataset: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A plain start sees world size 1, silently; the guard makes it an error."""
    job = make_job("sft", world_size=2, dataset=dataset, base=tiny_base)
    path = tmp_path / "job.json"
    path.write_text(json.dumps(asdict(job)))
    monkeypatch.setattr("sys.argv", ["sft", "--job", str(path)])
    monkeypatch.setattr(launch, "end_with_parent", lambda: None)
    with pytest.raises(StageError, match="1 processes are here, 2 were asked for"):
        launch.worker(sft.main)


def test_an_adapter_is_trained_on_the_formatter(make_job: MakeJob, dataset: Path, tiny_base: Path) -> None:
    lora = {"sft": {"formatter": {"lora": {"r": 4, "alpha": 8}}}}
    job = make_job("sft", "formatter", dataset=dataset, base=tiny_base, changes=lora)
    sft.main(job)
    about = weights.read_manifest(Path(job.out))
    shape = json.loads((Path(job.out) / weights.WEIGHTS / "adapter_config.json").read_text())
    assert about["adapter"] is True
    assert about["figures"]["trained_parameters"] < about["figures"]["parameters"] / 2
    assert (shape["r"], shape["base_model_name_or_path"]) == (4, "base")
    assert shape["target_modules"] == sorted(shape["target_modules"]), "another hash seed gives the same digest"
    assert _metrics(job)[-1]["loss"] < _metrics(job)[0]["loss"]


@pytest.mark.parametrize("shape", [None, {"r": 4, "alpha": 8}], ids=["whole", "adapter"])
def test_it_goes_on_from_weights_that_were_trained_already(
    make_job: MakeJob, dataset: Path, tiny_base: Path, shape: dict[str, int] | None
) -> None:
    """The second training begins where the first one ended, and with the same steps it gets further."""
    changes = {"sft": {"evaluator": {"lora": shape}}} if shape else {}
    first = make_job("sft", dataset=dataset, base=tiny_base, changes=changes, name="first")
    sft.main(first)
    second = make_job("sft", dataset=dataset, base=tiny_base, start=Path(first.out), changes=changes, name="second")
    sft.main(second)
    before, after = _metrics(first), _metrics(second)
    assert abs(after[0]["loss"] - before[-1]["loss"]) < abs(after[0]["loss"] - before[0]["loss"])
    assert after[-1]["loss"] < before[-1]["loss"]
    about = [weights.read_manifest(Path(job.out)) for job in (first, second)]
    assert about[0]["figures"]["trained_parameters"] == about[1]["figures"]["trained_parameters"]
    assert {one["base"] for one in about} == {first.inputs["base"]}, (
        "an adapter stands on the base, whatever it began with"
    )


def test_swapping_the_prose_of_two_cases_swaps_their_json(make_job: MakeJob, dataset: Path, tiny_base: Path) -> None:
    """What a trained formatter writes comes from the prose it is given, and from nothing else."""
    from proseform.infer import Request, loading, worker
    from proseform.infer.role_model import RoleModel

    steps = {"sft": {"formatter": {"steps": 160, "learning_rate": 1e-2, "save_every": 1000}}}
    job = make_job("sft", "formatter", dataset=dataset, base=tiny_base, changes=steps)
    sft.main(job)
    role_model = RoleModel.of(*loading.load_model(Path(job.out) / weights.WEIGHTS))
    toy = task.load("train-toy")
    cases = list({case.answer["word"]: case for case in toy.generate("easy", "test", 0, 60)}.values())
    schema = toy.schema.document
    asked = [
        Request(
            "formatter",
            toy.formatter.render({"prose": case.prose, "schema": toy.schema.signature()}),
            toy.formatter.prefill,
            schema,
        )
        for case in cases
    ]
    for order in (asked, asked[::-1]):
        answers = [case.answer for case in (cases if order is asked else cases[::-1])]
        completions = role_model.complete([worker.Job(request) for request in order])
        assert [json.loads(completion.text) for completion in completions] == answers


@pytest.mark.parametrize(
    ("role", "changes", "word"),
    [
        ("critic", {}, "no role 'critic'"),
        ("evaluator", {"model": {"quantize": "4bit"}}, "cannot be trained whole"),
        ("evaluator", {"model": {"quantize": "4bit"}, "sft": {"evaluator": {"lora": {"r": 4}}}}, "wants a GPU"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    make_job: MakeJob,
    dataset: Path,
    tiny_base: Path,
    role: str,
    changes: dict,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match=word):
        sft.main(make_job("sft", role, dataset=dataset, base=tiny_base, changes=changes))
