"""Training jobs as values: a PyTorchJob (kubeflow.org/v1) or a TrainJob (trainer.kubeflow.org/v1alpha1).

Master and workers have one pod template, and its argv is a list: torchrun finds its peers by the PET_* variables that
the operators set, so the same command runs in every pod. The store's claim is mounted at the launcher's home folder, so
that a file's URI means the same on both sides.
Left out: MPI, different node pools within a job, and elastic jobs: the number of processes decides how batches are
divided, so a job that continued with fewer processes would train another model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from proseform import config
from proseform.errors import ConfigError
from proseform.kube import pods
from proseform.kube.pods import Manifest

KEY = "proseform.dev/key"
"""Label: the short digest of worker and job; a launcher adopts only a job with the same one."""
JOB = "proseform.dev/job"
"""Label: the job's name; its pods carry it too, whichever operator made them."""
OUTPUT = "proseform.dev/output"
"""Annotation of a job that has succeeded: the digest of its output, which is a tag of the version in MLflow too."""
STAGE = "proseform.dev/stage"
"""Label: the stage's name."""
RUN = "proseform.dev/run"
"""Label: the pipeline run that started the job; the clean-up finds a run's jobs by it."""
QUEUE = "kueue.x-k8s.io/queue-name"
"""Label of Kueue, which admits suspended jobs."""
_GENERATES, _FETCHES = {"records", "evaluate"}, "base"
"""Stages whose jobs generate, with resources of their own, and the stage whose job downloads from the hub."""
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
        annotations: Whole digests, which are too long for labels.
        environment: Further variables of the workers.
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
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """The stage's name."""
        return self.labels.get(STAGE, "")

    @property
    def needs(self) -> config.Jobs | config.EvaluateJob:
        """Resources and node placement of the job's pods; jobs that generate have a section of their own."""
        return self.place.evaluate if self.stage in _GENERATES else self.place.jobs

    @property
    def nodes(self) -> int:
        """Pods of this job: as many as the place says, but not more than processes."""
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


def build(training: Training, spec: Manifest | None = None) -> list[Manifest]:
    """The objects of a training job, the job last.

    Args:
        training: The job.
        spec: Of its pods; by default that of a worker.

    Raises:
        ConfigError: This kind of job cannot do what the place asks for; the field is named.
    """
    template = _template(training, spec or _pod(training))
    if training.place.jobs.kind == "PyTorchJob":
        return [pytorch_job(training, template)]
    return train_job(training, template)


def argv(training: Training) -> list[str]:
    """The command of every pod."""
    run = ["python3", "-m", "torch.distributed.run", f"--nproc-per-node={training.processes}", "--max-restarts=0"]
    return [*run, "-m", training.worker, "--job", training.job_file]


def pytorch_job(training: Training, template: Manifest) -> Manifest:
    """A PyTorchJob: one master, the rest workers, all with one template."""
    jobs = training.place.jobs
    policy = "OnFailure" if jobs.restarts else "Never"
    spec: Manifest = {
        "nprocPerNode": str(training.processes),
        "runPolicy": {
            # Finished pods stay until the job is deleted, so that their logs can be read; running ones are deleted. At
            # a deadline or a backoff limit the operator (1.9.4) ignores this: it deletes every pod, and only then says
            # that the job has failed.
            "cleanPodPolicy": "Running",
            "backoffLimit": jobs.restarts,
            "activeDeadlineSeconds": jobs.deadline_s,
            "ttlSecondsAfterFinished": jobs.keep_s,
            "suspend": bool(jobs.queue),
        },
    }
    replicas = {"Master": 1, **({"Worker": training.nodes - 1} if training.nodes > 1 else {})}
    spec["pytorchReplicaSpecs"] = {
        name: {"replicas": count, "restartPolicy": policy, "template": template} for name, count in replicas.items()
    }
    return {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": _metadata(training), "spec": spec}


def train_job(training: Training, template: Manifest) -> list[Manifest]:
    """A TrainJob, and the TrainingRuntime of its own that it refers to."""
    jobs = training.place.jobs
    node = {"metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}}}
    job_spec = {"backoffLimit": 0, "template": template}
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


def _template(training: Training, spec: Manifest) -> Manifest:
    """The template of every pod, master and worker alike."""
    annotations = {**training.needs.annotations, **training.annotations}
    return {"metadata": {"labels": _labels(training), "annotations": annotations}, "spec": spec}


def _pod(training: Training) -> Manifest:
    """The spec of a worker's pod."""
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
        **training.environment,
    }
    container = pods.container(
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
    return ended(pods.pod([container], place, volumes, needs, jobs.account), jobs)


def ended(spec: Manifest, jobs: config.Jobs) -> Manifest:
    """A pod's spec with what ends it.

    The operator (1.9.4) checks a job's deadline only when it reconciles the job for another reason. The kubelet
    enforces a pod's.
    """
    more = {"restartPolicy": "Never"} if jobs.kind == "TrainJob" else {"activeDeadlineSeconds": jobs.deadline_s}
    return {**spec, **more}


def _metadata(training: Training) -> Manifest:
    """Name, namespace, labels, and Kueue's queue if the place names one."""
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
