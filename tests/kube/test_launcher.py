"""The launcher of a cluster, against an API server whose faults are the subject."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proseform import digest
from proseform import launch as launchers
from proseform.errors import ClusterError
from proseform.kube import launcher
from proseform.kube.api import Api
from tests.kube.launched import JOBS, cluster, ends, existing
from tests.kube.server import Server

pytestmark = pytest.mark.usefixtures("quick")


def test_a_job_is_created_followed_and_done(server: Server, api: Api, job: launchers.Job) -> None:
    ends(server, job, {"type": "Succeeded"})
    cluster(api).run("proseform.train.sft", job)
    (created,) = server.objects.values()
    assert created["metadata"]["labels"]["proseform.dev/run"] == "cv-small-1"
    assert created["metadata"]["annotations"]["proseform.dev/base"] == "sha256:" + "1" * 64
    assert json.loads((Path(job.work) / "job.json").read_text())["stage"] == "sft-evaluator"
    assert created["metadata"]["annotations"]["proseform.dev/output"] == digest.of_files(Path(job.out)), (
        "the job carries the digest of its output"
    )


def test_a_job_that_is_gone_as_soon_as_it_has_ended_is_done_all_the_same(
    server: Server, api: Api, job: launchers.Job
) -> None:
    """``keep_s = 0``: the operator deletes it before anybody can write on it."""
    ends(server, job, {"type": "Succeeded"})
    looked = server.before

    def before(method: str, path: str) -> Any:
        answer = looked(method, path)
        return (404, {"message": "not found"}) if method == "PATCH" else answer

    server.before = before
    cluster(api).run("proseform.train.sft", job)


def test_a_second_launch_adopts_the_job_that_runs(server: Server, api: Api, job: launchers.Job) -> None:
    (manifest,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    server.objects[f"{JOBS}/{manifest['metadata']['name']}"] = manifest
    ends(server, job, {"type": "Succeeded"})
    cluster(api).run("proseform.train.sft", job)
    assert not [path for method, path in server.asked if method in {"POST", "DELETE"}]


def test_an_adopted_job_belongs_to_the_run_that_follows_it(server: Server, api: Api, job: launchers.Job) -> None:
    """Otherwise no clean-up would find it."""
    existing(server, api, job)
    ends(server, job, {"type": "Succeeded"})
    cluster(api).run("proseform.train.sft", job)
    assert len(launcher.cancel(api, "cv-small-1")) == 1


def test_what_an_adopted_job_has_written_already_stays(server: Server, api: Api, job: launchers.Job) -> None:
    existing(server, api, job)
    (Path(job.out) / "weights").write_text("all of them")
    ends(server, job, {"type": "Succeeded"})
    cluster(api).run("proseform.train.sft", job)
    assert (Path(job.out) / "weights").read_text() == "all of them"


def test_a_job_that_ended_well_while_nobody_looked_is_not_run_again(
    server: Server, api: Api, job: launchers.Job
) -> None:
    existing(server, api, job, status={"conditions": [{"type": "Succeeded", "status": "True"}]})
    (Path(job.out) / "model.json").write_text("{}")
    cluster(api).run("proseform.train.sft", job)
    assert not [path for method, path in server.asked if method in {"POST", "DELETE"}]


def test_a_job_of_the_same_work_but_made_otherwise_is_replaced_and_never_runs_beside(
    server: Server, api: Api, job: launchers.Job
) -> None:
    """Two jobs would write to one folder."""
    existing(server, api, replace(job, settings={"memory": "small"}))
    ends(server, job, {"type": "Succeeded"}, after=2)
    cluster(api).run("proseform.train.sft", job)
    assert [method for method, path in server.asked if method in {"POST", "DELETE"}] == ["DELETE", "POST"]
    assert len(server.objects) == 1


def test_a_job_that_ended_before_is_replaced(server: Server, api: Api, job: launchers.Job) -> None:
    (manifest,) = launcher.jobs.build(cluster(api).training("proseform.train.sft", job))
    where = f"{JOBS}/{manifest['metadata']['name']}"
    server.objects[where] = {**manifest, "status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    ends(server, job, {"type": "Succeeded"}, after=4)
    cluster(api).run("proseform.train.sft", job)
    assert [method for method, path in server.asked if method in {"POST", "DELETE"}] == ["DELETE", "POST"]


def test_an_api_server_that_goes_away_and_comes_back_does_not_lose_the_job(
    server: Server, api: Api, job: launchers.Job
) -> None:
    """Cut connections, 503 and 429 at every second request."""
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
    message = 'Internal error occurred: failed calling webhook "validator.pytorchjob": connect: connection refused'
    server.before = lambda method, _path: (500, {"message": message}) if method == "POST" else None
    api._patience_s = 0.3
    with pytest.raises(ClusterError, match="failed calling webhook") as caught:
        cluster(api).run("proseform.train.sft", job)
    assert "Does the controller behind this webhook run?" in caught.value.hint


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
    """A KFP server ends a step by SIGTERM; afterwards the signal's handler is restored."""
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
        (manifest,) = launcher.jobs.build(
            launcher.Cluster(cluster(api).place, Path("/h"), run, api).training("proseform.train.sft", job)
        )
        manifest["metadata"]["name"] += run[-2:]
        server.objects[f"{JOBS}/{manifest['metadata']['name']}"] = manifest
    assert len(launcher.cancel(api, "cv-small-1")) == 1
    assert [manifest["metadata"]["labels"]["proseform.dev/run"] for manifest in server.objects.values()] == [
        "cv-small-2"
    ]


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
