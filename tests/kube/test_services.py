"""A bundle's services are valid by the real CRDs, restricted, and hold what the bundle names."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from proseform import bundle as bundles
from proseform.errors import ConfigError
from proseform.infer import vllm
from proseform.kube import engines, remote, serverless, services
from tests.charts import admission
from tests.kube.served import FORMS, GOLDEN, rendered, served

_ENVIRONMENT = {"claim": "python", "path": "/env", "packages": "/env/lib"}
KNOBS: dict[str, dict[str, Any]] = {
    **FORMS,
    "processor": {
        "serving": {"engine": {"gpus": 0, "eager": True, "kv_cache_gib": 2, "arguments": ["--max-num-seqs", "4"]}}
    },
    "environments": {"serving": {part: {"environment": _ENVIRONMENT} for part in ("engine", "transformer")}},
    "placed": {
        "serving": {"account": "serving", "engine": {"node_selector": {"pool": "a"}, "tolerations": [{"key": "gpu"}]}}
    },
    "a real cluster": {
        "pull_secrets": ["registry"],
        "ipv6": True,
        "serving": {
            "account": "serving",
            "engine": {"annotations": {"sidecar.istio.io/inject": "false"}},
            "transformer": {"annotations": {"sidecar.istio.io/inject": "true"}, "node_selector": {"pool": "a"}},
        },
    },
    "hpa": {"serving": {"scaling": {"by": "hpa", "cpu": 60}, "engine": {"replicas_max": 3}, "drain_s": 0}},
}


def by_kind(manifests: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def pods_of(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pods as KServe builds them: the predictor's spec with the runtime's containers, and the transformer's own."""
    extension = {"model", "annotations", "labels", "minReplicas", "maxReplicas", "autoScaling", "canaryTrafficPercent"}
    runtimes = {
        runtime["metadata"]["name"]: runtime["spec"]["containers"] for runtime in by_kind(manifests, "ServingRuntime")
    }
    pods = []
    for service in by_kind(manifests, "InferenceService"):
        for part in service["spec"].values():
            containers = [*(runtimes[part["model"]["runtime"]] if "model" in part else []), *part.get("containers", [])]
            pods.append(
                {**{key: value for key, value in part.items() if key not in extension}, "containers": containers}
            )
    return pods


@pytest.mark.parametrize("name", KNOBS)
def test_the_api_server_knows_every_field(name: str) -> None:
    for manifest in services.build(served(KNOBS[name])):
        assert admission.faults(manifest) == [], manifest["kind"]


@pytest.mark.parametrize("name", KNOBS)
def test_every_pod_is_one_that_kubernetes_knows_and_restricted(name: str) -> None:
    for pod in pods_of(services.build(served(KNOBS[name]))):
        whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod}
        assert admission.faults(whole) == []
        assert list(admission.against_pod(pod)) == []
        assert {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]} <= {
            volume["name"] for volume in pod["volumes"]
        }


def test_every_pod_pulls_with_the_secrets_has_its_annotations_and_listens_where_the_cluster_needs_it() -> None:
    manifests = services.build(served(KNOBS["a real cluster"]))
    (service,) = by_kind(manifests, "InferenceService")
    for pod in pods_of(manifests):
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
        assert pod["serviceAccountName"] == "serving"
    assert service["spec"]["predictor"]["annotations"] == {"sidecar.istio.io/inject": "false"}
    assert service["spec"]["transformer"]["annotations"] == {"sidecar.istio.io/inject": "true"}
    assert service["spec"]["transformer"]["nodeSelector"] == {"pool": "a"}
    (runtime,) = by_kind(manifests, "ServingRuntime")
    for args in (runtime["spec"]["containers"][0]["args"], service["spec"]["transformer"]["containers"][0]["args"]):
        assert args[args.index("--host") + 1] == "::"


def test_a_transformer_that_waits_for_its_engine_is_not_restarted_for_it() -> None:
    (service,) = by_kind(services.build(served()), "InferenceService")
    (container,) = service["spec"]["transformer"]["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"] == "/v2/health/live"


@pytest.mark.parametrize("limited", [True, False])
def test_idle_processors_are_anybody_s_where_the_cluster_says_so_and_memory_never_is(limited: bool) -> None:
    for pod in pods_of(services.build(served({"cpu_limits": limited}))):
        for resources in (container["resources"] for container in pod["containers"]):
            assert {**resources["requests"], **resources["limits"]} == resources["requests"], "a limit is the request"
            assert set(resources["requests"]) - set(resources["limits"]) == (set() if limited else {"cpu"})


def test_a_field_that_nobody_knows_is_found() -> None:
    """The strict schemas can fail."""
    service = by_kind(services.build(served()), "InferenceService")[0]
    service["spec"]["transformer"]["containers"][0]["imagePullpolicy"] = "Never"
    assert "imagePullpolicy" in admission.faults(service)[0]


@pytest.mark.parametrize("form", FORMS)
def test_the_rendered_files_are_fresh(form: str) -> None:
    assert (GOLDEN / f"{form}.yaml").read_text() == rendered(form), "run: python -m tests.kube.served"


def test_economical_is_one_service_whose_engine_holds_base_and_adapters() -> None:
    version = served()
    (service,) = by_kind(services.build(version), "InferenceService")
    (runtime,) = by_kind(services.build(version), "ServingRuntime")
    args = runtime["spec"]["containers"][0]["args"]
    assert args[args.index("--model") + 1] == "/mnt/models/base"
    at = args.index("--lora-modules")
    assert args[at + 1 : at + 3] == ["evaluator=/mnt/models/evaluator", "formatter=/mnt/models/formatter"]
    assert args[args.index("--max-lora-rank") + 1] == "32"  # of 16 and 24, by what vLLM takes
    assert json.loads(args[args.index("--structured-outputs-config") + 1]) == {
        "backend": "guidance",
        "disable_any_whitespace": True,
    }
    assert args[args.index("--dtype") + 1] == "bfloat16"
    assert service["spec"]["predictor"]["model"]["storageUri"] == version.storage
    assert version.service == "proseform-toy-v3-transformer"


def test_wide_is_two_services_and_the_transformer_knows_the_evaluators() -> None:
    manifests = services.build(served({"serving": {"form": "wide"}, "namespace": "here"}))
    evaluator, formatter = by_kind(manifests, "InferenceService")
    assert "transformer" not in evaluator["spec"]
    args = formatter["spec"]["transformer"]["containers"][0]["args"]
    assert args[args.index("--evaluator") + 1] == f"http://{evaluator['metadata']['name']}-predictor.here"
    names = [runtime["spec"]["containers"][0]["args"] for runtime in by_kind(manifests, "ServingRuntime")]
    assert [
        [word.partition("=")[0] for word in args if word.startswith(("evaluator=", "formatter="))] for args in names
    ] == [
        ["evaluator"],
        ["formatter"],
    ]


def test_whole_models_take_the_wide_form_and_refuse_the_economical() -> None:
    version = served(adapters=False)
    assert len(by_kind(services.build(version), "InferenceService")) == 2
    assert version.service.endswith("-formatter-transformer")
    args = by_kind(services.build(version), "ServingRuntime")[0]["spec"]["containers"][0]["args"]
    assert args[args.index("--served-model-name") + 1] == "evaluator"
    assert "--enable-lora" not in args
    with pytest.raises(ConfigError, match="evaluator and formatter are whole models"):
        services.build(served({"serving": {"form": "economical"}}, adapters=False))


def test_every_object_carries_the_bundle_short_in_a_label_and_whole_in_an_annotation() -> None:
    version = served()
    for manifest in services.build(version):
        assert manifest["metadata"]["labels"]["proseform.dev/bundle"] == version.bundle.digest[7:19]
        assert manifest["metadata"]["annotations"]["proseform.dev/bundle"] == version.bundle.digest
        assert manifest["metadata"]["annotations"]["proseform.dev/task-contract"] == version.bundle.task_contract
        assert manifest["metadata"]["labels"]["proseform.dev/version"] == "3"


def test_the_transformer_reads_the_very_bundle_from_its_config_map(tmp_path: Any) -> None:
    version = served()
    (bundle_map,) = by_kind(services.build(version), "ConfigMap")
    (tmp_path / bundles.MANIFEST).write_text(bundle_map["data"][bundles.MANIFEST])
    assert bundles.read(tmp_path, check_files=False).digest == version.bundle.digest
    assert bundle_map["immutable"] is True


def test_kserve_is_given_no_variable_that_it_blocks() -> None:
    """KServe 0.20 refuses PYTHONPATH; the command names the packages instead."""
    for pod in pods_of(services.build(served(KNOBS["environments"]))):
        (container,) = pod["containers"]
        assert "PYTHONPATH" not in {variable["name"] for variable in container["env"]}
        assert container["command"][:3] == ["env", "PYTHONPATH=/env/lib", "python3"]
        mount = next(mount for mount in container["volumeMounts"] if mount["name"] == "environment")
        assert mount == {"name": "environment", "mountPath": "/env", "readOnly": True}


def test_an_engine_on_the_processor_has_no_gpu_flags() -> None:
    container = by_kind(services.build(served(KNOBS["processor"])), "ServingRuntime")[0]["spec"]["containers"][0]
    assert {"name": "VLLM_CPU_KVCACHE_SPACE", "value": "2"} in container["env"]
    assert not {"--gpu-memory-utilization", "--tensor-parallel-size"} & set(container["args"])
    assert container["args"][-3:] == ["--enforce-eager", "--max-num-seqs", "4"]
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_what_is_told_to_go_ends_what_it_has_begun_within_its_pods_patience() -> None:
    version = served({"serving": {"drain_s": 7, "transformer": {"timeout_s": 90}}})
    service, runtime = (
        by_kind(services.build(version), kind)[0]["spec"] for kind in ("InferenceService", "ServingRuntime")
    )
    (container,) = runtime["containers"]
    assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": 7}}}
    assert container["args"][container["args"].index("--shutdown-timeout") + 1] == "90"
    assert (
        service["predictor"]["terminationGracePeriodSeconds"]
        == service["transformer"]["terminationGracePeriodSeconds"]
        == 7 + 90 + services.LEAVING_S
    )


def test_gpus_of_a_pod_share_the_model() -> None:
    container = by_kind(services.build(served(FORMS["wide"])), "ServingRuntime")[0]["spec"]["containers"][0]
    args = container["args"]
    assert args[args.index("--tensor-parallel-size") + 1] == container["resources"]["limits"]["nvidia.com/gpu"] == "2"


def test_weights_are_quantised_by_vllm_s_names_alone_and_by_default_not_at_all() -> None:
    """vLLM 0.32 refuses fp8 for ordinary weights only once they are loaded, and knows no bitsandbytes."""
    container = by_kind(services.build(served(FORMS["wide"])), "ServingRuntime")[0]["spec"]["containers"][0]
    assert container["args"][container["args"].index("--quantization") + 1] == "fp8_per_channel"
    (plain,) = by_kind(services.build(served()), "ServingRuntime")
    assert "--quantization" not in plain["spec"]["containers"][0]["args"]
    for name in ("fp8", "bitsandbytes", "awq", "", "int8_per_channel_weight_only"):
        with pytest.raises(ValidationError, match="quantization"):
            served({"serving": {"engine": {"quantization": name}}})


def test_vllm_drafts_by_lookup_where_the_place_says_so() -> None:
    (plain,), (drafting,) = (
        by_kind(services.build(served(place)), "ServingRuntime")
        for place in ({}, {"serving": {"engine": {"lookup": 8}}})
    )
    assert "--speculative-config" not in plain["spec"]["containers"][0]["args"]
    args = drafting["spec"]["containers"][0]["args"]
    drafted = json.loads(args[args.index("--speculative-config") + 1])
    assert drafted == {"method": "ngram", "num_speculative_tokens": 8, "prompt_lookup_max": 3}


def test_quantised_weights_want_arithmetic_of_16_bits() -> None:
    place = {"serving": {"engine": {"quantization": "mxfp4", "dtype": "float32"}}}
    with pytest.raises(ConfigError, match=r"serving\.engine\.quantization mxfp4") as caught:
        services.build(served(place))
    assert 'dtype to "bfloat16"' in caught.value.hint


@pytest.mark.parametrize(("rank", "taken"), [(1, "1"), (2, "8"), (16, "16"), (33, "64"), (512, "512")])
def test_ranks_are_rounded_up_to_what_vllm_takes(rank: int, taken: str) -> None:
    version = served()
    loaded = vllm.Loaded(version.bundle, ("evaluator",), {"evaluator": rank}, 64)
    args = engines.argv(loaded, version.place)
    assert args[args.index("--max-lora-rank") + 1] == taken


def test_a_rank_that_vllm_cannot_serve_is_refused() -> None:
    version = served()
    with pytest.raises(ConfigError, match="rank 513"):
        engines.argv(vllm.Loaded(version.bundle, ("evaluator",), {"evaluator": 513}, 64), version.place)


REMOTE = {
    "url": "https://engines.example.org/v1",
    "dialect": "openai",
    "models": "judge,writer",
    "key_secret": "engine-key",
}


@pytest.mark.parametrize("by", ["none", "hpa", "keda"])
def test_an_engine_by_url_is_asked_by_the_transformer_alone_with_its_key_as_a_file(by: str) -> None:
    knobs = {"engine": REMOTE, "scaling": {"by": by}, "transformer": {"replicas": 2, "replicas_max": 4}}
    version = served({"serving": knobs}, adapters=False)
    manifests = remote.build(version)
    assert [admission.faults(manifest) for manifest in manifests] == [[]] * len(manifests)
    assert {manifest["kind"] for manifest in manifests} == {"ConfigMap", "PodDisruptionBudget", "InferenceService"}
    (pod,) = pods_of(manifests)
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod}
    assert admission.faults(whole) == []
    assert list(admission.against_pod(pod)) == []
    args = pod["containers"][0]["args"]
    told = {name: args[args.index(name) + 1] for name in ("--engine", "--dialect", "--models", "--key-file")}
    assert list(told.values()) == [
        "https://engines.example.org/v1",
        "openai",
        "judge,writer",
        "/etc/proseform/engine/key",
    ]
    assert {"name": "key", "secret": {"secretName": "engine-key", "defaultMode": 0o440}} in pod["volumes"]
    (service,) = by_kind(manifests, "InferenceService")
    assert service["spec"]["predictor"]["labels"]["app.kubernetes.io/component"] == "transformer"
    assert version.service == f"{service['metadata']['name']}-predictor"
    if by != "none":
        assert service["spec"]["predictor"]["autoScaling"]["metrics"][0]["type"] == "Resource"


@pytest.mark.parametrize("build", [services.build, remote.build])
def test_pods_share_evaluations_where_the_place_names_a_secret(build: Callable[[services.Served], Any]) -> None:
    engine = {"engine": REMOTE} if build is remote.build else {}
    version = served({"serving": {**engine, "transformer": {"cache_secret": "shared"}}}, adapters=False)
    ((pod, container),) = [
        (pod, container)
        for pod in pods_of(build(version))
        for container in pod["containers"]
        if "--cache-url-file" in container.get("args", ())
    ]
    args = container["args"]
    folder = "/etc/proseform/cache"
    assert args[args.index("--cache-secret") + 1] == f"{folder}/secret"
    assert args[args.index("--cache-url-file") + 1] == f"{folder}/url"
    assert {"name": "cache", "secret": {"secretName": "shared", "defaultMode": 0o440}} in pod["volumes"]
    assert {"name": "cache", "mountPath": folder, "readOnly": True} in container["volumeMounts"]


@pytest.mark.parametrize("build", [services.build, remote.build])
def test_callers_keys_are_a_mounted_secret_or_left_to_the_gateway(build: Callable[[services.Served], Any]) -> None:
    engine = {"engine": REMOTE} if build is remote.build else {}
    for secret, argument in (("", "--no-keys"), ("callers", "--keys")):
        version = served({"serving": {**engine, "transformer": {"keys_secret": secret}}}, adapters=False)
        containers = [
            (pod, container)
            for pod in pods_of(build(version))
            for container in pod["containers"]
            if "--bundle" in container.get("args", ())
        ]
        ((pod, container),) = containers
        assert argument in container["args"]
        named = {"name": "keys", "secret": {"secretName": "callers", "defaultMode": 0o440}} in pod["volumes"]
        assert named is bool(secret)
        if secret:
            assert container["args"][container["args"].index("--keys") + 1] == "/etc/proseform/keys/keys.json"
            mount = {"name": "keys", "mountPath": "/etc/proseform/keys", "readOnly": True}
            assert mount in container["volumeMounts"]


@pytest.mark.parametrize("build", [services.build, remote.build])
def test_traces_go_to_the_places_collector(build: Callable[[services.Served], Any]) -> None:
    engine = {"engine": REMOTE} if build is remote.build else {}
    for url in ("", "http://collector.test:4318"):
        version = served({"serving": {**engine, "transformer": {"traces": url}}}, adapters=False)
        containers = [one for pod in pods_of(build(version)) for one in pod["containers"]]
        (arguments,) = [one["args"] for one in containers if "--bundle" in one.get("args", ())]
        assert ("--traces" in arguments) is bool(url)
        if url:
            assert arguments[arguments.index("--traces") + 1] == url
        assert arguments[arguments.index("--log-format") + 1] == "json"


def test_an_engine_by_url_has_no_serverless_form() -> None:
    version = served({"serving": {"mode": "serverless", "engine": REMOTE}})
    for build in (remote.build, lambda version: serverless.build(version, 10)):
        with pytest.raises(ConfigError, match="an engine by URL has no revisions"):
            build(version)


def test_serverless_is_one_pod_of_both_so_that_a_revision_is_a_whole_bundle() -> None:
    manifests = serverless.build(served({"serving": {"mode": "serverless"}}), 10)
    for manifest in manifests:
        assert admission.faults(manifest) == []
    (pod,) = pods_of(manifests)
    assert admission.faults({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod}) == []
    assert list(admission.against_pod(pod)) == []
    assert [container["name"] for container in pod["containers"]] == ["kserve-container", "transformer-container"]
    assert [len(container.get("ports", [])) for container in pod["containers"]] == [0, 1]
    service = manifests[-1]
    assert service["metadata"]["name"] == "proseform-toy"
    assert service["spec"]["predictor"]["canaryTrafficPercent"] == 10
    args = pod["containers"][1]["args"]
    assert args[args.index("--predictor_host") + 1] == "localhost:8085"


@pytest.mark.parametrize(
    ("knobs", "adapters", "words"),
    [
        ({}, False, "whole models"),
        ({"form": "wide"}, True, "two engines"),
        ({"scaling": {"by": "keda"}}, True, "Knative scales"),
    ],
)
def test_serverless_refuses_what_knative_cannot_do(knobs: dict[str, Any], adapters: bool, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        serverless.build(served({"serving": {"mode": "serverless", **knobs}}, adapters=adapters), 10)
