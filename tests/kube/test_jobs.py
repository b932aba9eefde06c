"""Training jobs are built as the real CRDs have them, and as PodSecurity "restricted" wants them."""

from __future__ import annotations

from typing import Any

import pytest

from proseform import config
from proseform.errors import ConfigError
from proseform.kube import jobs
from tests.kube.schemas import faults


def training(world_size: int = 2, **knobs: Any) -> jobs.Training:
    place = config.Place.model_validate({"jobs": {"nodes": 2, **knobs}})
    return jobs.Training("grpo-0123456789ab", "proseform.train.grpo", "/home/x/work/grpo/job.json", "/home/x", place, world_size, 1,
                         {jobs.KEY: "0123456789ab"}, {jobs.KEY: "sha256:" + "0" * 64})  # fmt: skip


KINDS = [
    {},
    {"nodes": 1},
    {"gpus": 8, "memory": "400Gi", "queue": "gpus"},
    {
        "node_selector": {"pool": "a"},
        "tolerations": [{"key": "gpu"}, {"key": "spot", "value": "yes", "effect": "NoExecute"}],
    },
    {"environment": {"claim": "python", "path": "/env", "packages": "/env/lib"}},
]


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
@pytest.mark.parametrize("knobs", KINDS, ids=lambda knobs: ",".join(knobs) or "plain")
def test_the_api_server_knows_every_field(kind: str, knobs: dict[str, Any]) -> None:
    for manifest in jobs.build(training(kind=kind, **knobs)):
        assert faults(manifest) == []


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
@pytest.mark.parametrize("knobs", KINDS, ids=lambda knobs: ",".join(knobs) or "plain")
def test_kubernetes_knows_every_field_of_the_pods(kind: str, knobs: dict[str, Any]) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed").validate
    for spec in pods(jobs.build(training(kind=kind, **knobs))):
        validate({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}, "1.34", strict=True)


def test_a_field_that_nobody_knows_is_found() -> None:
    """The strict schemas can fail."""
    (manifest,) = jobs.build(training())
    manifest["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]["imagePullpolicy"] = "Never"
    assert "imagePullpolicy" in faults(manifest)[0]


def pods(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pod specs in a job's objects."""
    job = manifests[-1]
    if job["kind"] == "PyTorchJob":
        return [replicas["template"]["spec"] for replicas in job["spec"]["pytorchReplicaSpecs"].values()]
    return [
        each["template"]["spec"]["template"]["spec"]
        for each in manifests[0]["spec"]["template"]["spec"]["replicatedJobs"]
    ]


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
@pytest.mark.parametrize("knobs", [{}, KINDS[2], KINDS[4]], ids=["plain", "gpus", "environment"])
def test_every_pod_is_restricted_and_writes_only_where_it_must(kind: str, knobs: dict[str, Any]) -> None:
    for spec in pods(jobs.build(training(kind=kind, **knobs))):
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any("hostPath" in volume for volume in spec["volumes"])
        for container in spec["containers"]:
            inner = container["securityContext"]
            assert (inner["allowPrivilegeEscalation"], inner["readOnlyRootFilesystem"]) == (False, True)
            assert inner["capabilities"] == {"drop": ["ALL"]}
            writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
            assert writable == {"/tmp", "/dev/shm", "/home/x"}
            assert container["resources"]["limits"] == container["resources"]["requests"]


def test_master_and_workers_run_the_same_command_as_a_list() -> None:
    (job,) = jobs.build(training(world_size=4))
    master, worker = (
        job["spec"]["pytorchReplicaSpecs"][kind]["template"]["spec"]["containers"][0] for kind in ("Master", "Worker")
    )
    assert master == worker
    assert master["command"] == [
        "python3", "-m", "torch.distributed.run", "--nproc-per-node=2", "--max-restarts=0",
        "-m", "proseform.train.grpo", "--job", "/home/x/work/grpo/job.json",
    ]  # fmt: skip
    assert "args" not in master


def test_a_queue_holds_the_job_back_until_kueue_admits_it() -> None:
    for kind in ("PyTorchJob", "TrainJob"):
        job = jobs.build(training(kind=kind, queue="gpus"))[-1]
        assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
        assert job["spec"].get("runPolicy", job["spec"])["suspend"] is True


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
def test_one_process_is_one_pod_however_many_nodes_jobs_have(kind: str) -> None:
    """A base is made by one process before many train it."""
    made = jobs.build(training(world_size=1, kind=kind))
    assert len(pods(made)) == 1
    assert "--nproc-per-node=1" in pods(made)[0]["containers"][0]["command"]
    assert made[-1]["spec"].get("trainer", {"numNodes": 1})["numNodes"] == 1


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
def test_every_pod_carries_the_jobs_name_whatever_operator_makes_it(kind: str) -> None:
    made = jobs.build(training(kind=kind))
    if kind == "PyTorchJob":
        templates = [each["template"] for each in made[-1]["spec"]["pytorchReplicaSpecs"].values()]
    else:
        templates = [
            each["template"]["spec"]["template"] for each in made[0]["spec"]["template"]["spec"]["replicatedJobs"]
        ]
    for template in templates:
        assert template["metadata"]["labels"]["proseform.dev/job"] == "grpo-0123456789ab"
        assert template["metadata"]["annotations"][jobs.KEY].startswith("sha256:")


def test_a_deadline_is_the_pods_too_where_the_operator_sees_it_only_when_a_pod_ends() -> None:
    assert [pod["activeDeadlineSeconds"] for pod in pods(jobs.build(training(deadline_s=60)))] == [60, 60]
    assert all("activeDeadlineSeconds" not in pod for pod in pods(jobs.build(training(kind="TrainJob", deadline_s=60))))


def test_gpus_and_shared_memory_are_asked_for() -> None:
    (spec, _) = pods(jobs.build(training(gpus=2, shared_memory="8Gi")))
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}} in spec["volumes"]


def test_processes_that_do_not_divide_among_the_pods_are_refused() -> None:
    with pytest.raises(ConfigError, match="do not divide among 2 pods"):
        jobs.build(training(3))


def test_a_run_whose_processes_do_not_divide_among_the_place_s_pods_is_refused_before_it_starts() -> None:
    from proseform.stages import preflight

    run = 'extends = "small"\n[launch]\nprocesses = 1\n[dataset]\ntrain = 16\n'
    with pytest.raises(ConfigError, match=r"launch.processes: 1 processes do not divide among the 2 pods"):
        preflight.check("cv", run, config.Place.model_validate({"jobs": {"nodes": 2}}), asked=False)
