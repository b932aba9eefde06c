"""Versions on a cluster, with an API server that a test controls, and with a real one if there is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proseform.errors import ClusterError, InputError
from proseform.kube import ready, rollout, serverless, services, traffic, waiting
from proseform.kube.api import Api
from tests.kube.served import FORMS, served
from tests.kube.server import Answer, Server, reached

SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/proseform/inferenceservices"
ROUTE = "/apis/gateway.networking.k8s.io/v1/namespaces/proseform/httproutes/proseform-toy"
PODS, EVENTS = "/api/v1/namespaces/proseform/pods", "/api/v1/namespaces/proseform/events"
ENDPOINTS = "/apis/discovery.k8s.io/v1/namespaces/proseform/endpointslices"
QUICK = {"serving": {"drain_s": 0, "pending_s": 1}}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


class Cluster(Server):
    """A server with ready InferenceServices, Services that have endpoints, and accepted routes."""

    works = True
    endpoints: Sequence[bool] = (True,)

    def answer(self, method: str, target: str, body: Any) -> Answer:
        answer = super().answer(method, target, body)
        if answer[0] == HTTPStatus.NOT_FOUND and target.startswith(ENDPOINTS):
            endpoints = [{"addresses": ["10.1.0.9"], "conditions": {"ready": ready}} for ready in self.endpoints]
            return 200, {"items": [{"metadata": {}, "endpoints": endpoints or None}]}
        for path, stored in self.objects.items():
            if self.works and path.startswith(SERVICES):
                stored["status"] = READY
            if path == ROUTE:
                stored["status"] = {"parents": [{"conditions": [{"type": "Accepted", "status": "True"}]}]}
        return answer


@pytest.fixture
def server() -> Cluster:
    return Cluster()


@pytest.fixture
def api(server: Cluster) -> Iterator[Api]:
    with reached(server, "proseform") as api:
        yield api


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits take no time: whoever sleeps moves the clock on."""
    ticks = [1000.0]
    clock = SimpleNamespace(monotonic=lambda: sum(ticks), sleep=ticks.append)
    monkeypatch.setattr(waiting, "time", clock)
    monkeypatch.setattr(waiting, "_POLL_S", 0.25)
    monkeypatch.setattr(waiting, "_ROUTE_S", 0.3)
    monkeypatch.setattr(waiting, "_GONE_S", 0.3)
    monkeypatch.setattr(waiting, "_ENDPOINTS_S", 0.3)


def deploy(api: Api, version: str, **knobs: Any) -> services.Served:
    version_served = served({"serving": {**QUICK["serving"], **knobs}}, version=version)
    rollout.apply(api, services.build(version_served))
    return version_served


def wait(api: Api, *names: str, wait_s: float = 2.0) -> list[str]:
    sentences: list[str] = []
    waiting.await_ready(api, names, served(QUICK).place.serving, wait_s, sentences.append)
    return sentences


def move(api: Api, **weights: int) -> None:
    rollout.move(
        api,
        "toy",
        "proseform-toy",
        {key.removeprefix("v"): weight for key, weight in weights.items()},
        served(QUICK).place,
    )


def remove(api: Api, version: str, *, force: bool = False) -> None:
    rollout.remove(api, "toy", version, served(QUICK).place, "proseform-toy", force=force, say=lambda _: None)


def weights(server: Cluster) -> dict[str, int]:
    return {backend["name"]: backend["weight"] for backend in server.objects[ROUTE]["spec"]["rules"][0]["backendRefs"]}


def test_two_versions_stand_and_share_the_traffic(server: Cluster, api: Api) -> None:
    one, two = deploy(api, "9"), deploy(api, "10", form="wide")
    assert wait(api, one.name, f"{two.name}-evaluator", f"{two.name}-formatter") == []
    assert list(rollout.versions(api, "toy")) == ["9", "10"]
    move(api, v9=75, v10=25)
    assert weights(server) == {one.service: 75, two.service: 25}
    assert rollout.weights(api, "proseform-toy", rollout.versions(api, "toy")) == {"9": 75, "10": 25}


@pytest.mark.parametrize("endpoints", [(), (False,)])
def test_a_version_without_endpoints_takes_no_traffic(endpoints: tuple[bool, ...], server: Cluster, api: Api) -> None:
    """KServe calls a version ready by its pods; until its Service has them, a gateway would answer 503."""
    one, two = deploy(api, "1"), deploy(api, "2", form="wide")
    move(api, v1=100)
    server.endpoints = endpoints
    with pytest.raises(ClusterError, match=f"Service {two.service} has no ready endpoint") as caught:
        move(api, v1=0, v2=100)
    assert weights(server) == {one.service: 100}
    assert "describe service" in caught.value.hint


def test_endpoints_that_come_late_are_waited_for(server: Cluster, api: Api) -> None:
    deploy(api, "1")
    looks = iter([(), (False,), (False, True)])

    def look(_method: str, path: str) -> None:
        if path == ENDPOINTS:
            server.endpoints = next(looks)

    server.before = look
    move(api, v1=100)
    assert list(looks) == []


def test_who_joins_a_route_waits_until_gateways_know_it_and_a_rollback_does_not(
    server: Cluster, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    deploy(api, "1")
    deploy(api, "2")
    monkeypatch.setattr(rollout.time, "sleep", pauses.append)
    place = served({"serving": {"drain_s": 7}}).place
    steps = [{"1": 100}, {"1": 0, "2": 100}, {"1": 100, "2": 0}]
    waited = []
    for split in steps:
        rollout.move(api, "toy", "proseform-toy", split, place)
        waited.append(7 in pauses)
        pauses.clear()
    assert waited == [False, True, False]


def test_applying_again_changes_nothing(server: Cluster, api: Api) -> None:
    deploy(api, "1")
    before = {path: {**stored, "status": None} for path, stored in server.objects.items()}
    deploy(api, "1")
    assert {path: {**stored, "status": None} for path, stored in server.objects.items()} == before


def test_a_dry_run_leaves_nothing(server: Cluster, api: Api) -> None:
    rollout.apply(api, services.build(served()), dry_run=True)
    assert server.objects == {}
    assert "PATCH" in {method for method, _ in server.asked}


def test_another_bundle_under_the_same_version_is_refused(server: Cluster, api: Api) -> None:
    """As after the registry was created anew: the deployed version may have traffic."""
    deploy(api, "1")
    other = services.build(served(QUICK, adapters=False, version="1"))
    with pytest.raises(InputError, match="undeploy"):
        rollout.apply(api, other)


def test_an_api_server_that_goes_away_for_a_moment_is_asked_again(server: Cluster, api: Api) -> None:
    faults: list[Answer] = [(0, None), (503, {"message": "starting"}), (429, {"message": "slow down"})]
    server.before = lambda _method, _path: faults.pop() if faults else None
    version = deploy(api, "1")
    assert wait(api, version.name) == []
    assert not faults


def test_a_kind_that_the_server_does_not_know_is_told_with_what_to_install(server: Cluster, api: Api) -> None:
    server.before = lambda _method, path: (
        (404, {"message": "the server could not find the requested resource"}) if "kserve" in path else None
    )
    with pytest.raises(ClusterError, match="KServe") as caught:
        deploy(api, "1")
    assert "ServingRuntime proseform-toy-v1" in caught.value.message


def pod(name: str, component: str = "predictor", **status: Any) -> dict[str, Any]:
    labels = {"serving.kserve.io/inferenceservice": "proseform-toy-v1", "component": component}
    return {"metadata": {"name": name, "labels": labels}, "status": {"phase": "Pending", **status}}


def container(**more: Any) -> dict[str, Any]:
    return {
        "containerStatuses": [{"name": "kserve-container", "image": "vllm/vllm-openai:none", "ready": False, **more}]
    }


def ended(code: int, reason: str, restarts: int) -> dict[str, Any]:
    last = {"terminated": {"exitCode": code, "reason": reason}}
    return container(restartCount=restarts, lastState=last, state={"waiting": {"reason": "CrashLoopBackOff"}})


def unscheduled(message: str) -> dict[str, Any]:
    return {"conditions": [{"type": "PodScheduled", "status": "False", "message": message}]}


UNREADY: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], str, str]] = {
    "image": (
        [pod("a", **container(state={"waiting": {"reason": "ImagePullBackOff"}}))],
        [],
        "cannot get its image vllm/vllm-openai:none",
        "images",
    ),
    "memory asked": (
        [pod("a", **unscheduled("0/1 nodes: 1 Insufficient memory."))],
        [],
        "enough memory",
        "serving.engine",
    ),
    "gpu": ([pod("a", **unscheduled("1 Insufficient nvidia.com/gpu"))], [], "enough nvidia.com/gpu", "or add nodes"),
    "claim": ([pod("a", **unscheduled('persistentvolumeclaim "x" not found'))], [], "volume", "claims exist"),
    "memory used": ([pod("a", **ended(137, "OOMKilled", 3))], [], "more memory than it may", "serving.engine.memory"),
    "transformer": (
        [pod("a", "transformer", **ended(137, "OOMKilled", 3))],
        [],
        "more memory",
        "serving.transformer.memory",
    ),
    "crash": (
        [pod("a", **ended(1, "Error", 4))],
        [],
        "ended with code 1 and was started again, 4 times",
        "log says why",
    ),
    "mount": (
        [pod("a", **container(state={"waiting": {"reason": "CreateContainerConfigError", "message": "no configmap"}}))],
        [],
        "no configmap",
        "serving.engine",
    ),
    "refused": (
        [],
        [
            {
                "type": "Warning",
                "involvedObject": {"name": "proseform-toy-v1-predictor-x"},
                "message": "violates PodSecurity",
            }
        ],
        "cannot be created: violates PodSecurity",
        "security level",
    ),
}


@pytest.mark.parametrize("name", UNREADY)
def test_what_is_not_ready_is_given_up_with_the_reason_and_a_remedy(name: str, server: Cluster, api: Api) -> None:
    server.works = False
    pods, events, words, remedy = UNREADY[name]
    version = deploy(api, "1")
    server.objects |= {f"{PODS}/{manifest['metadata']['name']}": manifest for manifest in pods}
    server.objects |= {f"{EVENTS}/{index}": {"metadata": {}, **manifest} for index, manifest in enumerate(events)}
    with pytest.raises(ClusterError, match=words) as caught:
        wait(api, version.name, wait_s=600)
    assert "no better for 1 s" in caught.value.message
    assert remedy in caught.value.hint


def test_a_crash_is_told_with_the_last_lines_of_its_log(server: Cluster, api: Api) -> None:
    server.works = False
    version = deploy(api, "1")
    server.objects[f"{PODS}/a"] = pod("a", **ended(1, "Error", 5))
    server.logs[f"{PODS}/a/log"] = ["2026-01-01T00:00:00Z loading", "2026-01-01T00:00:01Z ValueError: no such adapter"]
    with pytest.raises(ClusterError, match=r"loading \| ValueError: no such adapter"):
        wait(api, version.name, wait_s=600)


def test_time_up_tells_what_was_waited_for(server: Cluster, api: Api) -> None:
    server.works = False
    version = deploy(api, "1")
    with pytest.raises(ClusterError, match=r"not ready after 0\.1 s\. KServe's controller has not looked"):
        wait(api, version.name, wait_s=0.1)
    server.objects[f"{SERVICES}/{version.name}"]["status"] = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
    server.objects[f"{PODS}/a"] = pod("a", conditions=[{"type": "Ready", "status": "False"}])
    with pytest.raises(ClusterError, match="waits for a, which load"):
        wait(api, version.name, wait_s=0.1)


def test_a_first_crash_is_waited_out(server: Cluster, api: Api) -> None:
    """An engine that was killed once, while its node was busy, may still start."""
    state = ready.state({"metadata": {"name": "x"}, "status": {}}, [pod("a", **ended(1, "Error", 1))])
    assert not state.ready
    assert not state.stuck


def test_a_service_that_somebody_deletes_is_not_waited_for(server: Cluster, api: Api) -> None:
    with pytest.raises(ClusterError, match="was deleted"):
        wait(api, "proseform-toy-v1")


def test_a_version_that_takes_traffic_stays(server: Cluster, api: Api) -> None:
    deploy(api, "1")
    deploy(api, "2")
    move(api, v1=10, v2=90)
    with pytest.raises(InputError, match="takes 10 %") as caught:
        remove(api, "1")
    assert "--version 2" in caught.value.hint
    with pytest.raises(InputError, match="takes 90 %"):
        remove(api, "2", force=True)  # force is for the last one alone


def test_an_idle_version_leaves_the_route_before_its_services_go(server: Cluster, api: Api) -> None:
    """A route that names a missing Service is invalid as a whole."""
    one, two = deploy(api, "1"), deploy(api, "2", form="wide")
    move(api, v1=0, v2=100)
    server.asked.clear()
    remove(api, "1")
    assert weights(server) == {two.service: 100}
    writes = [(method, path) for method, path in server.asked if method != "GET"]
    assert writes[0] == ("PATCH", ROUTE)
    assert {method for method, _ in writes[1:]} == {"DELETE"}
    assert not [path for path in server.objects if one.name in path]
    assert [path for path in server.objects if f"{two.name}-" in path]


def test_the_last_version_goes_by_force_with_its_route(server: Cluster, api: Api) -> None:
    deploy(api, "1")
    move(api, v1=100)
    with pytest.raises(InputError, match="takes 100 %"):
        remove(api, "1")
    remove(api, "1", force=True)
    assert server.objects == {}


def test_a_version_that_does_not_stand_is_named_with_those_that_do(server: Cluster, api: Api) -> None:
    deploy(api, "1")
    with pytest.raises(InputError, match="No version 2 of task 'toy' is deployed; deployed: 1"):
        remove(api, "2")


def test_a_deletion_that_no_controller_finishes_is_told(server: Cluster, api: Api) -> None:
    version = deploy(api, "1")
    server.before = lambda method, path: (200, {}) if method == "DELETE" and path.startswith(SERVICES) else None
    with pytest.raises(ClusterError, match=f"{version.name}: deleted, and not gone"):
        remove(api, "1")


def test_idle_versions_but_the_newest_are_removed_after_a_promotion(server: Cluster, api: Api) -> None:
    for version in ("1", "2", "3", "4"):
        deploy(api, version)
    move(api, v1=0, v2=0, v3=0, v4=100)
    rollout.prune(api, "toy", "proseform-toy", served(QUICK).place, lambda _: None)
    assert list(rollout.versions(api, "toy")) == ["3", "4"]


def test_a_route_that_no_gateway_takes_is_told(server: Cluster, api: Api) -> None:
    deploy(api, "1")
    server.before = lambda method, path: (
        (200, {"metadata": {}, "spec": {}}) if (method, path) == ("GET", ROUTE) else None
    )
    with pytest.raises(ClusterError, match="no gateway has taken it") as caught:
        move(api, v1=100)
    assert "Gateway proseform" in caught.value.hint


@pytest.fixture
def real(cluster: Path) -> Api:
    """A real API server, with the namespace in it."""
    api = Api("proseform", patience_s=20)
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "proseform"}})
    return api


@pytest.mark.cluster
@pytest.mark.parametrize("form", FORMS)
def test_a_real_api_server_takes_every_object(real: Api, form: str) -> None:
    """By its validation, KServe's webhooks and the CRDs' own rules; nothing is created."""
    version = served(FORMS[form])
    route = traffic.route("toy", version.model, {"3": version.service}, {"3": 100}, version.place)
    rollout.apply(real, [*services.build(version), route], dry_run=True)


@pytest.mark.cluster
def test_a_real_api_server_takes_the_serverless_form(real: Api) -> None:
    rollout.apply(real, serverless.build(served({"serving": {"mode": "serverless"}}), 10), dry_run=True)
