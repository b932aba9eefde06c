"""The section ``[cluster]`` of a run file: where and how training jobs and services run on a Kubernetes.

Nothing here changes what a stage makes, so no stage's key depends on it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from proseform.config.section import Count, Positive, Section
from proseform.versions import images

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
"""A Kubernetes name: DNS label."""

Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
"""A Kubernetes resource quantity, such as ``500m`` or ``4Gi``."""


class Images(Section):
    """Container images; by digest where they are to be reproducible."""

    train: str = images()["train"]
    """Runs training workers."""
    serve: str = images()["serve"]
    """Runs the transformer."""
    pipeline: str = images()["pipeline"]
    """Runs the pipeline's steps."""
    vllm: str = images()["vllm"]
    """Runs the models."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When nodes fetch them."""


class Environment(Section):
    """A Python environment on a claim, mounted read-only, for clusters where images do not carry it."""

    claim: Name
    """The PersistentVolumeClaim."""
    path: str
    """Where pods mount it."""
    packages: str
    """The folder of packages in it, put on PYTHONPATH."""


class Toleration(Section):
    """A taint that pods put up with."""

    key: str
    """The taint's key."""
    value: str = ""
    """Its value; empty tolerates every value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"
    """Its effect."""


class Jobs(Section):
    """Training jobs."""

    kind: Literal["PyTorchJob", "TrainJob"] = "PyTorchJob"
    """The training operator's first API (kubeflow.org/v1), or its second (trainer.kubeflow.org/v1alpha1)."""
    nodes: Positive = 1
    """Pods of a job: one master, the rest workers; launch.processes, the whole world, are shared out among them."""
    elastic: Count = 0
    """Workers at least, of an elastic job that goes on with fewer (PyTorchJob only); 0: the world is fixed, and runs are repeatable."""
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
    pending_s: Positive = 600
    """Seconds that a pod may stay unscheduled or without its image before the stage fails; waiting in a queue does not count."""
    interface: str = "eth0"
    """Network interface of the pods, for gloo."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels that a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(strict=False)] = ()
    """Taints that the pods put up with."""
    environment: Environment | None = None
    """A Python environment on a claim; absent takes the image's."""


class Steps(Section):
    """The pipeline's steps where a KFP server runs them; training itself runs in jobs of its own."""

    home: Annotated[str, Field(pattern=r"^/.")] = "/var/lib/proseform"
    """Where steps mount the claim, and jobs with them: the home folder."""
    cpu: Quantity = "1"
    """Processor request and limit of a step."""
    memory: Quantity = "8Gi"
    """Memory request and limit of a step."""
    retries: Count = 2
    """How often a failed step is tried again; it adopts what it has done already."""
    secret: str = ""
    """A Secret that steps mount as files: its key aws holds credentials for s3://. Empty: none."""
    account: str = ""
    """Service account of the run, which may create and delete training jobs; empty takes the server's default."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels that a step's node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(strict=False)] = ()
    """Taints that steps put up with."""


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
    user: Positive = 10001
    """User and group of every container: a number, as PodSecurity "restricted" wants."""
    images: Images = Images()
    jobs: Jobs = Jobs()
    steps: Steps = Steps()
    serving: Serving = Serving()
