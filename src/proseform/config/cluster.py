"""The section ``[cluster]`` of a run file: where and how training jobs and services run on a Kubernetes.

No knob here changes what a stage makes, so no stage's key depends on one.
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
    """The folder of packages in it, put on PYTHONPATH; named site-packages, or dill takes libraries for code of your own and fails."""


class Toleration(Section):
    """A taint that pods put up with."""

    key: str
    """The taint's key."""
    value: str = ""
    """Its value; empty tolerates every value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"
    """Its effect."""


class Placed(Section):
    """Which nodes pods may run on."""

    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels that a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(strict=False)] = ()
    """Taints that the pods put up with."""


class Jobs(Placed):
    """Training jobs."""

    kind: Literal["PyTorchJob", "TrainJob"] = "PyTorchJob"
    """The training operator's first API (kubeflow.org/v1), or its second (trainer.kubeflow.org/v1alpha1)."""
    nodes: Positive = 1
    """Pods of a job: one master, the rest workers; launch.processes, the whole world, are shared out among them."""
    elastic: Count = 0
    """Workers at least, of an elastic job that goes on with fewer (PyTorchJob only); 0: the world is fixed, and runs are repeatable."""
    cpu: Quantity = "1"
    """Processor request of a pod, and its limit under cluster.cpu_limits."""
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
    environment: Environment | None = None
    """A Python environment on a claim; absent takes the image's."""


class Steps(Placed):
    """The pipeline's steps where a KFP server runs them; training itself runs in jobs of its own."""

    home: Annotated[str, Field(pattern=r"^/.")] = "/var/lib/proseform"
    """Where steps mount the claim, and jobs with them: the home folder."""
    cpu: Quantity = "1"
    """Processor request of a step, and its limit under cluster.cpu_limits."""
    memory: Quantity = "8Gi"
    """Memory request and limit of a step."""
    retries: Count = 2
    """How often a failed step is tried again; it adopts what it has done already."""
    secret: str = ""
    """A Secret that steps mount as files: its key aws holds credentials for s3://. Empty: none."""
    account: str = ""
    """Service account of the run, which may create and delete training jobs; empty takes the server's default."""


class Engine(Placed):
    """The vLLM engines, which KServe calls predictors."""

    replicas: Positive = 1
    """Pods, of each engine."""
    replicas_max: Count = 0
    """Pods at most, where serving.scaling adds some; 0: as many as replicas."""
    cpu: Quantity = "4"
    """Processor request of a pod, and its limit under cluster.cpu_limits."""
    memory: Quantity = "16Gi"
    """Memory request and limit of a pod."""
    gpus: Count = 1
    """GPUs of a pod, over which the model is split (tensor parallel); 0 runs on the processor."""
    gpu_resource: str = "nvidia.com/gpu"
    """The name under which the cluster counts GPUs."""
    shared_memory: Quantity = "2Gi"
    """Size of /dev/shm, which vLLM's processes speak through."""
    dtype: Literal["", "auto", "bfloat16", "float16", "float32"] = ""
    """Weights and arithmetic, as vLLM names them; empty takes what the bundle names."""
    quantization: str = ""
    """vLLM's --quantization, such as fp8 or bitsandbytes; empty serves weights as they are."""
    memory_share: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of a GPU's memory that vLLM takes."""
    kv_cache_gib: Positive = 1
    """GiB of the KV cache where there is no GPU."""
    eager: bool = False
    """Run without compiled graphs: starts sooner, answers more slowly."""
    arguments: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Further arguments of vLLM's server."""
    start_s: Positive = 900
    """Seconds that an engine may take to load its models before it is started again."""
    environment: Environment | None = None
    """A Python environment with vLLM on a claim; absent takes the image's."""


class Transformer(Section):
    """The transformers, from which nothing leaves unverified."""

    replicas: Positive = 1
    """Pods."""
    replicas_max: Count = 0
    """Pods at most, where serving.scaling adds some; 0: as many as replicas."""
    cpu: Quantity = "1"
    """Processor request of a pod, and its limit under cluster.cpu_limits."""
    memory: Quantity = "1Gi"
    """Memory request and limit of a pod."""
    timeout_s: Positive = 60
    """Longest time for an answer, in seconds."""
    queue: Count = 64
    """Requests that may wait in a pod."""
    environment: Environment | None = None
    """A Python environment with Proseform on a claim; absent takes the image's."""


class Scaling(Section):
    """What adds and removes pods."""

    by: Literal["none", "hpa", "keda"] = "none"
    """none: replicas stand; hpa: by processor use; keda: engines by the requests that wait for them, transformers by processor use."""
    cpu: Annotated[int, Field(ge=1, le=100)] = 80
    """Percent of the processor request that is aimed at."""
    waiting: Positive = 4
    """Requests that wait for an engine's pod (vllm:num_requests_waiting) that are aimed at, under keda."""
    prometheus: str = "http://prometheus-operated.monitoring.svc:9090"
    """Where keda asks; the chart's ServiceMonitors bring the figures there."""


class Serving(Section):
    """The services of a promoted bundle."""

    form: Literal["auto", "economical", "wide"] = "auto"
    """economical: one engine with one base and an adapter for each role; wide: one for each role; auto: economical where it can be."""
    mode: Literal["standard", "serverless"] = "standard"
    """standard: versions side by side, split by an HTTPRoute; serverless: revisions on Knative, split by canaryTrafficPercent."""
    storage: Annotated[str, Field(pattern=r"^((pvc|s3|oci|oci\+native)://[^/].*)?$")] = ""
    """Where bundles lie: empty, on the claim, where deploy puts them; pvc://, a folder of them; s3://, MLflow's own; oci://, images."""
    account: str = ""
    """Service account of the pods, which has KServe's credentials for s3://; empty takes the namespace's default. No token is mounted."""
    gateway: Name = "proseform"
    """The Gateway that routes hang on, in the same namespace."""
    hostname: str = ""
    """Host that routes answer to; empty answers to every host of the gateway."""
    url: str = ""
    """Where the gateway is reached, for the probe; empty takes the address that the Gateway states."""
    ready_s: Positive = 1200
    """Seconds that a version may take until it is ready, unless deploy is told otherwise."""
    pending_s: Positive = 300
    """Seconds that pods may stay without a node or an image, or crash again and again, before waiting is given up."""
    drain_s: Count = 10
    """Seconds that a pod goes on answering after it has been told to go, until no gateway sends it anything more."""
    keep: Count = 1
    """Versions without traffic that promote leaves standing, for a rollback by one patch; older ones are removed."""
    scaling: Scaling = Scaling()
    engine: Engine = Engine()
    transformer: Transformer = Transformer()


class Cluster(Section):
    """A place on a Kubernetes."""

    namespace: Name = "proseform"
    """Where everything is created."""
    claim: Name = "proseform-store"
    """The PersistentVolumeClaim that holds home and store; pods mount it where the launcher sees the home folder."""
    user: Positive = 10001
    """User and group of every container: a number, as PodSecurity "restricted" wants."""
    cpu_limits: bool = True
    """Whether pods may use no more processor than they ask for; false lets them use what is idle, and no pod is Guaranteed."""
    images: Images = Images()
    jobs: Jobs = Jobs()
    steps: Steps = Steps()
    serving: Serving = Serving()
