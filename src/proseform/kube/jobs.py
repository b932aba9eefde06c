"""Training jobs as values: one builder for a PyTorchJob (kubeflow.org/v1) and a TrainJob (trainer.kubeflow.org/v1alpha1).

Master and workers come from one pod template, and its argv is a list: torchrun finds its peers by the PET_* variables
that the operators set, so that the same command runs in every pod. The store's claim is mounted where the launcher sees
the home folder: a file's URI means the same on both sides.
Left out: MPI, node pools that differ within a job, and elastic jobs: the number of processes decides how batches are
shared out, so a job that went on with fewer would train something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from proseform import config
from proseform.errors import ConfigError
from proseform.kube import pods
from proseform.kube.pods import Manifest

KEY = "proseform.dev/key"
"""Label: the short digest of what the job was made from; a launcher adopts a job only where it agrees."""
JOB = "proseform.dev/job"
"""Label: the job's name, which its pods carry too, whatever operator made them."""
OUTPUT = "proseform.dev/output"
"""Annotation of a job that has succeeded: the digest of what its pods made, as MLflow tags the version with it."""
STAGE = "proseform.dev/stage"
"""Label: the stage's name."""
RUN = "proseform.dev/run"
"""Label: the pipeline run that started it; a clean-up finds the run's jobs by it."""
QUEUE = "kueue.x-k8s.io/queue-name"
"""Label of Kueue, which admits suspended jobs."""
_GENERATES, _FETCHES = {"records", "evaluate"}, "base"
"""Stages whose job generates for evaluate, and the stage whose job fetches the base, from the hub for one."""
HUB = "/etc/proseform/hub"
"""Where the token of the hub lies, as the file ``token``."""
CONTAINER = {"PyTorchJob": "pytorch", "TrainJob": "node"}
"""The container's name that each operator looks for."""


@dataclass(frozen=True, slots=True)
class Training:
    """A training job.

    Attributes:
        name: A DNS label of at most 50 characters; pods append to it.
        worker: The worker's module, such as ``proseform.train.grpo``.
        job_file: Where the worker finds its job, on the store's claim.
        home: The home folder, at which the claim is mounted; absolute.
        place: The cluster.
        world_size: Processes in all, a multiple of :attr:`nodes`.
        threads: Threads of each process.
        labels: Further labels.
        annotations: Whole digests, which labels have no room for.
    """

    name: str
    worker: str
    job_file: str
    home: str
    place: config.Place
    world_size: int = 1
    threads: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """The stage's name."""
        return self.labels.get(STAGE, "")

    @property
    def needs(self) -> config.Jobs | config.EvaluateJob:
        """What a pod of this job asks for, and where it may run: what generates for evaluate has a section of its own."""
        return self.place.evaluate if self.stage in _GENERATES else self.place.jobs

    @property
    def nodes(self) -> int:
        """Pods of this job: the cluster's, or fewer where there are fewer processes, as when a base is made by one."""
        return min(self.place.jobs.nodes, self.world_size)

    @property
    def processes(self) -> int:
        """Processes of one pod.

        Raises:
            ConfigError: The world does not divide among the pods.
        """
        if self.world_size % self.nodes:
            raise ConfigError(f"jobs.nodes: {self.world_size} processes do not divide among {self.nodes} pods.")
        return self.world_size // self.nodes


def build(training: Training) -> list[Manifest]:
    """The objects of a training job, the job last.

    Raises:
        ConfigError: What this kind of job cannot do; the field is named.
    """
    return [pytorch_job(training)] if training.place.jobs.kind == "PyTorchJob" else train_job(training)


def argv(training: Training) -> list[str]:
    """The command of every pod."""
    run = ["python3", "-m", "torch.distributed.run", f"--nproc-per-node={training.processes}", "--max-restarts=0"]
    return [*run, "-m", training.worker, "--job", training.job_file]


def pytorch_job(training: Training) -> Manifest:
    """A PyTorchJob: one master, the rest workers."""
    jobs = training.place.jobs
    spec: Manifest = {
        "nprocPerNode": str(training.processes),
        "runPolicy": {
            # Finished pods stay readable until the job goes, running ones end with it. At a deadline or a backoff limit
            # the operator (1.9.4) deletes every pod whatever stands here, and only then says that the job has failed.
            "cleanPodPolicy": "Running",
            "backoffLimit": jobs.restarts,
            "activeDeadlineSeconds": jobs.deadline_s,
            "ttlSecondsAfterFinished": jobs.keep_s,
            "suspend": bool(jobs.queue),
        },
    }
    spec["pytorchReplicaSpecs"] = {"Master": _replicas(training, 1)}
    if training.nodes > 1:
        spec["pytorchReplicaSpecs"]["Worker"] = _replicas(training, training.nodes - 1)
    return {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": _metadata(training), "spec": spec}


def train_job(training: Training) -> list[Manifest]:
    """A TrainJob, and the TrainingRuntime of its own that it refers to."""
    jobs = training.place.jobs
    node = {"metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}}}
    job_spec = {"backoffLimit": 0, "template": _template(training)}
    replicated = {"name": "node", "replicas": 1, "template": {**node, "spec": job_spec}}
    runtime: Manifest = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainingRuntime",
        "metadata": {**_metadata(training), "labels": {**_labels(training), "trainer.kubeflow.org/framework": "torch"}},
        "spec": {
            "mlPolicy": {"numNodes": training.nodes, "torch": {}},
            "template": {
                "spec": {
                    "replicatedJobs": [replicated],
                    "failurePolicy": {"maxRestarts": jobs.restarts},
                    "ttlSecondsAfterFinished": jobs.keep_s,
                }
            },
        },
    }
    job: Manifest = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": _metadata(training),
        "spec": {
            "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime", "name": training.name},
            "suspend": bool(jobs.queue),
            "activeDeadlineSeconds": jobs.deadline_s,
            "trainer": {"numNodes": training.nodes, "numProcPerNode": training.processes},
        },
    }
    return [runtime, job]


def _replicas(training: Training, replicas: int) -> Manifest:
    """Pods of one kind: the same template for every kind."""
    return {"replicas": replicas, "restartPolicy": "OnFailure", "template": _template(training)}


def _template(training: Training) -> Manifest:
    """The template of every pod, master and worker alike."""
    annotations = {**training.needs.annotations, **training.annotations}
    return {"metadata": {"labels": _labels(training), "annotations": annotations}, "spec": _pod(training)}


def _pod(training: Training) -> Manifest:
    """The pod's spec."""
    place, jobs, needs = training.place, training.place.jobs, training.needs
    variables, volumes, mounts = pods.environment(jobs.environment)
    if jobs.hub_secret and training.stage == _FETCHES:
        variables = {**variables, "HF_TOKEN_PATH": f"{HUB}/token"}
        volumes, mounts = {**volumes, "hub": pods.secret(jobs.hub_secret)}, {**mounts, "hub": (HUB, True)}
    threads = str(training.threads)
    env = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        "GLOO_SOCKET_IFNAME": jobs.interface,
        **variables,
    }
    made = pods.container(
        pods.Container(
            name=CONTAINER[jobs.kind],
            image=place.images.train,
            command=argv(training),
            pull_policy=place.images.pull_policy,
            env=env,
            resources=pods.resources(needs.cpu, needs.memory, needs.gpus, jobs.gpu_resource),
            limited=place.cpu_limits,
            mounts={"store": (training.home, False), "shared-memory": pods.SHARED_MEMORY, **mounts},
        )
    )
    volumes = {"store": pods.claim(place.claim), "shared-memory": pods.shared_memory(jobs.shared_memory), **volumes}
    spec = pods.pod([made], place, volumes, needs, jobs.account)
    if jobs.kind == "TrainJob":
        return {**spec, "restartPolicy": "Never"}
    # The operator (1.9.4) looks at a job's deadline only when something else happens to the job: the kubelet sees to
    # that.
    return {**spec, "activeDeadlineSeconds": jobs.deadline_s}


def _metadata(training: Training) -> Manifest:
    """Name, namespace, labels, and Kueue's queue where one is named."""
    queue = {QUEUE: training.place.jobs.queue} if training.place.jobs.queue else {}
    return {
        "name": training.name,
        "namespace": training.place.namespace,
        "labels": {**_labels(training), **queue},
        "annotations": dict(training.annotations),
    }


def _labels(training: Training) -> dict[str, str]:
    """The labels of job and pods."""
    return {**pods.PART_OF, "app.kubernetes.io/component": "training", JOB: training.name, **training.labels}
