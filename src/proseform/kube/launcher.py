"""The launcher of a cluster: the same protocol as the local one, by a PyTorchJob or TrainJob.

A job is named by its stage and its work folder, which is the stage's key: there is never a second one that writes
there. A second launch of the same stage adopts the job that is running instead of starting another; one that was made
otherwise (of less memory, say) is replaced, and goes on from its checkpoint. Adoption is also what happens after the
pipeline's own process was killed: the job runs on (its deadline bounds it), and the next run follows it to its end. Who
interrupts a run (Ctrl-C, SIGTERM) means the jobs too: they are deleted. State is polled, so there is no watch to lose,
and an API server that is away is waited for.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from proseform import config, digest, errors, launch, naming, store
from proseform.errors import ClusterError, ProseformError, StageError
from proseform.kube import follow, jobs
from proseform.kube.api import Api
from proseform.kube.pods import Manifest

_POLL_S = 2.0
_GONE_S = 120.0
"""Seconds for which a finished job of the same name may take to go."""
_GONE, _CONFLICT = 404, 409
_SURER = {"DeadlineExceeded", "OOMKilled", "Evicted", "Preempted", "Preempting"}
"""Reasons of the cluster that say more than what a library raised in the worker."""
_KINDS = (
    ("kubeflow.org/v1", "PyTorchJob"),
    ("trainer.kubeflow.org/v1alpha1", "TrainJob"),
    ("trainer.kubeflow.org/v1alpha1", "TrainingRuntime"),
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Training jobs on a cluster.

    Attributes:
        place: Where jobs run.
        home: The home folder, which the claim holds and pods mount under the same path.
        pipeline_run: The pipeline run's name; jobs carry it as a label.
        api: The API server; by default the one that KUBECONFIG or the pod's own account names.
    """

    place: config.Place
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
        with _interruptible():
            try:
                _start(api, made, job, self.place.user)
                _follow(api, made, job, self.place.jobs)
            except KeyboardInterrupt:
                _delete(api, made)
                raise
        if not _filled(job):
            raise StageError(
                f"{job.stage}: its job succeeded and left nothing in {job.out}.",
                hint=f"The claim {self.place.claim} must hold the home folder {self.home}; if it does, run again.",
            )
        _sign(api, made[-1], digest.of_files(Path(job.out)))

    def training(self, worker: str, job: launch.Job) -> jobs.Training:
        """The job as a value."""
        whole = digest.of_json({"worker": worker, "job": asdict(job)})
        inputs = {f"proseform.dev/{name}": ref.rpartition("#")[2] for name, ref in job.inputs.items()}
        return jobs.Training(
            name=f"{job.stage}-{digest.short(digest.of_json([worker, job.work]))}",
            worker=worker,
            job_file=f"{job.work}/{launch.JOB}",
            home=str(self.home),
            place=self.place,
            world_size=job.world_size,
            threads=job.threads,
            labels={jobs.KEY: digest.short(whole), jobs.STAGE: job.stage, jobs.RUN: naming.label(self.pipeline_run)},
            annotations={jobs.KEY: whole, **inputs},
        )


def cancel(api: Api, pipeline_run: str) -> list[str]:
    """Delete the jobs that a pipeline run has left; their names."""
    gone: list[str] = []
    for api_version, kind in _KINDS:
        there = api.find(api_version, kind, f"{jobs.RUN}={naming.label(pipeline_run)}")
        gone += [
            one["metadata"]["name"] for one in there if api.delete({**one, "apiVersion": api_version, "kind": kind})
        ]
    return gone


def _start(api: Api, made: list[Manifest], job: launch.Job, user: int) -> None:
    """Create the job, or adopt the one that is there and was made from the same."""
    manifest = made[-1]
    labels = manifest["metadata"]["labels"]
    found = api.get(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])
    if found is not None and found["metadata"].get("labels", {}).get(jobs.KEY) == labels[jobs.KEY]:
        state = follow.state(found, [])
        if not state.over or (state.phase == "succeeded" and _filled(job)):
            for manifest in made:  # from now on it is this run's, whose clean-up finds it by the label
                api.merge(manifest, {"metadata": {"labels": {jobs.RUN: labels[jobs.RUN]}}})
            return
    if found is not None:
        _delete(api, made)
        _await_end(api, manifest)
    launch.prepare(job)
    if os.geteuid() == 0:  # whoever is not root has the pods' own user, as in the pipeline's steps
        for path in (Path(job.work), *Path(job.work).rglob("*"), Path(job.out)):
            os.chown(path, user, user)
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
            raise StageError(
                f"The finished job {job['metadata']['name']} does not go away.", hint="Look at its finalizers."
            )
        time.sleep(_POLL_S / 4)


def _follow(api: Api, made: list[Manifest], job: launch.Job, knobs: config.Jobs) -> None:
    """Follow a job to its end."""
    manifest, log = made[-1], _Log(api, Path(job.work) / launch.LOG, jobs.CONTAINER[knobs.kind])
    stuck_since: float | None = None
    known: dict[str, Manifest] = {}
    while True:
        found = api.get(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])
        if found is None:
            raise StageError(
                f"{job.stage}: its job {manifest['metadata']['name']} was deleted.", hint="Run again to start it anew."
            )
        there = _pods(api, manifest)
        events = (
            api.find("v1", "Event", fields=f"involvedObject.name={manifest['metadata']['name']}") if not there else []
        )
        for (
            pod
        ) in there:  # the latest last; remembered, since operators delete pods before they say that a job has failed
            uid = str(pod["metadata"].get("uid", ""))
            known.pop(uid, None)
            known[uid] = pod
        state = follow.state(found, there, events)
        log.read(there)
        if state.phase == "succeeded":
            return
        if state.phase == "failed":
            raise _reason(job, follow.state(found, [*reversed(known.values())]))
        if _meant(job):  # starting it again would end alike
            _delete(api, made)
            raise launch.failure(job, 1)
        stuck_since = (stuck_since or time.monotonic()) if state.stuck else None
        if stuck_since is not None and time.monotonic() - stuck_since > knobs.pending_s:
            _delete(api, made)
            raise StageError(f"{job.stage}: {state.words} Waited for {knobs.pending_s} s.", hint=state.remedy)
        time.sleep(_POLL_S)


def _reason(job: launch.Job, state: follow.State) -> ProseformError:
    """The worker's own words where it left some, else the cluster's.

    What a library said of a lost peer explains no kill.
    """
    if _meant(job) or ((Path(job.work) / launch.ERROR).exists() and state.reason not in _SURER):
        return launch.failure(job, 1)
    return StageError(f"{job.stage}: {state.words}", hint=f"{state.remedy} The log is {job.work}/{launch.LOG}.")


def _meant(job: launch.Job) -> bool:
    """The worker has failed by an error of ours that trying again cannot mend."""
    try:
        said = json.loads((Path(job.work) / launch.ERROR).read_text())
    except FileNotFoundError:
        return False
    kind = getattr(errors, said["type"], None)
    return isinstance(kind, type) and issubclass(kind, ProseformError) and not said["retryable"]


def _sign(api: Api, job: Manifest, output: str) -> None:
    """Write on a finished job what came of it; one that is not kept may be gone."""
    try:
        api.merge(job, {"metadata": {"annotations": {jobs.OUTPUT: output}}})
    except ClusterError as error:
        if error.status != _GONE:
            raise


def _filled(job: launch.Job) -> bool:
    """Something lies in the job's output."""
    return Path(job.out).is_dir() and any(Path(job.out).iterdir())


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM interrupts as Ctrl-C does, where this is the main thread: a KFP server ends a step by it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _pods(api: Api, job: Manifest) -> list[Manifest]:
    """The pods of a job, rank 0 first."""
    found = api.find("v1", "Pod", f"{jobs.JOB}={job['metadata']['name']}")
    return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))


def _delete(api: Api, made: list[Manifest]) -> None:
    """Delete a job, then what it refers to."""
    for manifest in reversed(made):
        api.delete(manifest)


class _Log:
    """The logs of a job's pods, gathered in the stage's log.

    Args:
        api: The API server.
        into: The file; what is there already stays, and beside it lies how far each pod was read, for the next launch.
        container: The name of the workers' container.
    """

    def __init__(self, api: Api, into: Path, container: str) -> None:
        self._api, self._into, self._container = api, into, container
        self._seen = into.with_name("log-seen.json")
        self._last: dict[str, str] = json.loads(self._seen.read_text()) if self._seen.exists() else {}

    def read(self, pods: list[Manifest]) -> None:
        """Append what pods have said since the last time."""
        for pod in pods:
            name, uid = pod["metadata"]["name"], pod["metadata"].get("uid", "")
            if pod.get("status", {}).get("phase", "Pending") == "Pending":
                continue
            last = self._last.get(uid, "")
            lines = [
                line for line in self._api.logs(name, self._container, since=last) if line.partition(" ")[0] > last
            ]
            if lines:
                self._last[uid] = lines[-1].partition(" ")[0]
                with self._into.open("a") as file:
                    file.writelines(f"{name}: {line.partition(' ')[2]}\n" for line in lines)
                store.write_json(self._seen, self._last)
