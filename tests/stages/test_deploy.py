"""From a registered bundle to a version that answers: a real MLflow, and a cluster on which everything is ready."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from proseform import bundle as bundles
from proseform import config, digest, registry, testing, thresholds
from proseform import task as tasks
from proseform.bundle import Generation, Part
from proseform.errors import ClusterError, ConfigError, RegistryError, StageError
from proseform.infer import vllm
from proseform.kube.api import Api
from proseform.registry import attachments, models
from proseform.stages import cache, deploy, gateway, preflight, promote
from tests.kube.server import Server, client_of, serving
from tests.kube.test_rollout import ROUTE, SERVICES, Cluster, weights

RUN = """
name = "here"
[model]
source = "tiny"
max_length = 512
[promote]
share = {share}
"""
PLACE = "[serving]\ndrain_s = 0\npending_s = 1\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose MLflow holds two judged versions of the toy task, each two adapters on one base."""
    root = tmp_path_factory.mktemp("home")
    opened = registry.connect(root)
    for number in (1, 2):
        folder = root / f"made-{number}"
        task, parts = testing.toy_task(), {}
        for name in ("base", "evaluator", "formatter"):
            (folder / name).mkdir(parents=True)
            (folder / name / "adapter_config.json").write_text(json.dumps({"r": 8 * number, "rank_pattern": {}}))
        for role, prompt in (("evaluator", task.evaluator), ("formatter", task.formatter)):
            files = [digest.of_files(folder / name) for name in ("base", role)]
            parts[role] = Part("base", files[0], prompt, Generation(9, 64), role, files[1])
        testing.toy_bundle(task, settings={"dtype": "float32", "number": number}, **parts).write(folder)
        version = models.register(opened, folder)
        figure = {"value": 1.0, "low": 0.98, "high": 1.0, "n": 200}
        report = {
            "meta": {"task_contract": task.contract, "split": "test", "digests": {"bundle": version.bundle}},
            "figures": dict.fromkeys(config.Gate.model_fields, figure),
            "baseline": {"evaluator_reward": {**figure, "high": 0.5}},
        }
        attachments.judge(opened, version, thresholds.judge(report, config.Gate(), version.bundle, task.contract))
    return root


@pytest.fixture(autouse=True)
def world(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROSEFORM_HOME", str(home))
    monkeypatch.setenv("PROSEFORM_PLACE", PLACE)
    monkeypatch.setattr(tasks, "load", lambda _name: testing.toy_task())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    cluster = Cluster()
    with serving(cluster) as url:
        api_of = lambda namespace, **_: Api(namespace, patience_s=60, client=client_of(url))  # noqa: E731
        for module in (deploy, gateway):
            monkeypatch.setattr(module, "Api", api_of)
        monkeypatch.setattr("proseform.kube.api.Api", api_of)
        yield cluster


def run(share: float = 1.0) -> str:
    return RUN.format(share=share)


def test_a_bundle_is_fetched_and_rendered_without_a_cluster(home: Path) -> None:
    manifests = list(yaml.safe_load_all(deploy.run("toy", run(), PLACE, "1", dry_run="client")))
    assert [manifest["kind"] for manifest in manifests] == [
        "ConfigMap",
        "ServingRuntime",
        "InferenceService",
        "HTTPRoute",
    ]
    service = manifests[2]
    short = service["metadata"]["labels"]["proseform.dev/bundle"]
    assert service["spec"]["predictor"]["model"]["storageUri"] == f"pvc://proseform-store/bundles/{short}"
    args = manifests[1]["spec"]["containers"][0]["args"]
    assert args[args.index("--max-model-len") + 1] == "512"
    assert args[args.index("--max-lora-rank") + 1] == "8"
    fetched = home / "bundles" / short
    assert bundles.read(fetched).digest == service["metadata"]["annotations"]["proseform.dev/bundle"]
    assert all(path.stat().st_mode & 0o004 for path in fetched.rglob("*"))  # the engines have another user


def test_what_is_promoted_stands_and_takes_its_share(server: Cluster) -> None:
    deploy.run("toy", run(), PLACE, "1")
    assert weights(server) == {"proseform-toy-v1-transformer": 100}
    assert promote.run("toy", run(0.25), "", "") == "2"
    assert weights(server) == {"proseform-toy-v1-transformer": 75, "proseform-toy-v2-transformer": 25}
    assert promote.run("toy", run(0.25), "", "") == "2"  # again: nothing moves
    assert weights(server) == {"proseform-toy-v1-transformer": 75, "proseform-toy-v2-transformer": 25}
    figures = json.loads((cache.home().runs / "promote.json").read_text())
    assert "version 2 25 %" in figures["key"]
    assert (
        figures["bundle"]
        == server.objects[f"{SERVICES}/proseform-toy-v2"]["metadata"]["annotations"]["proseform.dev/bundle"]
    )
    deploy.run("toy", run(), PLACE, "1")  # a rollback
    assert weights(server) == {"proseform-toy-v1-transformer": 100, "proseform-toy-v2-transformer": 0}
    deploy.remove("toy", run(), PLACE, "2")
    assert weights(server) == {"proseform-toy-v1-transformer": 100}


def test_what_does_not_become_ready_is_not_promoted(
    home: Path, server: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROSEFORM_PLACE", PLACE + "ready_s = 1\n")
    opened = registry.connect(home)
    opened.client.set_registered_model_alias("proseform-toy", "champion", "1")
    opened.client.set_registered_model_alias("proseform-toy", "candidate", "2")
    server.works = False
    with pytest.raises(ClusterError, match="not ready after 1 s"):
        promote.run("toy", run(), "", "")
    assert models.aliases(opened, "proseform-toy")["champion"] == "1"
    assert ROUTE not in server.objects


def test_the_api_server_may_check_and_change_nothing(server: Cluster) -> None:
    assert "takes all 4 objects" in deploy.run("toy", run(), PLACE, "1", dry_run="server")
    assert server.objects == {}


def test_a_version_that_is_not_there_is_refused_before_the_cluster_is_asked(server: Cluster) -> None:
    with pytest.raises(RegistryError, match="versions: "):
        deploy.run("toy", run(), PLACE, "9")
    assert server.asked == []


SHORT = "0123456789ab"


@pytest.mark.parametrize(
    ("storage", "artifacts", "uri"),
    [
        ("", "", f"pvc://proseform-store/bundles/{SHORT}"),
        ("pvc://models/of/ours/", "", f"pvc://models/of/ours/{SHORT}"),
        ("oci://models/toy", "", f"oci://models/toy:{SHORT}"),
        ("oci+native://models/toy", "", f"oci+native://models/toy:{SHORT}"),
        ("s3://bucket", "s3://bucket/1/models/m-1/artifacts", "s3://bucket/1/models/m-1/artifacts/bundle"),
        (
            "s3://bucket/mlflow",
            "mlflow-artifacts:/1/models/m-1/artifacts",
            "s3://bucket/mlflow/1/models/m-1/artifacts/bundle",
        ),
    ],
)
def test_the_uri_is_where_the_bundle_lies(storage: str, artifacts: str, uri: str) -> None:
    place = config.Place.model_validate({"serving": {"storage": storage}})
    assert deploy.storage(place, f"sha256:{SHORT}{'0' * 52}", lambda: artifacts) == uri


def test_artifacts_that_are_on_no_object_store_are_refused() -> None:
    place = config.Place.model_validate({"serving": {"storage": "s3://bucket"}})
    with pytest.raises(ConfigError, match="file:///home/x, not on s3"):
        deploy.storage(place, "sha256:0", lambda: "file:///home/x")


class Gateway(Server):
    """A gateway that gives the listed answers in turn."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        super().__init__()
        self.left = list(answers)

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        self.asked.append((method, target))
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


def asked(answering: Gateway, monkeypatch: pytest.MonkeyPatch, cases: int = 1) -> list[dict[str, Any]]:
    monkeypatch.setattr(gateway.time, "sleep", lambda _: None)
    monkeypatch.setattr(gateway, "_FOUND_S", 0.3)
    with serving(answering) as url:
        place = config.PLACES.parse(f'{PLACE}url = "{url}"')
        return gateway.ask("toy", place, "proseform-toy", "sha256:new", [{"parcel": "x"}] * cases)


def test_the_probe_asks_until_the_promoted_bundle_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    answering = Gateway(
        (503, "no healthy upstream"), (200, {"bundle": "sha256:old"}), (200, {"bundle": "sha256:new", "answer": {}})
    )
    assert asked(answering, monkeypatch, 2) == [{"bundle": "sha256:new", "answer": {}}] * 2
    assert answering.asked[0] == ("POST", "/v1/tasks/toy/answer")


def test_a_refusal_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = {"type": "Refusal", "reason": "too_long", "message": "Too long.", "hint": ""}
    assert asked(Gateway((413, {"error": refusal})), monkeypatch) == [refusal]


@pytest.mark.parametrize(
    ("answer", "words"),
    [((200, {"bundle": "sha256:old"}), "by bundle old, not by new"), ((503, "no healthy upstream"), "by HTTP 503")],
)
def test_a_gateway_that_never_leads_to_the_promoted_bundle_is_told(
    answer: tuple[int, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StageError, match=words):
        asked(Gateway(answer), monkeypatch)


@pytest.mark.parametrize(
    ("knob", "field"),
    [('form = "economical"', "serving.form"), ('mode = "serverless"', "serving.mode")],
)
def test_a_form_that_the_models_cannot_have_is_refused_before_anything_is_trained(knob: str, field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        preflight.check("toy", run(), config.PLACES.parse(PLACE + knob))


def test_an_encoder_decoder_is_refused_before_anything_is_trained_or_deployed() -> None:
    """VLLM serves none; an engine by URL is somebody else's."""
    with pytest.raises(ConfigError, match=r"formatter\.kind: the place serves by vLLM"):
        preflight.check("toy", f"{run()}[formatter]\nkind = 'seq2seq'\n", config.PLACES.parse(PLACE))
    whole = testing.toy_bundle(testing.toy_task())
    bundle = replace(whole, formatter=replace(whole.formatter, kind="seq2seq"))
    with pytest.raises(ConfigError, match="The formatter of this bundle is an encoder-decoder"):
        vllm.check(bundle)
    vllm.check(whole)
