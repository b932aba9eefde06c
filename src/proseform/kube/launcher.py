"""The launcher of a cluster: the same protocol as the local one, by a PyTorchJob or TrainJob.

A job is named by its stage and its work folder, which is the stage's key, so no two jobs write to one folder. A second
launch of the same stage adopts the running job; a job with other settings (more memory, say) replaces it, and resumes
from its checkpoint. If the pipeline's process is killed, the job runs on, up to its deadline, and the next run adopts
it. Interrupting a run (Ctrl-C, SIGTERM) deletes its jobs. State is polled, so no watch can be lost, and an API server
that does not answer is waited for.
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
from proseform.kube import follow, jobs, sampler
from proseform.kube.api import Api
from proseform.kube.pods import Manifest

_POLL_S = 2.0
_GONE_S = 120.0
"""Longest wait for a deleted job to vanish, in seconds."""
_GONE, _CONFLICT = 404, 409
_DECISIVE = {"DeadlineExceeded", "OOMKilled", "Evicted", "Preempted", "Preempting"}
"""The cluster's reasons that explain a failure better than the exception which a library raised in the worker."""
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
        home: The home folder, which lies on the claim; pods mount it under the same path.
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
            StageError: The job failed, or cannot start; with the worker's reason if it wrote one, else the cluster's.
            ClusterError: The API server refused the job, or did not answer.
        """
        api = self.api or Api(self.place.namespace)
        training = self.training(worker, job)
        server = sampler.of(training, job)
        manifests = jobs.build(sampler.beside(training) if server else training)
        with _interruptible():
            try:
                _start(api, manifests, job, self.place.user)
                if server:
                    _beside(api, manifests[-1], server)
                _follow(api, manifests, job, self.place.jobs)
            except KeyboardInterrupt:
                _delete(api, [*server, *manifests])
                raise
            except StageError:
                _delete(api, server)
                raise
            _delete(api, server)
        if not _filled(job):
            raise StageError(
                f"{job.stage}: its job succeeded and left nothing in {job.out}.",
                hint=f"The claim {self.place.claim} must hold the home folder {self.home}; if it does, run again.",
            )
        _sign(api, manifests[-1], digest.of_files(Path(job.out)))

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
    """Delete the jobs of a pipeline run; their names."""
    deleted: list[str] = []
    for api_version, kind in _KINDS:
        listed = api.find(api_version, kind, f"{jobs.RUN}={naming.label(pipeline_run)}")
        deleted += [
            job["metadata"]["name"] for job in listed if api.delete({**job, "apiVersion": api_version, "kind": kind})
        ]
    return deleted


def _start(api: Api, manifests: list[Manifest], job: launch.Job, user: int) -> None:
    """Create the job, or adopt an existing one with the same key."""
    manifest = manifests[-1]
    labels = manifest["metadata"]["labels"]
    existing = api.get(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])
    if existing is not None and existing["metadata"].get("labels", {}).get(jobs.KEY) == labels[jobs.KEY]:
        state = follow.state(existing, [])
        if not state.over or (state.phase == "succeeded" and _filled(job)):
            for manifest in manifests:  # from now on this run's clean-up finds it
                api.merge(manifest, {"metadata": {"labels": {jobs.RUN: labels[jobs.RUN]}}})
            return
    if existing is not None:
        _delete(api, manifests)
        _await_end(api, manifest)
    launch.prepare(job)
    if os.geteuid() == 0:  # not as root, this process has the pods' user, as a pipeline's step does
        for path in (Path(job.work), *Path(job.work).rglob("*"), Path(job.out)):
            os.chown(path, user, user)
    for manifest in manifests:
        try:
            api.create(manifest)
        except ClusterError as error:
            if error.status != _CONFLICT:  # another process was quicker; its object is the same
                raise


def _beside(api: Api, job: Manifest, server: list[Manifest]) -> None:
    """Create a job's server, as its own, so that it goes with the job; one of an earlier job gives way."""
    owner = api.get(job["apiVersion"], job["kind"], job["metadata"]["name"])
    if owner is None:
        return  # deleted meanwhile; whoever follows it says so
    about = {name: owner[name] for name in ("apiVersion", "kind")}
    reference = {**about, "name": owner["metadata"]["name"], "uid": owner["metadata"].get("uid", "")}
    existing = api.get(server[-1]["apiVersion"], server[-1]["kind"], server[-1]["metadata"]["name"])
    if existing is not None:
        if reference in existing["metadata"].get("ownerReferences", []):
            return
        _delete(api, server)
        _await_end(api, server[-1])
    for manifest in server:
        api.create({**manifest, "metadata": {**manifest["metadata"], "ownerReferences": [reference]}})


def _await_end(api: Api, job: Manifest) -> None:
    """Wait until a deleted job and its pods have vanished, since a new job would have the same name."""
    until = time.monotonic() + _GONE_S
    while api.get(job["apiVersion"], job["kind"], job["metadata"]["name"]) is not None or _pods(api, job):
        if time.monotonic() > until:
            raise StageError(
                f"The finished job {job['metadata']['name']} does not go away.", hint="Look at its finalizers."
            )
        time.sleep(_POLL_S / 4)


def _follow(api: Api, manifests: list[Manifest], job: launch.Job, knobs: config.Jobs) -> None:
    """Follow a job to its end."""
    manifest, log = manifests[-1], _Log(api, Path(job.work) / launch.LOG, jobs.CONTAINER[knobs.kind])
    stuck_since: float | None = None
    seen: dict[str, Manifest] = {}
    while True:
        current = api.get(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])
        if current is None:
            raise StageError(
                f"{job.stage}: its job {manifest['metadata']['name']} was deleted.", hint="Run again to start it anew."
            )
        pods = _pods(api, manifest)
        events = (
            api.find("v1", "Event", fields=f"involvedObject.name={manifest['metadata']['name']}") if not pods else []
        )
        for pod in pods:  # kept, the latest last: operators delete pods before they say that a job has failed
            uid = str(pod["metadata"].get("uid", ""))
            seen.pop(uid, None)
            seen[uid] = pod
        state = follow.state(current, pods, events)
        log.read(pods)
        if state.phase == "succeeded":
            return
        if state.phase == "failed":
            raise _reason(job, follow.state(current, [*reversed(seen.values())]))
        if _is_permanent(job):  # a restart would fail in the same way
            _delete(api, manifests)
            raise launch.failure(job, 1)
        stuck_since = (stuck_since or time.monotonic()) if state.stuck else None
        if stuck_since is not None and time.monotonic() - stuck_since > knobs.pending_s:
            _delete(api, manifests)
            raise StageError(f"{job.stage}: {state.words} Waited for {knobs.pending_s} s.", hint=state.remedy)
        time.sleep(_POLL_S)


def _reason(job: launch.Job, state: follow.State) -> ProseformError:
    """The worker's reason if it wrote one, else the cluster's.

    If a pod was killed, the others' libraries report a lost peer, which is not the reason.
    """
    if _is_permanent(job) or ((Path(job.work) / launch.ERROR).exists() and state.reason not in _DECISIVE):
        return launch.failure(job, 1)
    return StageError(f"{job.stage}: {state.words}", hint=f"{state.remedy} The log is {job.work}/{launch.LOG}.")


def _is_permanent(job: launch.Job) -> bool:
    """Whether the worker has failed with a :class:`ProseformError` that is not retryable."""
    try:
        stated = json.loads((Path(job.work) / launch.ERROR).read_text())
    except FileNotFoundError:
        return False
    kind = getattr(errors, stated["type"], None)
    return isinstance(kind, type) and issubclass(kind, ProseformError) and not stated["retryable"]


def _sign(api: Api, job: Manifest, output: str) -> None:
    """Annotate a finished job with the digest of its output, unless the job has vanished already."""
    try:
        api.merge(job, {"metadata": {"annotations": {jobs.OUTPUT: output}}})
    except ClusterError as error:
        if error.status != _GONE:
            raise


def _filled(job: launch.Job) -> bool:
    """Whether the job's output folder holds anything."""
    return Path(job.out).is_dir() and any(Path(job.out).iterdir())


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM, by which a KFP server ends a step, interrupt as Ctrl-C does; in the main thread alone."""
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
    pods = api.find("v1", "Pod", f"{jobs.JOB}={job['metadata']['name']}")
    return sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))


def _delete(api: Api, manifests: list[Manifest]) -> None:
    """Delete a job, then the objects that it refers to."""
    for manifest in reversed(manifests):
        api.delete(manifest)


class _Log:
    """The logs of a job's pods, appended to the stage's log.

    Args:
        api: The API server.
        into: The file. A file beside it notes how far each pod was read, for the next launch.
        container: The name of the workers' container.
    """

    def __init__(self, api: Api, into: Path, container: str) -> None:
        self._api, self._into, self._container = api, into, container
        self._seen = into.with_name("log-seen.json")
        self._last: dict[str, str] = json.loads(self._seen.read_text()) if self._seen.exists() else {}

    def read(self, pods: list[Manifest]) -> None:
        """Append the pods' new lines."""
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
