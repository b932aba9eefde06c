"""The launcher of a cluster: the same protocol as the local one, by a PyTorchJob or TrainJob.

A job is named by its stage and by what it was made from, so a second launch of the same stage adopts the job that is
running instead of starting another. That is also what happens after the pipeline's own process was killed: the job runs
on (its deadline bounds it), and the next run follows it to its end. Who interrupts a run (Ctrl-C, SIGTERM) means the
jobs too: they are deleted. State is polled, so there is no watch to lose, and an API server that is away is waited for.
"""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from proseform import config, digest, launch
from proseform.errors import ClusterError, ProseformError, StageError
from proseform.kube import follow, jobs
from proseform.kube.api import Api
from proseform.kube.pods import Manifest

_POLL_S = 2.0
_GONE_S = 120.0
"""Seconds for which a finished job of the same name may take to go."""
_CONFLICT = 409
_KINDS = (
    ("kubeflow.org/v1", "PyTorchJob"),
    ("trainer.kubeflow.org/v1alpha1", "TrainJob"),
    ("trainer.kubeflow.org/v1alpha1", "TrainingRuntime"),
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Training jobs on a cluster.

    Attributes:
        place: The run's ``[cluster]``.
        home: The home folder, which the claim holds and pods mount under the same path.
        pipeline_run: The pipeline run's name; jobs carry it as a label.
        api: The API server; by default the one that KUBECONFIG or the pod's own account names.
    """

    place: config.Cluster
    home: Path
    pipeline_run: str
    api: Api | None = None

    def run(self, worker: str, job: launch.Job) -> None:
        """See :meth:`proseform.launch.Launcher.run`.

        Raises:
            StageError: The job failed, or cannot start; the worker's own words where it left some, else the cluster's.
            ClusterError: The API server refused the job, or is away for too long.
        """
        api = self.api or Api(self.place.namespace)
        made = jobs.build(self.training(worker, job))
        launch.prepare(job)
        _start(api, made)
        try:
            _follow(api, made, job, self.place.jobs)
        except KeyboardInterrupt:
            _delete(api, made)
            raise
        if not any(Path(job.out).iterdir()):
            raise StageError(
                f"{job.stage}: its job succeeded and left nothing in {job.out}.",
                hint=f"The claim {self.place.claim} must hold the home folder {self.home}; if it does, run again.",
            )

    def training(self, worker: str, job: launch.Job) -> jobs.Training:
        """The job as a value."""
        whole = digest.of_json({"worker": worker, "job": asdict(job)})
        inputs = {f"proseform.dev/{name}": ref.rpartition("#")[2] for name, ref in job.inputs.items()}
        return jobs.Training(
            name=f"{job.stage}-{digest.short(whole)}",
            worker=worker,
            job_file=f"{job.work}/{launch.JOB}",
            home=str(self.home),
            place=self.place,
            world_size=job.world_size,
            threads=job.threads,
            labels={jobs.KEY: digest.short(whole), jobs.STAGE: job.stage, jobs.RUN: label(self.pipeline_run)},
            annotations={jobs.KEY: whole, **inputs},
        )


def cancel(api: Api, pipeline_run: str) -> list[str]:
    """Delete the jobs that a pipeline run has left; their names."""
    gone: list[str] = []
    for api_version, kind in _KINDS:
        there = api.find(api_version, kind, f"{jobs.RUN}={label(pipeline_run)}")
        gone += [one["metadata"]["name"] for one in there if api.delete({**one, "apiVersion": api_version, "kind": kind})]
    return gone


def label(text: str) -> str:
    """A text as the value of a label: at most 63 letters, digits, ``-``, ``_`` and ``.``, a letter or digit at both ends.

    >>> label("cv-small-20260101-120000")
    'cv-small-20260101-120000'
    >>> label("a run / with blanks!")
    'a-run---with-blanks'
    """
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:63].strip("-_.")


def _start(api: Api, made: list[Manifest]) -> None:
    """Create the job, or adopt the one that is there and was made from the same."""
    job = made[-1]
    found = api.get(job["apiVersion"], job["kind"], job["metadata"]["name"])
    if found is not None and not follow.state(found, []).over:
        return  # the name holds the digest of what it was made from
    if found is not None:
        _delete(api, made)
        _await_end(api, job)
    for manifest in made:
        try:
            api.create(manifest)
        except ClusterError as error:
            if error.status != _CONFLICT:  # somebody else was quicker: theirs is the same
                raise


def _await_end(api: Api, job: Manifest) -> None:
    """Wait until a deleted job is gone with its pods; a new one of the same name would meet them."""
    until = time.monotonic() + _GONE_S
    while api.get(job["apiVersion"], job["kind"], job["metadata"]["name"]) is not None or _pods(api, job):
        if time.monotonic() > until:
            raise StageError(f"The finished job {job['metadata']['name']} does not go away.", hint="Look at its finalizers.")
        time.sleep(_POLL_S / 4)


def _follow(api: Api, made: list[Manifest], job: launch.Job, knobs: config.Jobs) -> None:
    """Follow a job to its end."""
    wanted, log = made[-1], _Log(api, Path(job.work) / launch.LOG, jobs.CONTAINER[knobs.kind])
    stuck_since: float | None = None
    while True:
        found = api.get(wanted["apiVersion"], wanted["kind"], wanted["metadata"]["name"])
        if found is None:
            raise StageError(f"{job.stage}: its job {wanted['metadata']['name']} was deleted.", hint="Run again to start it anew.")
        there = _pods(api, wanted)
        events = api.find("v1", "Event", fields=f"involvedObject.name={wanted['metadata']['name']}") if not there else []
        state = follow.state(found, there, events)
        log.read(there)
        if state.phase == "succeeded":
            return
        if state.phase == "failed":
            raise _reason(job, state)
        stuck_since = (stuck_since or time.monotonic()) if state.stuck else None
        if stuck_since is not None and time.monotonic() - stuck_since > knobs.pending_s:
            _delete(api, made)
            raise StageError(f"{job.stage}: {state.words} Waited for {knobs.pending_s} s.", hint=state.remedy)
        time.sleep(_POLL_S)


def _reason(job: launch.Job, state: follow.State) -> ProseformError:
    """The worker's own words where it left some, else the cluster's."""
    if (Path(job.work) / launch.ERROR).exists():
        return launch.failure(job, 1)
    return StageError(f"{job.stage}: {state.words}", hint=f"{state.remedy} The log is {job.work}/{launch.LOG}.")


def _pods(api: Api, job: Manifest) -> list[Manifest]:
    """The pods of a job, rank 0 first."""
    found = api.find("v1", "Pod", f"{jobs.KEY}={job['metadata']['labels'][jobs.KEY]}")
    return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))


def _delete(api: Api, made: list[Manifest]) -> None:
    """Delete a job, then what it refers to."""
    for manifest in reversed(made):
        api.delete(manifest)


class _Log:
    """The logs of a job's pods, gathered in the stage's log.

    Args:
        api: The API server.
        into: The file; what is there already stays.
        container: The name of the workers' container.
    """

    def __init__(self, api: Api, into: Path, container: str) -> None:
        self._api, self._into, self._container = api, into, container
        self._last: dict[str, str] = {}

    def read(self, pods: list[Manifest]) -> None:
        """Append what pods have said since the last time."""
        for pod in pods:
            name, uid = pod["metadata"]["name"], pod["metadata"].get("uid", "")
            if pod.get("status", {}).get("phase", "Pending") == "Pending":
                continue
            last = self._last.get(uid, "")
            lines = [line for line in self._api.logs(name, self._container, since=last) if line.partition(" ")[0] > last]
            if lines:
                self._last[uid] = lines[-1].partition(" ")[0]
                with self._into.open("a") as file:
                    file.writelines(f"{name}: {line.partition(' ')[2]}\n" for line in lines)
