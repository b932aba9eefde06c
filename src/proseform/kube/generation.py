"""A generation server of its own for GRPO (TRL's ``vllm_mode="server"``): training and generation on separate GPUs.

It is vLLM's own server with what TRL 1.16 asks of it (``trl/scripts/vllm_serve.py``): weights come by NCCL from the
trainer's rank 0, which the workers connect to. Its development endpoints take weights from whoever asks, so a network
policy lets in the pods of one training job alone.
Rendered and checked by schemas; it needs two GPUs, so it is not run here, and TRL 1.16 supports vLLM up to 0.31.
"""

from __future__ import annotations

from dataclasses import dataclass

from proseform import config
from proseform.kube import jobs, pods
from proseform.kube.pods import Manifest

PORT = 8000


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation server.

    Attributes:
        job: The training job that it generates for, whose pods alone may reach it.
        model: Folder of the model that training starts from, on the store's claim.
        home: The home folder, at which the claim is mounted.
        place: The cluster.
        max_length: Tokens of prompt and completion.
        gpus: GPUs, over which the model is split.
        dtype: The weights' type, as vLLM names it.
        memory_share: Share of a GPU's memory that vLLM takes, above 0 and at most 1.
    """

    job: str
    model: str
    home: str
    place: config.Cluster
    max_length: int
    gpus: int = 1
    dtype: str = "bfloat16"
    memory_share: float = 0.9

    @property
    def name(self) -> str:
        """The name of Deployment and Service."""
        return f"{self.job}-gen"

    @property
    def url(self) -> str:
        """Where the trainer finds it: ``vllm_server_base_url``."""
        return f"http://{self.name}.{self.place.namespace}.svc:{PORT}"


def build(wanted: Generation) -> list[Manifest]:
    """NetworkPolicy, Service and Deployment; the server is up once its readiness probe answers."""
    labels = {**pods.PART_OF, "app.kubernetes.io/component": "generation", "app.kubernetes.io/name": wanted.name}
    about: Manifest = {
        "name": wanted.name,
        "namespace": wanted.place.namespace,
        "labels": {**labels, jobs.JOB: wanted.job},
    }
    of_job = {"podSelector": {"matchLabels": {jobs.JOB: wanted.job, "app.kubernetes.io/component": "training"}}}
    policy: Manifest = {
        "podSelector": {"matchLabels": labels},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [of_job], "ports": [{"port": PORT, "protocol": "TCP"}]}],
    }
    ports = [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}]
    deployment = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},  # GPUs are not there twice
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": _pod(wanted)},
    }
    return [
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": about, "spec": policy},
        {"apiVersion": "v1", "kind": "Service", "metadata": about, "spec": {"selector": labels, "ports": ports}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": about, "spec": deployment},
    ]


def argv(wanted: Generation) -> list[str]:
    """The server's command."""
    return [
        "python3", "-m", "vllm.entrypoints.cli.main", "serve", wanted.model, "--host", "0.0.0.0", "--port", str(PORT),  # noqa: S104 - a pod
        "--tensor-parallel-size", str(wanted.gpus), "--gpu-memory-utilization", str(wanted.memory_share), "--dtype", wanted.dtype,
        "--max-model-len", str(wanted.max_length), "--enable-scale-out", "--weight-transfer-config", '{"backend": "nccl"}',
        "--logprobs-mode", "processed_logprobs", "--max-logprobs", "-1",
    ]  # fmt: skip


def _pod(wanted: Generation) -> Manifest:
    """The server's pod."""
    place, knobs = wanted.place, wanted.place.jobs
    probe = {"httpGet": {"path": "/health", "port": "http"}}
    made = pods.container(
        pods.Container(
            name="vllm",
            image=place.images.vllm,
            command=argv(wanted),
            pull_policy=place.images.pull_policy,
            env={"VLLM_SERVER_DEV_MODE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"},
            resources=pods.resources(knobs.cpu, knobs.memory, wanted.gpus, knobs.gpu_resource),
            limited=place.cpu_limits,
            mounts={"store": (wanted.home, True), "shared-memory": pods.SHARED_MEMORY},
            more={
                "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
                "startupProbe": {**probe, "periodSeconds": 10, "failureThreshold": 90},
                "readinessProbe": {**probe, "periodSeconds": 5},
            },
        )
    )
    volumes = {"store": pods.claim(place.claim), "shared-memory": pods.shared_memory(knobs.shared_memory)}
    return pods.pod([made], place.user, volumes, knobs.node_selector, knobs.tolerations)
