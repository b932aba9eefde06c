"""The launcher of a cluster, against an API server whose faults are the subject."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proseform import config, digest
from proseform import launch as launchers
from proseform.errors import ClusterError, NoSignalError, StageError
from proseform.kube import launcher
from proseform.kube.api import Api
from tests.kube.server import Server, reached

JOBS = "/apis/kubeflow.org/v1/namespaces/here/pytorchjobs"
PODS = "/api/v1/namespaces/here/pods"


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    with reached(server, "here") as api:
        yield api


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_POLL_S", 0.02)


@pytest.fixture
def job(tmp_path: Path) -> launchers.Job:
    (tmp_path / "out").mkdir()
    return launchers.Job(
        "sft-evaluator", str(tmp_path / "work"), str(tmp_path / "out"), {"base": "file:///b#sha256:" + "1" * 64}
    )


def cluster(api: Api, **knobs: Any) -> launcher.Cluster:
    place = config.Place.model_validate({"namespace": "here", "jobs": {"pending_s": 600, **knobs}})
    return launcher.Cluster(place, Path("/home/x"), "cv-small-1", api)


def ends(
    server: Server, job: launchers.Job, *conditions: dict[str, str], after: int = 3, writes: bool = True
) -> Callable[..., None]:
    """Let the job end after it has been looked at a few times."""
    seen = 0

    def before(method: str, path: str) -> None:
        nonlocal seen
        if method == "GET" and path.startswith(JOBS) and path in server.objects:
            seen += 1
            if seen == after:
                if writes:
                    (Path(job.out) / "model.json").write_text("{}")
                server.objects[path]["status"] = {"conditions": [{"status": "True", **each} for each in conditions]}

    server.before = before
    return before


def test_a_job_is_created_followed_and_done(server: Server, api: Api, job: launchers.Job) -> None:
    ends(server, job, {"type": "Succeeded"})
    cluster(api).run("proseform.train.sft", job)
    (made,) = server.objects.values()
    assert made["metadata"]["labels"]["proseform.dev/run"] == "cv-small-1"
    assert made["metadata"]["annotations"]["proseform.dev/base"] == "sha256:" + "1" * 64
    assert json.loads((Path(job.work) / "job.json").read_text())["stage"] == "sft-evaluator"
    assert made["metadata"]["annotations"]["proseform.dev/output"] == digest.of_files(Path(job.out)), (
        "what came of it stands on the job"
    )


def test_a_job_that_is_gone_as_soon_as_it_has_ended_is_done_all_the_same(
    server: Server, api: Api, job: launchers.Job
) -> None:
    """``keep_s = 0``: the operator deletes it before anybody can write on it."""
    ends(server, job, {"type": "Succeeded"})
    looked = server.before

    def before(method: str, path: str) -> Any:
        given = looked(method, path)
        return (404, {"message": "not found"}) if method == "PATCH" else given

    server.before = before
    cluster(api).run("proseform.train.sft", job)


def test_a_second_launch_adopts_the_job_that_runs(server: Server, api: Api, job: launchers.Job) -> None:
    (made,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    server.objects[f"{JOBS}/{made['metadata']['name']}"] = made
    ends(server, job, {"type": "Succeeded"})
    cluster(api).run("proseform.train.sft", job)
    assert not [path for method, path in server.asked if method in {"POST", "DELETE"}]


def there(server: Server, api: Api, job: launchers.Job, **status: Any) -> dict[str, Any]:
    """A job as an earlier launch has made it, of another pipeline run."""
    earlier = replace(cluster(api), pipeline_run="cv-small-0")
    (made,) = launcher.jobs.build(earlier.training("proseform.train.sft", job))
    server.objects[f"{JOBS}/{made['metadata']['name']}"] = {**made, **status}
    return made


def test_an_adopted_job_belongs_to_the_run_that_follows_it(server: Server, api: Api, job: launchers.Job) -> None:
    """Else no clean-up would find it."""
    there(server, api, job)
    ends(server, job, {"type": "Succeeded"})
    cluster(api).run("proseform.train.sft", job)
    assert len(launcher.cancel(api, "cv-small-1")) == 1


def test_what_an_adopted_job_has_written_already_stays(server: Server, api: Api, job: launchers.Job) -> None:
    there(server, api, job)
    (Path(job.out) / "weights").write_text("all of them")
    ends(server, job, {"type": "Succeeded"})
    cluster(api).run("proseform.train.sft", job)
    assert (Path(job.out) / "weights").read_text() == "all of them"


def test_a_job_that_ended_well_while_nobody_looked_is_not_run_again(
    server: Server, api: Api, job: launchers.Job
) -> None:
    there(server, api, job, status={"conditions": [{"type": "Succeeded", "status": "True"}]})
    (Path(job.out) / "model.json").write_text("{}")
    cluster(api).run("proseform.train.sft", job)
    assert not [path for method, path in server.asked if method in {"POST", "DELETE"}]


def test_a_job_of_the_same_work_but_made_otherwise_is_replaced_and_never_runs_beside(
    server: Server, api: Api, job: launchers.Job
) -> None:
    """Two jobs would write to one folder."""
    there(server, api, replace(job, settings={"memory": "small"}))
    ends(server, job, {"type": "Succeeded"}, after=2)
    cluster(api).run("proseform.train.sft", job)
    assert [method for method, path in server.asked if method in {"POST", "DELETE"}] == ["DELETE", "POST"]
    assert len(server.objects) == 1


def test_a_job_that_ended_before_is_replaced(server: Server, api: Api, job: launchers.Job) -> None:
    (made,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    where = f"{JOBS}/{made['metadata']['name']}"
    server.objects[where] = {**made, "status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    ends(server, job, {"type": "Succeeded"}, after=4)
    cluster(api).run("proseform.train.sft", job)
    assert [method for method, path in server.asked if method in {"POST", "DELETE"}] == ["DELETE", "POST"]


def test_an_api_server_that_goes_away_and_comes_back_does_not_lose_the_job(
    server: Server, api: Api, job: launchers.Job
) -> None:
    """Cut connections, 503 and 429 in the middle of everything."""
    end, faults = (
        ends(server, job, {"type": "Succeeded"}, after=4),
        iter([(503, {}), (0, None), (429, {}), (500, {}), (0, None)] * 2),
    )
    count = 0

    def before(method: str, path: str) -> Any:
        nonlocal count
        count += 1
        if count % 2 == 0 and (fault := next(faults, None)):
            return fault
        return end(method, path)

    server.before = before
    cluster(api).run("proseform.train.sft", job)
    assert count > 8
    assert len([path for method, path in server.asked if method == "POST" and path == JOBS]) <= 2


def test_an_api_server_that_stays_away_is_an_error_with_its_name(server: Server, api: Api, job: launchers.Job) -> None:
    server.before = lambda _method, _path: (503, {"message": "apiserver not ready"})
    api._patience_s = 0.3
    with pytest.raises(ClusterError, match="apiserver not ready"):
        cluster(api).run("proseform.train.sft", job)


def test_what_the_server_refuses_is_told_in_its_words_at_once(server: Server, api: Api, job: launchers.Job) -> None:
    server.before = lambda method, _path: (
        (403, {"message": 'pytorchjobs is forbidden: User "x" cannot create'}) if method == "POST" else None
    )
    with pytest.raises(ClusterError, match="cannot create") as caught:
        cluster(api).run("proseform.train.sft", job)
    assert caught.value.status == 403


def test_a_webhook_without_its_controller_is_told_with_what_to_look_at(
    server: Server, api: Api, job: launchers.Job
) -> None:
    said = 'Internal error occurred: failed calling webhook "validator.pytorchjob": connect: connection refused'
    server.before = lambda method, _path: (500, {"message": said}) if method == "POST" else None
    api._patience_s = 0.3
    with pytest.raises(ClusterError, match="failed calling webhook") as caught:
        cluster(api).run("proseform.train.sft", job)
    assert "Does the controller behind this webhook run?" in caught.value.hint


def pod(server: Server, made: dict[str, Any], **status: Any) -> str:
    name = f"{made['metadata']['name']}-master-0"
    server.objects[f"{PODS}/{name}"] = {
        "metadata": {"name": name, "uid": "u", "labels": made["metadata"]["labels"]},
        "status": status,
    }
    return name


def test_a_failed_job_says_what_the_worker_said(server: Server, api: Api, job: launchers.Job) -> None:
    """The worker's own error wins over the cluster's words."""
    end = ends(server, job, {"type": "Failed"}, after=3)

    def before(method: str, path: str) -> None:
        if Path(job.work).exists():
            launchers.write_error(Path(job.work), NoSignalError("No group carried a signal."))
        return end(method, path)

    server.before = before
    with pytest.raises(NoSignalError, match="No group"):
        cluster(api).run("proseform.train.sft", job)


def test_a_worker_that_was_killed_for_memory_is_told_by_its_pod(server: Server, api: Api, job: launchers.Job) -> None:
    (made,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    pod(server, made, phase="Failed", containerStatuses=[{"state": killed}])
    ends(server, job, {"type": "Failed"})
    with pytest.raises(StageError, match=r"sft-evaluator: Pod .* used more memory") as caught:
        cluster(api).run("proseform.train.sft", job)
    assert "jobs.memory" in caught.value.hint


def test_the_pods_are_remembered_since_the_operator_deletes_them_before_it_says_failed(
    server: Server, api: Api, job: launchers.Job
) -> None:
    (made,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    crashed = {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    }
    name = pod(server, made, phase="Running", containerStatuses=[crashed])
    limit = {"type": "Failed", "message": "Job sft has failed because it has reached the specified backoff limit"}
    end = ends(server, job, limit, after=4)

    def before(method: str, path: str) -> None:
        end(method, path)
        if any(
            each.get("status", {}).get("conditions") for where, each in server.objects.items() if where.startswith(JOBS)
        ):
            server.objects.pop(f"{PODS}/{name}", None)

    server.before = before
    with pytest.raises(StageError, match="used more memory"):
        cluster(api).run("proseform.train.sft", job)


def test_what_a_library_said_of_a_lost_peer_does_not_hide_why_the_peer_was_lost(
    server: Server, api: Api, job: launchers.Job
) -> None:
    (made,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    pod(
        server,
        made,
        phase="Failed",
        containerStatuses=[{"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}],
    )
    server.before = wrote(job, RuntimeError("Connection closed by peer"), ends(server, job, {"type": "Failed"}))
    with pytest.raises(StageError, match="used more memory"):
        cluster(api).run("proseform.train.sft", job)


def wrote(job: launchers.Job, error: Exception, then: Callable[..., None]) -> Callable[..., None]:
    """The worker has left an error behind."""

    def before(method: str, path: str) -> None:
        if (Path(job.work) / launchers.JOB).exists():
            launchers.write_error(Path(job.work), error)
        return then(method, path)

    return before


def test_a_worker_that_means_its_error_is_not_started_again(server: Server, api: Api, job: launchers.Job) -> None:
    """The operator would, three times; the job is deleted at once."""
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
    (made,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    waiting = {"image": "nobody/has:this", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    pod(server, made, phase="Pending", containerStatuses=[waiting])
    with pytest.raises(StageError, match="cannot get its image nobody/has:this") as caught:
        cluster(api, pending_s=1).run("proseform.train.sft", job)
    assert "images.train" in caught.value.hint
    assert not [path for path in server.objects if path.startswith(JOBS)]


def test_logs_are_gathered_once_each(server: Server, api: Api, job: launchers.Job) -> None:
    (made,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    name = pod(server, made, phase="Running")
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
    made = there(server, api, job)
    name = pod(server, made, phase="Running")
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


def test_an_interrupted_run_deletes_its_job(
    server: Server, api: Api, job: launchers.Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(launcher, "_follow", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cluster(api).run("proseform.train.sft", job)
    assert not server.objects


def test_a_terminated_step_deletes_its_job_too(
    server: Server, api: Api, job: launchers.Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A KFP server ends a step by SIGTERM; afterwards the signal means what it meant before."""
    monkeypatch.setattr(launcher, "_follow", lambda *_: signal.raise_signal(signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        cluster(api).run("proseform.train.sft", job)
    assert not server.objects
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand files over")
def test_root_hands_the_work_folder_over_to_the_pods_user(server: Server, api: Api, job: launchers.Job) -> None:
    ends(server, job, {"type": "Succeeded"})
    cluster(api).run("proseform.train.sft", job)
    assert {(Path(job.work) / "job.json").stat().st_uid, Path(job.work).stat().st_uid, Path(job.out).stat().st_uid} == {
        10001
    }


def test_the_jobs_of_a_run_and_no_others_are_cancelled(server: Server, api: Api, job: launchers.Job) -> None:
    for run in ("cv-small-1", "cv-small-2"):
        (made,) = launcher.jobs.build(
            launcher.Cluster(cluster(api).place, Path("/h"), run, api).training("proseform.train.sft", job)
        )
        made["metadata"]["name"] += run[-2:]
        server.objects[f"{JOBS}/{made['metadata']['name']}"] = made
    assert len(launcher.cancel(api, "cv-small-1")) == 1
    assert [each["metadata"]["labels"]["proseform.dev/run"] for each in server.objects.values()] == ["cv-small-2"]


def test_a_job_that_succeeds_and_leaves_nothing_is_no_success(server: Server, api: Api, job: launchers.Job) -> None:
    ends(server, job, {"type": "Succeeded"}, writes=False)
    with pytest.raises(StageError, match="left nothing"):
        cluster(api).run("proseform.train.sft", job)


def test_the_cluster_is_the_one_that_the_environment_names_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, port in (("one", 1), ("other", 2)):  # ports at which nobody listens
        cluster = {"name": name, "cluster": {"server": f"http://127.0.0.1:{port}"}}
        context = {"name": name, "context": {"cluster": name, "user": "anybody"}}
        users = [{"name": "anybody", "user": {}}]
        settings = {"clusters": [cluster], "contexts": [context], "users": users, "current-context": name}
        (tmp_path / name).write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **settings}))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / name))
        with pytest.raises(ClusterError, match=f"127.0.0.1:{port} does not answer"):
            Api("here", patience_s=0).find("v1", "Pod")
