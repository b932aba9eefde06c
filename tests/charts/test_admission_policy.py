"""What the pipeline's account may create, by the policies' own expressions: Common Expression Language, evaluated here.

The API server's evaluation of the same policies is a test on a real cluster (``tests/e2e/test_chart.py``).
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import pytest

from manifests import render, samples

celpy = pytest.importorskip("celpy", reason="cel-python is not installed: the policies' expressions are not evaluated")

Manifest = dict[str, Any]
RESOURCES = {
    "PyTorchJob": "pytorchjobs",
    "TrainingRuntime": "trainingruntimes",
    "TrainJob": "trainjobs",
    "ServingRuntime": "servingruntimes",
    "InferenceService": "inferenceservices",
}
IMAGES = "pods run the images that admission.images lists"
ACCOUNT = "pods mount no token, and have the accounts that admission.accounts lists"
SECRETS = "pods mount the Secrets that admission.secrets lists, and nothing of the node or of an account"
ENVIRONMENT = "nothing of a Secret stands in the environment"
NODE = "pods share nothing with their node, and no container is privileged"


@functools.cache
def policies() -> dict[str, Manifest]:
    """The policies by the resource that they judge."""
    rendered = render.objects({"admission": {"create": True, "secrets": ["hub"]}})
    policies = [policy for policy in rendered if policy["kind"] == "ValidatingAdmissionPolicy"]
    return {policy["spec"]["matchConstraints"]["resourceRules"][0]["resources"][0]: policy for policy in policies}


@functools.cache
def program(expression: str) -> Any:
    environment = celpy.Environment()
    return environment.program(environment.compile(expression))


def against(manifest: Manifest) -> list[str]:
    """The messages of the validations that an object fails."""
    policy = policies()[RESOURCES[manifest["kind"]]]["spec"]
    celled, variables = celpy.json_to_cel(manifest), {}

    def evaluated(expression: str) -> Any:
        known = celpy.celtypes.MapType({celpy.celtypes.StringType(name): value for name, value in variables.items()})
        return program(expression).evaluate({"object": celled, "variables": known})

    for variable in policy["variables"]:
        variables[variable["name"]] = evaluated(variable["expression"])
    return [validation["message"] for validation in policy["validations"] if not evaluated(validation["expression"])]


def copied(sample: str, kind: str) -> Manifest:
    """An object of a sample."""
    return copy.deepcopy(next(manifest for manifest in samples.every()[sample] if manifest["kind"] == kind))


EVERY = [
    (sample, manifest["kind"])
    for sample, manifests in samples.every().items()
    for manifest in manifests
    if manifest["kind"] in RESOURCES
]


@pytest.mark.parametrize(("sample", "kind"), EVERY)
def test_whatever_the_pipeline_makes_is_let_through(sample: str, kind: str) -> None:
    assert against(copied(sample, kind)) == []


def test_every_kind_that_runs_pods_and_that_the_account_may_create_has_a_policy() -> None:
    role = next(manifest for manifest in render.objects() if manifest["kind"] == "Role")
    created = {kind for rule in role["rules"] if "create" in rule["verbs"] for kind in rule["resources"]}
    without_pods = {"httproutes", "poddisruptionbudgets", "configmaps", "workflowtaskresults"}
    assert created - without_pods == set(policies()) == set(RESOURCES.values())


FAULTS: dict[str, tuple[Callable[[Manifest], Any], list[str]]] = {
    "another image": (lambda pod: pod["containers"][0].update(image="evil/miner:1"), [IMAGES]),
    "an image that begins alike": (lambda pod: pod["containers"][0].update(image="vllm/vllm-openai-evil:1"), [IMAGES]),
    "an init container of another image": (
        lambda pod: pod.update(initContainers=[{**pod["containers"][0], "image": "evil/miner:1"}]),
        [IMAGES],
    ),
    "another account": (lambda pod: pod.update(serviceAccountName="proseform-pipeline"), [ACCOUNT]),
    "another account by the old field": (lambda pod: pod.update(serviceAccount="proseform-pipeline"), [ACCOUNT]),
    "a token": (lambda pod: pod.update(automountServiceAccountToken=True), [ACCOUNT]),
    "a token by default": (lambda pod: pod.pop("automountServiceAccountToken"), [ACCOUNT]),
    "another Secret": (
        lambda pod: pod["volumes"].append({"name": "s", "secret": {"secretName": "database"}}),
        [SECRETS],
    ),
    "a projected token": (lambda pod: pod["volumes"].append({"name": "s", "projected": {"sources": []}}), [SECRETS]),
    "the node's files": (lambda pod: pod["volumes"].append({"name": "s", "hostPath": {"path": "/"}}), [SECRETS]),
    "a Secret in the environment": (
        lambda pod: pod["containers"][0]["env"].append(
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "database", "key": "a"}}}
        ),
        [ENVIRONMENT],
    ),
    "a whole Secret in the environment": (
        lambda pod: pod["containers"][0].update(envFrom=[{"secretRef": {"name": "database"}}]),
        [ENVIRONMENT],
    ),
    "the node's network": (lambda pod: pod.update(hostNetwork=True), [NODE]),
    "a privileged container": (
        lambda pod: pod["containers"][0]["securityContext"].update(privileged=True),
        [NODE],
    ),
    "the hub's Secret": (lambda pod: pod["volumes"].append({"name": "s", "secret": {"secretName": "hub"}}), []),
    "the chart's own account": (lambda pod: pod.update(serviceAccountName="proseform-training"), []),
}


def pod_of(manifest: Manifest) -> Manifest:
    """The pod whose fields are changed."""
    spec = manifest["spec"]
    if manifest["kind"] == "PyTorchJob":
        return spec["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]
    if manifest["kind"] == "TrainingRuntime":
        return spec["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    return spec["transformer"]


@pytest.mark.parametrize(
    ("sample", "kind"), [("pytorchjob", "PyTorchJob"), ("trainjob", "TrainingRuntime"), ("wide", "InferenceService")]
)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_account_could_run_beside_it_is_refused(fault: str, sample: str, kind: str) -> None:
    change, messages = FAULTS[fault]
    manifest = copied(sample, kind)
    if kind == "InferenceService":
        manifest = copy.deepcopy(
            next(
                manifest
                for manifest in samples.every()[sample]
                if manifest["kind"] == kind and "transformer" in manifest["spec"]
            )
        )
    change(pod_of(manifest))
    assert against(manifest) == messages


@pytest.mark.parametrize(
    ("sample", "kind", "change"),
    [
        ("trainjob", "TrainJob", lambda spec: spec["trainer"].update(image="evil/miner:1")),
        ("trainjob", "TrainJob", lambda spec: spec["trainer"].update(command=["sh"])),
        ("trainjob", "TrainJob", lambda spec: spec["runtimeRef"].update(kind="ClusterTrainingRuntime")),
        ("economical", "InferenceService", lambda spec: spec["predictor"]["model"].update(image="evil/miner:1")),
        ("economical", "InferenceService", lambda spec: spec["predictor"].pop("model")),
        ("economical", "InferenceService", lambda spec: spec.update(explainer={"containers": []})),
        ("economical", "ServingRuntime", lambda spec: spec["containers"][0].update(image="evil/miner:1")),
    ],
)
def test_overrides_lead_round_no_policy(sample: str, kind: str, change: Callable[[Manifest], Any]) -> None:
    manifest = copied(sample, kind)
    change(manifest["spec"])
    assert against(manifest) != []


def test_the_policies_concern_the_pipeline_s_account_in_this_namespace_alone() -> None:
    rendered = render.objects({"admission": {"create": True}})
    bindings = [manifest for manifest in rendered if manifest["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert len(bindings) == len(policies())
    for binding in bindings:
        labels = binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"]
        assert labels == {"kubernetes.io/metadata.name": render.NAME}
        assert binding["spec"]["validationActions"] == ["Deny"]
    for policy in policies().values():
        (condition,) = policy["spec"]["matchConditions"]
        assert condition["expression"].endswith(f"== 'system:serviceaccount:{render.NAME}:{render.NAME}-pipeline'")
        assert policy["spec"]["failurePolicy"] == "Fail"
