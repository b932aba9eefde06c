"""What happens in the pods of a training job: who trains on what, and what a killed one costs."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proseform import config, digest, launch
from proseform.kube import jobs
from proseform.stages import dataset, frame, policy
from tests.cluster.kubectl import kubectl
from tests.e2e import launched
from tests.e2e.world import HOME, NAMESPACE, USER

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
RUN = """
extends = "small"
[dataset]
train = 64
valid = 8
test = 4
[sft.evaluator]
steps = 12
batch = 4
micro_batch = 2
save_every = 2
[launch]
processes = 2
"""


@dataclass
class Artifact:
    uri: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def inputs():
    """A dataset and a base of half a million parameters, on the store's claim."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROSEFORM_HOME", str(HOME))
        patch.setenv("PROSEFORM_RUN", "training")
        data = Artifact()
        dataset.run("cv", RUN, data)
        base = policy.base(config.load(RUN), "cv", data)
    return {"dataset": str(frame.ref(data)), "base": str(base.ref)}


def training(name, inputs):
    run = config.load(RUN).model_dump(mode="json", by_alias=True)
    return launched.job(name, 2, inputs, task="cv", role="evaluator", run=run)


def witness(job, rank):
    return json.loads((Path(job.work) / f"witness-{rank}.json").read_text())


@pytest.fixture(scope="module")
def whole(world, inputs):
    """A run that nothing interrupts."""
    job = training("whole", inputs)
    launched.run(launched.place(world, nodes=2), "witness", job)
    return job


def test_two_pods_train_on_different_rows_and_end_with_equal_weights(whole):
    told = [witness(whole, rank) for rank in (0, 1)]
    assert [each["world"] for each in told] == [2, 2]
    assert told[0]["host"] != told[1]["host"]
    assert len(told[0]["steps"]) == len(told[1]["steps"]) == 12
    for one, other in zip(told[0]["steps"], told[1]["steps"], strict=True):
        assert len(one) == len(other) == 2
        assert not set(one) & set(other)
    assert told[0]["weights"] == told[1]["weights"]


def test_a_pod_of_another_world_refuses_to_train(world, inputs):
    """Three processes were asked for, and the job has one: as where somebody has edited it by hand."""
    job = training("alone", inputs)
    wrong = launch.Job(job.stage, job.work, job.out, job.inputs, job.settings, 3)
    launch.prepare(wrong)
    where = launched.place(world, restarts=0)
    made = jobs.build(jobs.Training("alone", "witness", f"{job.work}/{launch.JOB}", str(HOME), where))
    for path in (Path(job.work), *Path(job.work).rglob("*")):
        shutil.chown(path, USER, USER)
    world.api.create(made[-1])
    launched.eventually((Path(job.work) / launch.ERROR).exists)
    world.api.delete(made[-1])
    said = json.loads((Path(job.work) / launch.ERROR).read_text())
    assert said["message"] == "alone: 1 processes are here, 3 were asked for."


@pytest.mark.parametrize("rank", ["master", "worker"])
def test_a_pod_killed_mid_run_goes_on_from_its_checkpoint_to_the_same_weights(world, inputs, whole, rank):
    job = training(f"killed-{rank}", inputs)
    with launched.running(launched.place(world, nodes=2), "witness", job):
        launched.eventually(lambda: progress(job) >= 4)
        (pod,) = [each for each in pods(world, job) if rank in each["metadata"]["name"]]
        kubectl("delete", "pod", "--namespace", NAMESPACE, pod["metadata"]["name"], "--grace-period=0", "--force")
    assert witness(job, 0)["steps"] != witness(whole, 0)["steps"], "it began at a checkpoint"
    assert len(witness(job, 0)["steps"]) < 12
    assert witness(job, 0)["weights"] == witness(whole, 0)["weights"]
    assert digest.of_files(Path(job.out) / "weights") == digest.of_files(Path(whole.out) / "weights")


def progress(job):
    """Steps that rank 0 has told of."""
    file = Path(job.work) / launch.PROGRESS
    return len(file.read_text().splitlines()) if file.exists() else 0


def pods(world, job):
    return [each for each in world.api.find("v1", "Pod", f"{jobs.STAGE}={job.stage}") if each["status"]["phase"] == "Running"]
