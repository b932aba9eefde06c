"""The vLLM server beside a GRPO job: valid by the real CRDs, restricted, known by its address, gone with the job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proseform import config, digest
from proseform import launch as launchers
from proseform.errors import StageError
from proseform.kube import jobs, launcher, sampler
from proseform.kube.api import Api
from tests.kube.launched import JOBS, cluster, ends
from tests.kube.schemas import faults
from tests.kube.server import Server
from tests.kube.test_jobs import pods, training

RUN = config.load(
    'extends = "default"\n[grpo.generation]\nengine = "vllm-server"\ntensor_parallel = 2\nmemory_share = 0.8\n'
)
MODEL = "/home/x/store/base"
PLACED = {"node_selector": {"pool": "a"}, "tolerations": [{"key": "gpu"}], "annotations": {"a.b/c": "d"}}


def built(kind: str = "PyTorchJob", **generation: Any) -> list[dict[str, Any]]:
    """The objects of a server beside a job of two pods in a queue."""
    beside = training(kind=kind, gpus=8, queue="gpus")
    place = beside.place.model_copy(update={"generation": config.GenerationJob.model_validate(generation)})
    return sampler.build(replace(beside, place=place), MODEL, RUN)


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
@pytest.mark.parametrize("knobs", [{}, PLACED], ids=["plain", "placed"])
def test_api_server_and_kubernetes_know_every_field(kind: str, knobs: dict[str, Any]) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed").validate
    manifests = built(kind, **knobs)
    assert [fault for manifest in manifests for fault in faults(manifest)] == []
    (spec,) = pods(manifests)
    validate({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}, "1.34", strict=True)
    assert spec.get("nodeSelector", {}) == knobs.get("node_selector", {})


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
def test_its_pod_is_restricted_reads_the_store_and_writes_only_scratch(kind: str) -> None:
    (spec,) = pods(built(kind))
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
    }  # fmt: skip
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/tmp", "/dev/shm"}
    assert {"name": "store", "mountPath": "/home/x", "readOnly": True} in container["volumeMounts"]
    assert container["resources"]["limits"] == {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "2"}


def test_its_command_is_what_trl_asks_of_a_server() -> None:
    (spec,) = pods(built(arguments=["--enforce-eager"]))
    (container,) = spec["containers"]
    words = container["command"]
    flags = {name: words[at + 1] for at, name in enumerate(words) if name.startswith("--") and at + 1 < len(words)}
    assert flags["--weight-transfer-config"] == '{"backend":"nccl"}'
    assert flags["--logprobs-mode"] == "processed_logprobs"
    assert (flags["--model"], flags["--max-model-len"]) == (MODEL, str(RUN.model.max_length))
    assert (flags["--tensor-parallel-size"], flags["--gpu-memory-utilization"]) == ("2", "0.8")
    assert words[-1] == "--enforce-eager"
    assert {"name": "VLLM_SERVER_DEV_MODE", "value": "1"} in container["env"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/health", "port": sampler.PORT}
    assert container["image"] == config.Place().images.generation


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("PyTorchJob", "http://grpo-0123456789ab-vllm-master-0.proseform:8000"),
        ("TrainJob", "http://grpo-0123456789ab-vllm-node-0-0.grpo-0123456789ab-vllm.proseform:8000"),
    ],
)
def test_the_trainer_is_told_the_address_and_is_not_restarted_by_itself(kind: str, address: str) -> None:
    beside = sampler.beside(training(kind=kind))
    manifests = jobs.build(beside)
    for spec in pods(manifests):
        assert {"name": "PROSEFORM_GENERATION_URL", "value": address} in spec["containers"][0]["env"]
    text = str(manifests)
    assert "'backoffLimit': 0" in text if kind == "PyTorchJob" else "'maxRestarts': 0" in text
    assert sampler.name(beside) == built(kind)[-1]["metadata"]["name"]


def test_it_waits_in_no_queue_and_is_found_by_its_run() -> None:
    job = built()[-1]
    assert job["spec"]["runPolicy"]["suspend"] is False
    assert jobs.QUEUE not in job["metadata"]["labels"]
    assert job["metadata"]["labels"][jobs.JOB] == job["metadata"]["name"]


@pytest.fixture
def sampled(job: launchers.Job, tmp_path: Path) -> launchers.Job:
    """A GRPO job whose run asks for a server."""
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    inputs = {"base": f"{base}#{digest.of_files(base)}"}
    return replace(job, stage="grpo", inputs=inputs, settings={"run": RUN.model_dump(mode="json", by_alias=True)})


@pytest.mark.usefixtures("quick")
def test_it_belongs_to_the_job_and_is_deleted_when_the_job_has_ended(
    server: Server, api: Api, sampled: launchers.Job
) -> None:
    owned: list[dict[str, Any]] = []
    end = ends(server, sampled, {"type": "Succeeded"})

    def before(method: str, path: str) -> Any:
        owned.extend(one for where, one in server.objects.items() if where.endswith("-vllm") and one not in owned)
        for where, one in server.objects.items():
            one["metadata"].setdefault("uid", where)
        return end(method, path) if not path.endswith("-vllm") else None

    server.before = before
    cluster(api).run("proseform.train.grpo", sampled)
    (left,) = server.objects
    assert not left.endswith("-vllm")
    (reference,) = owned[0]["metadata"]["ownerReferences"]
    assert (reference["kind"], f"{JOBS}/{reference['name']}", reference["uid"]) == ("PyTorchJob", left, left)


@pytest.mark.usefixtures("quick")
def test_it_is_deleted_when_the_job_fails_too(server: Server, api: Api, sampled: launchers.Job) -> None:
    end = ends(server, sampled, {"type": "Failed", "reason": "BackoffLimitExceeded"}, writes=False)
    server.before = lambda method, path: None if path.endswith("-vllm") else end(method, path)
    with pytest.raises(StageError):
        cluster(api).run("proseform.train.grpo", sampled)
    assert [where for where in server.objects if where.endswith("-vllm")] == []


def test_a_run_that_samples_in_process_has_none(api: Api, sampled: launchers.Job) -> None:
    beside = cluster(api).training("proseform.train.grpo", sampled)
    plain = config.load("default").model_dump(mode="json", by_alias=True)
    idle = {**sampled.settings["run"], "grpo": {**sampled.settings["run"]["grpo"], "steps": 0}}
    for other in (replace(sampled, settings={"run": plain}), replace(sampled, settings={"run": idle})):
        assert sampler.of(beside, other) == []
    assert len(sampler.of(beside, sampled)) == 1
    assert launcher.jobs.build(beside)[0]["spec"]["runPolicy"]["backoffLimit"] == 3
