"""The section ``[cluster]`` of a run file: where and how training jobs and services run on a Kubernetes.

Nothing here changes what a stage makes, so no stage's key depends on it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from proseform.config.section import Count, Positive, Section

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
"""A Kubernetes name: DNS label."""

Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
"""A Kubernetes resource quantity, such as ``500m`` or ``4Gi``."""


class Images(Section):
    """Container images; by digest where they are to be reproducible."""

    train: str = "proseform-train:dev"
    """Runs training workers."""
    serve: str = "proseform-serve:dev"
    """Runs the transformer."""
    pipeline: str = "proseform-pipeline:dev"
    """Runs the pipeline's steps."""
    vllm: str = "vllm/vllm-openai:v0.32.0"
    """Runs the models."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When nodes fetch them."""


class Jobs(Section):
    """Training jobs."""

    kind: Literal["PyTorchJob", "TrainJob"] = "PyTorchJob"
    """The training operator's first API (kubeflow.org/v1), or its second (trainer.kubeflow.org/v1alpha1)."""
    nodes: Positive = 1
    """Pods of a job: one master, the rest workers; launch.processes are shared out among them."""
    cpu: Quantity = "1"
    """Processor request and limit of a pod."""
    memory: Quantity = "4Gi"
    """Memory request and limit of a pod."""
    gpus: Count = 0
    """GPUs of a pod."""
    gpu_resource: str = "nvidia.com/gpu"
    """The name under which the cluster counts GPUs."""
    shared_memory: Quantity = "1Gi"
    """Size of /dev/shm, which NCCL and data loaders share memory in."""
    queue: str = ""
    """Kueue's LocalQueue; the job is created suspended and admitted by Kueue. Empty: started at once."""
    restarts: Count = 3
    """How often a failed pod is started again before the job fails."""
    deadline_s: Positive = 86400
    """Seconds after which a running job is ended and fails."""
    keep_s: Count = 3600
    """Seconds that a finished job is kept for a look at it."""


class Serving(Section):
    """The services of a promoted bundle."""

    form: Literal["economical", "wide"] = "economical"
    """economical: one predictor with both adapters; wide: one InferenceService for each role."""


class Cluster(Section):
    """A place on a Kubernetes."""

    namespace: Name = "proseform"
    """Where everything is created."""
    claim: Name = "proseform-store"
    """The PersistentVolumeClaim that holds home and store; pods mount it where the launcher sees the home folder."""
    images: Images = Images()
    jobs: Jobs = Jobs()
    serving: Serving = Serving()
