"""The pods of a training job: the rows that each rank trains on, and how a killed pod resumes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from proseform import config, digest, launch
from proseform.kube import jobs
from proseform.kube import pods as manifests
from proseform.stages import cache, dataset, policy
from tests.cluster.kubectl import apply, kubectl
from tests.cluster.probe import eventually
from tests.e2e import launched, python
from tests.e2e.world import CLAIM, HOME, NAMESPACE, PYTHON, USER, wait

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]  # whichever is first makes images and world
RUN = """
extends = "small"
[dataset]
train = 64
valid = 8
test = 4
[sft.evaluator]
steps = 120
batch = 4
micro_batch = 2
save_every = 10
[launch]
processes = 2
"""


@pytest.fixture(scope="module")
def inputs():
    """A dataset and a base of half a million parameters, on the store's claim."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROSEFORM_HOME", str(HOME))
        patch.setenv("PROSEFORM_RUN", "training")
        data = cache.Slot()
        dataset.run("cv", RUN, data)
        base = policy.base(config.load(RUN), "cv", data)
    for path in HOME.rglob("*"):  # made by us, read by the pods' user
        shutil.chown(path, USER, USER)
    return {"dataset": str(cache.ref(data)), "base": str(base.ref)}


def training(name, inputs):
    run = config.load(RUN).model_dump(mode="json", by_alias=True)
    return launched.job(name, 2, inputs, task="cv", role="evaluator", run=run)


def witness(job, rank):
    return json.loads((Path(job.work) / f"witness-{rank}.json").read_text())


@pytest.fixture(scope="module")
def whole(world, inputs):
    """An uninterrupted run."""
    job = training("whole", inputs)
    launched.run(launched.place(world, nodes=2), "witness", job)
    return job


def test_two_pods_train_on_different_rows_and_end_with_equal_weights(whole):
    told = [witness(whole, rank) for rank in (0, 1)]
    assert [line["world"] for line in told] == [2, 2]
    assert told[0]["host"] != told[1]["host"]
    assert len(told[0]["steps"]) == len(told[1]["steps"]) == 120
    for one, other in zip(told[0]["steps"], told[1]["steps"], strict=True):
        assert len(one) == len(other) == 2
        assert not set(one) & set(other)
    assert told[0]["weights"] == told[1]["weights"]


def test_pods_killed_mid_run_go_on_from_their_checkpoint_to_the_same_weights(world, inputs, whole):
    """First the worker, then the master; each time all ranks restart."""
    job = training("killed", inputs)
    with launched.running(launched.place(world, nodes=2), "witness", job):
        for rank, step in (("worker", 30), ("master", 70)):
            eventually(lambda step=step: reached(job) >= step, 120)
            (pod,) = [pod for pod in pods(world, job) if pod["metadata"]["name"].endswith(f"-{rank}-0")]
            kubectl("delete", "pod", "--namespace", NAMESPACE, pod["metadata"]["name"], "--grace-period=0", "--force")
    again = witness(job, 0)["steps"]
    assert 0 < len(again) <= 60, "the last start began at a checkpoint that the one before had made"
    assert again == witness(whole, 0)["steps"][-len(again) :], "and went on with the rows that were next"
    assert witness(job, 0)["weights"] == witness(whole, 0)["weights"]
    assert digest.of_files(Path(job.out) / "weights") == digest.of_files(Path(whole.out) / "weights")


def reached(job):
    """The last step that rank 0 has reported."""
    file = Path(job.work) / launch.PROGRESS
    told = file.read_text().splitlines() if file.exists() else []
    return json.loads(told[-1])["done"] if told else 0


def pods(world, job):
    return [
        pod for pod in world.api.find("v1", "Pod", f"{jobs.STAGE}={job.stage}") if pod["status"]["phase"] == "Running"
    ]


READS = """
import json, sys
from vllm import LLM, SamplingParams
model = LLM(sys.argv[1], dtype="float32", max_model_len=256, enforce_eager=True)
(completion,) = model.generate(sys.argv[2], SamplingParams(temperature=0, max_tokens=8))
print("tokens", json.dumps(list(completion.outputs[0].token_ids)))
"""


def test_vllm_loads_a_small_model_as_it_was_saved_and_reads_it_alike(world, whole):
    """The weights of the job in two pods, loaded as a folder: vLLM's greedy tokens are those of transformers."""
    weights, prompt = Path(whole.out) / "weights", "CV of Kenji Weber"
    env = {
        "PYTHONPATH": python.packages("vllm"),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "HF_HUB_OFFLINE": "1",
    }
    container = manifests.container(
        manifests.Container(
            "vllm",
            world.python,
            ["python3", "-c", READS, str(weights), prompt],
            env=env,
            resources={"cpu": "300m", "memory": "4Gi"},
            mounts={"store": (str(HOME), True), "python": (python.MOUNT, True)},
            limited=False,
        )
    )
    volumes = {"store": manifests.claim(CLAIM), "python": manifests.claim(PYTHON, read_only=True)}
    spec = {**manifests.pod([container], config.Place(), volumes), "restartPolicy": "Never"}
    apply([{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "reads", "namespace": NAMESPACE}, "spec": spec}])
    wait("pod/reads", "jsonpath={.status.phase}=Succeeded", 240)
    log = kubectl("logs", "--namespace", NAMESPACE, "reads")
    (line,) = [line for line in log.splitlines() if line.startswith("tokens ")]
    assert json.loads(line.removeprefix("tokens ")) == greedy(weights, prompt, 8)


def greedy(folder, prompt, count):
    """The likeliest tokens after a prompt, by transformers."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizer(prompt, return_tensors="pt")
    return model.generate(**ids, max_new_tokens=count, do_sample=False)[0][ids["input_ids"].shape[1] :].tolist()
