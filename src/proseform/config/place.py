"""A place: where and how training jobs and services run on a Kubernetes.

No knob here changes what a stage makes, so no stage's key depends on one. The exception is an engine that generates for
the evaluate stage: the key of its records holds dialect and model names, but no URL, which says only where it is. A
place is a file apart from the run file (``--place``), since one run may go to several clusters and one cluster take
several runs.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from proseform.config.placement import Environment, Folder, Image, Key, Name, OptionalName, Placed, Quantity, Url
from proseform.config.section import Count, Positive, Section
from proseform.config.serving import Serving
from proseform.versions import images


class Images(Section):
    """Container images; name them by digest to be reproducible."""

    train: Image = images()["train"]
    """Runs training workers."""
    serve: Image = images()["serve"]
    """Runs the transformer."""
    pipeline: Image = images()["pipeline"]
    """Runs the pipeline's steps."""
    vllm: Image = images()["vllm"]
    """Runs the models."""
    generation: Image = images()["generation"]
    """Samples for GRPO beside a training job: the newest vLLM that TRL knows."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When nodes pull images."""


ModelName = Annotated[str, Field(pattern=r"^[^\s{}]*(\{digest\}[^\s{}]*)?$", min_length=1)]
"""A model's name at a server; {digest} stands for the first twelve hex digits of its weights' digest."""


class Measured(Section):
    """The names of what is measured at an engine by URL; with {digest}, no other weights are measured by mistake."""

    base: ModelName = "base"
    """The base, which is asked in both roles."""
    sft: ModelName = "sft-{digest}"
    """The evaluator after SFT."""
    grpo: ModelName = "grpo-{digest}"
    """The evaluator after GRPO."""
    formatter: ModelName = "formatter-{digest}"
    """The formatter."""


class EvaluateEngine(Section):
    """An OpenAI-compatible server that generates for the evaluate stage, in the place of a job."""

    url: Url = ""
    """URL of the server; empty: a job of the stage's own holds the models."""
    dialect: Literal["vllm", "openai"] = "vllm"
    """How the server is asked for a schema, vLLM's way or by OpenAI's response_format."""
    key_file: str = ""
    """A file with the server's API key, as the evaluate step sees it (steps.secret); empty sends none."""
    models: Measured = Measured()
    timeout_s: Positive = 600
    """Longest wait for one text, in seconds; a server that writes many side by side is slow at each."""


class EvaluateJob(Placed):
    """The job that generates for the evaluate stage: one pod and one process, which loads one model after another."""

    cpu: Quantity = "1"
    """CPU request of the pod; also its limit if cpu_limits is true."""
    memory: Quantity = "8Gi"
    """Memory request and limit of the pod."""
    gpus: Count = 0
    """GPUs of the pod; 1 is enough, 0 generates on the CPU."""
    engine: EvaluateEngine = EvaluateEngine()


class Jobs(Placed):
    """Training jobs."""

    kind: Literal["PyTorchJob", "TrainJob"] = "PyTorchJob"
    """The training operator's first API (kubeflow.org/v1), or its second (trainer.kubeflow.org/v1alpha1)."""
    nodes: Positive = 1
    """Pods of a job, one master and the rest workers; they share the run's launch.processes evenly."""
    cpu: Quantity = "1"
    """CPU request of a pod; also its limit if cpu_limits is true."""
    memory: Quantity = "4Gi"
    """Memory request and limit of a pod."""
    gpus: Count = 0
    """GPUs of a pod."""
    gpu_resource: Key = "nvidia.com/gpu"
    """The name under which the cluster counts GPUs."""
    shared_memory: Quantity = "1Gi"
    """Size of /dev/shm, which NCCL and data loaders share memory in."""
    queue: OptionalName = ""
    """Kueue's LocalQueue; jobs are created suspended and Kueue starts them. Empty: they start at once."""
    restarts: Count = 3
    """Restarts of failed pods before the job fails."""
    deadline_s: Positive = 86400
    """Longest time that a job may run, in seconds; then it fails."""
    keep_s: Count = 3600
    """How long a finished job stays readable, in seconds."""
    pending_s: Positive = 600
    """Longest wait for a node and an image, in seconds, before the stage fails; time in a queue does not count."""
    interface: str = "eth0"
    """The pods' network interface, which gloo needs to know."""
    account: OptionalName = ""
    """Service account of the pods; empty: the namespace's default. No token is mounted."""
    hub_secret: OptionalName = ""
    """A Secret whose key token opens gated models of the hub; the job that fetches the base mounts it. Empty: none."""
    environment: Environment | None = None
    """A Python environment on a claim; absent: the image's."""


class GenerationJob(Placed):
    """The vLLM server beside a GRPO job, where a run asks for one (grpo.generation); its GPUs are the run's to say."""

    cpu: Quantity = "4"
    """CPU request of the pod; also its limit if cpu_limits is true."""
    memory: Quantity = "16Gi"
    """Memory request and limit of the pod."""
    start_s: Positive = 900
    """Longest time for the server to load the model, in seconds, before it counts as failed."""
    arguments: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Further arguments of vLLM's server."""


class Steps(Placed):
    """The pipeline's steps on a KFP server; training runs in jobs of its own, which the steps start."""

    home: Folder = "/var/lib/proseform"
    """The home folder: where steps and jobs mount the claim."""
    cpu: Quantity = "1"
    """CPU request of a step; also its limit if cpu_limits is true."""
    memory: Quantity = "8Gi"
    """Memory request and limit of a step."""
    retries: Count = 2
    """Retries of a failed step; a retry continues from what the step has already done."""
    secret: OptionalName = ""
    """A Secret that steps mount as files; its key aws is an AWS credentials file for s3://. Empty: none."""
    account: OptionalName = ""
    """Service account of the steps, which create and delete training jobs; empty uses the KFP server's default."""


class Place(Section):
    """A place: a namespace of a Kubernetes cluster, and how jobs and services run there."""

    description: str = ""
    """One sentence for people."""
    namespace: Name = "proseform"
    """The namespace of all jobs and services."""
    claim: Name = "proseform-store"
    """The PersistentVolumeClaim of home folder and store; pods mount it at the launcher's path of the home folder."""
    user: Positive = 10001
    """Numeric user and group of every container, as PodSecurity "restricted" requires."""
    cpu_limits: bool = True
    """true: the CPU request is also the limit, and pods are of class Guaranteed; false: pods may use idle CPU."""
    pull_secrets: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    """Secrets with which nodes pull images, for every pod."""
    ipv6: bool = False
    """true: services listen on IPv6 too, as clusters with IPv6 addresses need."""
    images: Images = Images()
    jobs: Jobs = Jobs()
    evaluate: EvaluateJob = EvaluateJob()
    generation: GenerationJob = GenerationJob()
    steps: Steps = Steps()
    serving: Serving = Serving()
