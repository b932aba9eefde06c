"""Why a job failed, by the worker's error or by the cluster; and the logs of its pods."""

from __future__ import annotations

from pathlib import Path

import pytest

from proseform import launch as launchers
from proseform.errors import NoSignalError, StageError
from proseform.kube import launcher
from proseform.kube.api import Api
from tests.kube.launched import JOBS, PODS, cluster, ends, existing, pod, wrote
from tests.kube.server import Server

pytestmark = pytest.mark.usefixtures("quick")


def test_a_failed_job_says_what_the_worker_said(server: Server, api: Api, job: launchers.Job) -> None:
    """The worker's error comes before the cluster's reasons."""
    end = ends(server, job, {"type": "Failed"}, after=3)

    def before(method: str, path: str) -> None:
        if Path(job.work).exists():
            launchers.write_error(Path(job.work), NoSignalError("No group carried a signal."))
        return end(method, path)

    server.before = before
    with pytest.raises(NoSignalError, match="No group"):
        cluster(api).run("proseform.train.sft", job)


def test_a_worker_that_was_killed_for_memory_is_told_by_its_pod(server: Server, api: Api, job: launchers.Job) -> None:
    (manifest,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    pod(server, manifest, phase="Failed", containerStatuses=[{"state": killed}])
    ends(server, job, {"type": "Failed"})
    with pytest.raises(StageError, match=r"sft-evaluator: Pod .* used more memory") as caught:
        cluster(api).run("proseform.train.sft", job)
    assert "jobs.memory" in caught.value.hint


def test_the_pods_are_remembered_since_the_operator_deletes_them_before_it_says_failed(
    server: Server, api: Api, job: launchers.Job
) -> None:
    (manifest,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    crashed = {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    }
    name = pod(server, manifest, phase="Running", containerStatuses=[crashed])
    limit = {"type": "Failed", "message": "Job sft has failed because it has reached the specified backoff limit"}
    end = ends(server, job, limit, after=4)

    def before(method: str, path: str) -> None:
        end(method, path)
        if any(
            stored.get("status", {}).get("conditions")
            for where, stored in server.objects.items()
            if where.startswith(JOBS)
        ):
            server.objects.pop(f"{PODS}/{name}", None)

    server.before = before
    with pytest.raises(StageError, match="used more memory"):
        cluster(api).run("proseform.train.sft", job)


def test_what_a_library_said_of_a_lost_peer_does_not_hide_why_the_peer_was_lost(
    server: Server, api: Api, job: launchers.Job
) -> None:
    (manifest,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    pod(
        server,
        manifest,
        phase="Failed",
        containerStatuses=[{"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}],
    )
    server.before = wrote(job, RuntimeError("Connection closed by peer"), ends(server, job, {"type": "Failed"}))
    with pytest.raises(StageError, match="used more memory"):
        cluster(api).run("proseform.train.sft", job)


def test_a_worker_that_means_its_error_is_not_started_again(server: Server, api: Api, job: launchers.Job) -> None:
    """The operator would restart it three times; the launcher deletes the job at once."""
    server.before = wrote(job, NoSignalError("No group carried a signal."), lambda _method, _path: None)
    with pytest.raises(NoSignalError, match="No group"):
        cluster(api).run("proseform.train.sft", job)
    assert not [path for path in server.objects if path.startswith(JOBS)]


def test_a_libraries_error_is_left_to_the_operator_which_starts_the_pod_again(
    server: Server, api: Api, job: launchers.Job
) -> None:
    server.before = wrote(
        job, RuntimeError("Connection closed by peer"), ends(server, job, {"type": "Succeeded"}, after=5)
    )
    cluster(api).run("proseform.train.sft", job)


def test_a_pod_without_its_image_is_waited_for_and_then_given_up(server: Server, api: Api, job: launchers.Job) -> None:
    (manifest,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    waiting = {"image": "nobody/has:this", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    pod(server, manifest, phase="Pending", containerStatuses=[waiting])
    with pytest.raises(StageError, match="cannot get its image nobody/has:this") as caught:
        cluster(api, pending_s=1).run("proseform.train.sft", job)
    assert "images.train" in caught.value.hint
    assert not [path for path in server.objects if path.startswith(JOBS)]


def test_logs_are_gathered_once_each(server: Server, api: Api, job: launchers.Job) -> None:
    (manifest,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    name = pod(server, manifest, phase="Running")
    where = f"{PODS}/{name}/log"
    server.logs[where] = ["2026-01-01T00:00:01Z first"]
    end = ends(server, job, {"type": "Succeeded"}, after=5)

    def before(method: str, path: str) -> None:
        if len(server.asked) > 6 and len(server.logs[where]) == 1:
            server.logs[where].append("2026-01-01T00:00:02Z second")
        return end(method, path)

    server.before = before
    cluster(api).run("proseform.train.sft", job)
    assert (Path(job.work) / "worker.log").read_text().splitlines() == [f"{name}: first", f"{name}: second"]


def test_a_second_launch_does_not_repeat_the_log(server: Server, api: Api, job: launchers.Job) -> None:
    manifest = existing(server, api, job)
    name = pod(server, manifest, phase="Running")
    server.logs[f"{PODS}/{name}/log"] = ["2026-01-01T00:00:01Z first"]
    Path(job.work).mkdir()
    for _ in range(2):
        launcher._Log(api, Path(job.work) / "worker.log", "pytorch").read(api.find("v1", "Pod"))
    assert (Path(job.work) / "worker.log").read_text() == f"{name}: first\n"


def test_a_job_that_somebody_deletes_ends_the_stage(server: Server, api: Api, job: launchers.Job) -> None:
    def before(method: str, path: str) -> None:
        if method == "GET" and path.startswith(JOBS) and len(server.asked) > 8:
            server.objects.clear()

    server.before = before
    with pytest.raises(StageError, match="was deleted"):
        cluster(api).run("proseform.train.sft", job)


def test_a_job_that_succeeds_and_leaves_nothing_is_no_success(server: Server, api: Api, job: launchers.Job) -> None:
    ends(server, job, {"type": "Succeeded"}, writes=False)
    with pytest.raises(StageError, match="left nothing"):
        cluster(api).run("proseform.train.sft", job)
