"""Training jobs are valid by the real CRDs, and by PodSecurity "restricted"."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from proseform import config
from proseform.errors import ConfigError
from proseform.kube import jobs
from proseform.stages import preflight
from tests.kube.schemas import faults


def training(world_size: int = 2, **knobs: Any) -> jobs.Training:
    place = config.Place.model_validate({"jobs": {"nodes": 2, **knobs}})
    return jobs.Training(
        "grpo-0123456789ab",
        "proseform.train.grpo",
        "/home/x/work/grpo/job.json",
        "/home/x",
        place,
        world_size,
        1,
        {jobs.KEY: "0123456789ab"},
        {jobs.KEY: "sha256:" + "0" * 64},
    )


KINDS = [
    {},
    {"nodes": 1},
    {"gpus": 8, "memory": "400Gi", "queue": "gpus"},
    {
        "node_selector": {"pool": "a"},
        "tolerations": [{"key": "gpu"}, {"key": "spot", "value": "yes", "effect": "NoExecute"}],
    },
    {"account": "training", "hub_secret": "hub", "annotations": {"sidecar.istio.io/inject": "false"}},
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
        replica["template"]["spec"]["template"]["spec"]
        for replica in manifests[0]["spec"]["template"]["spec"]["replicatedJobs"]
    ]


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
@pytest.mark.parametrize("knobs", [{}, KINDS[2], KINDS[5]], ids=["plain", "gpus", "environment"])
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
        "python3",
        "-m",
        "torch.distributed.run",
        "--nproc-per-node=2",
        "--max-restarts=0",
        "-m",
        "proseform.train.grpo",
        "--job",
        "/home/x/work/grpo/job.json",
    ]
    assert "args" not in master


def test_a_queue_holds_the_job_back_until_kueue_admits_it() -> None:
    for kind in ("PyTorchJob", "TrainJob"):
        job = jobs.build(training(kind=kind, queue="gpus"))[-1]
        assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
        assert job["spec"].get("runPolicy", job["spec"])["suspend"] is True


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
def test_one_process_is_one_pod_however_many_nodes_jobs_have(kind: str) -> None:
    """A base is made by one process before many train it."""
    manifests = jobs.build(training(world_size=1, kind=kind))
    assert len(pods(manifests)) == 1
    assert "--nproc-per-node=1" in pods(manifests)[0]["containers"][0]["command"]
    assert manifests[-1]["spec"].get("trainer", {"numNodes": 1})["numNodes"] == 1


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
def test_every_pod_carries_the_jobs_name_whatever_operator_makes_it(kind: str) -> None:
    manifests = jobs.build(training(kind=kind))
    if kind == "PyTorchJob":
        templates = [replica["template"] for replica in manifests[-1]["spec"]["pytorchReplicaSpecs"].values()]
    else:
        templates = [
            replica["template"]["spec"]["template"]
            for replica in manifests[0]["spec"]["template"]["spec"]["replicatedJobs"]
        ]
    for template in templates:
        assert template["metadata"]["labels"]["proseform.dev/job"] == "grpo-0123456789ab"
        assert template["metadata"]["annotations"][jobs.KEY].startswith("sha256:")


def test_a_deadline_is_the_pods_too_where_the_operator_sees_it_only_when_a_pod_ends() -> None:
    assert [pod["activeDeadlineSeconds"] for pod in pods(jobs.build(training(deadline_s=60)))] == [60, 60]
    assert all("activeDeadlineSeconds" not in pod for pod in pods(jobs.build(training(kind="TrainJob", deadline_s=60))))


def of_stage(stage: str, kind: str = "PyTorchJob", **place: Any) -> list[dict[str, Any]]:
    """The pods of a job of a stage, at a place."""
    where = config.Place.model_validate({"jobs": {"kind": kind, "gpus": 8, **place.pop("jobs", {})}, **place})
    labels = {jobs.KEY: "0123456789ab", jobs.STAGE: stage}
    return pods(jobs.build(jobs.Training(f"{stage}-0", "a.b", "/home/x/job.json", "/home/x", where, labels=labels)))


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
def test_account_pull_secrets_and_annotations_reach_every_pod(kind: str) -> None:
    knobs = {"account": "training", "annotations": {"sidecar.istio.io/inject": "false"}}
    for pod in of_stage("grpo", kind, pull_secrets=["registry"], jobs=knobs):
        assert pod["serviceAccountName"] == "training"
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
    manifests = jobs.build(training(kind=kind, **knobs))
    text = str(manifests)
    assert text.count("'sidecar.istio.io/inject': 'false'") == {"PyTorchJob": 2, "TrainJob": 1}[kind]


def test_only_the_job_that_fetches_the_base_has_the_hub_s_token_and_as_a_file() -> None:
    (pod,) = of_stage("base", jobs={"hub_secret": "hub"})
    (container,) = pod["containers"]
    assert {"name": "HF_TOKEN_PATH", "value": "/etc/proseform/hub/token"} in container["env"]
    assert {"name": "hub", "mountPath": "/etc/proseform/hub", "readOnly": True} in container["volumeMounts"]
    assert {"name": "hub", "secret": {"secretName": "hub", "defaultMode": 0o440}} in pod["volumes"]
    (other,) = of_stage("sft-evaluator", jobs={"hub_secret": "hub"})
    assert "hub" not in str(other["volumes"])
    assert "HF_TOKEN_PATH" not in str(other)


def test_what_generates_for_evaluate_asks_for_its_own_processors_memory_and_gpus() -> None:
    needs = {"cpu": "3", "memory": "24Gi", "gpus": 1, "node_selector": {"pool": "small-gpu"}}
    (pod,) = of_stage("records", evaluate=needs)
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {"cpu": "3", "memory": "24Gi", "nvidia.com/gpu": "1"}
    assert pod["nodeSelector"] == {"pool": "small-gpu"}
    (trains,) = of_stage("grpo", evaluate=needs)
    assert trains["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "8"


def test_gpus_and_shared_memory_are_asked_for() -> None:
    (spec, _) = pods(jobs.build(training(gpus=2, shared_memory="8Gi")))
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}} in spec["volumes"]


def test_processes_that_do_not_divide_among_the_pods_are_refused() -> None:
    with pytest.raises(ConfigError, match="do not divide among 2 pods"):
        jobs.build(training(3))


RUN = """
extends = "default"
[model]
source = "hub"
name = "{name}"
"""


@pytest.mark.parametrize(
    ("folder", "here", "words"),
    [
        ("/elsewhere/base", True, "pods do not see the folder /elsewhere/base"),
        ("./base", True, "pods do not see the folder ./base"),
        ("HOME/../base", True, "pods do not see"),
        ("HOME/models/none", True, "no model in the folder"),
        ("HOME/models/base", True, ""),
        ("/var/lib/proseform/models/base", False, ""),
        ("/elsewhere/base", False, "pods do not see"),
        ("Qwen/Qwen3-8B", True, ""),
    ],
)
def test_a_base_that_was_fetched_before_lies_on_the_claim_where_pods_see_it(
    folder: str, here: bool, words: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path))
    (tmp_path / "models/base").mkdir(parents=True)
    (tmp_path / "models/base/config.json").write_text("{}")
    with pytest.raises(ConfigError, match=words) if words else nullcontext():
        name = folder.replace("HOME", str(tmp_path))
        preflight._model(config.parse(RUN.format(name=name)), config.Place(), asked=here)


@pytest.mark.parametrize(
    ("folder", "here", "words"),
    [
        ("/elsewhere/weights", True, r"sft\.evaluator\.start: pods do not see the folder /elsewhere/weights"),
        ("HOME/weights", True, r"sft\.evaluator\.start: no adapter in the folder"),
        ("/var/lib/proseform/weights", False, ""),
    ],
)
def test_weights_that_training_goes_on_from_lie_where_pods_see_them(
    folder: str, here: bool, words: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path))
    run = 'extends = "smollm2"\n[sft.evaluator]\nstart = "{}"\n'.format(folder.replace("HOME", str(tmp_path)))
    with pytest.raises(ConfigError, match=words) if words else nullcontext():
        preflight._start(config.parse(run), config.Place(), asked=here)


def test_a_run_whose_processes_do_not_divide_among_the_place_s_pods_is_refused_before_it_starts() -> None:
    run = 'extends = "small"\n[launch]\nprocesses = 1\n[dataset]\ntrain = 16\n'
    with pytest.raises(ConfigError, match=r"launch.processes: 1 processes do not divide among the 2 pods"):
        preflight.check("cv", run, config.Place.model_validate({"jobs": {"nodes": 2}}), asked=False)
