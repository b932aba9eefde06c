"""What makes it a cluster for models: the training operator and KServe's controller, from the manifests of their own modules.

What is changed is said at its place. Left out of KServe: cert-manager (the certificate is ours), kube-rbac-proxy, and the
runtimes that it ships.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.cluster import images, pki, programs
from tests.cluster.kubectl import KubectlError, Manifest, apply, await_admission, files, kubectl, kustomized
from tests.cluster.places import PKI
from tests.cluster.process import CrashError

_TEMPLATE = {"file": "/etc/init/template.yaml", "map": "pytorch-init-container"}
_WEBHOOK = "kserve-webhook-server"
_SETTINGS = {"deploy": {"defaultDeploymentMode": "Standard"}, "ingress": {"disableIngressCreation": True}}
"""KServe makes plain Deployments, and no ingress: traffic between versions is split by an HTTPRoute in front of them."""
_CERT_MANAGER = ("Certificate", "Issuer")


def training_operator() -> list[Manifest]:
    """The training operator.

    Its init container, in which workers wait for their master, is a shell script in an image of a registry, without a
    security context: PodSecurity "restricted" refuses such a pod. Ours is a program that waits for the name.
    """
    found = kustomized(
        programs.source("training-operator", programs.VERSIONS["training-operator"][0])
        / "manifests/overlays/standalone"
    )
    (deployment,) = (one for one in found if one["kind"] == "Deployment")
    spec = _settle(deployment, programs.OPERATOR)
    spec["volumes"].append({"name": "init", "configMap": {"name": _TEMPLATE["map"]}})
    spec["containers"][0]["volumeMounts"].append({"name": "init", "mountPath": "/etc/init", "readOnly": True})
    spec["containers"][0]["args"] = [
        f"--pytorch-init-container-image={images.name_of(programs.WAIT)}", f"--pytorch-init-container-template-file={_TEMPLATE['file']}",
    ]  # fmt: skip
    about = {"name": _TEMPLATE["map"], "namespace": deployment["metadata"]["namespace"]}
    return [
        *found,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": about,
            "data": {"template.yaml": json.dumps([init_container()])},
        },
    ]


def init_container() -> Manifest:
    """The template of a worker's init container; what stands in ``{{…}}`` the operator fills in."""
    return {
        "name": "init-pytorch", "image": "{{.InitContainerImage}}", "imagePullPolicy": "IfNotPresent", "args": ["{{.MasterAddr}}"],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "100m", "memory": "32Mi"}},
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": images.NOBODY, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
        },
    }  # fmt: skip


def kserve() -> list[Manifest]:
    """KServe's controller."""
    root = programs.source("kserve", programs.VERSIONS["kserve"][0]) / "config"
    found = [
        one for one in [*kustomized(root / "default"), *files(root / "configmap")] if one["kind"] not in _CERT_MANAGER
    ]
    host = f"{_WEBHOOK}-service.kserve.svc"
    if not (PKI / f"{host}.crt").exists():
        pki.certificate(PKI, host, (host,))
    certificate, key = (base64.b64encode((PKI / f"{host}.{end}").read_bytes()).decode() for end in ("crt", "key"))
    for one in found:
        _trust(one, certificate)
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "inferenceservice-config":
            one["data"] |= {
                name: json.dumps({**json.loads(one["data"][name]), **ours}) for name, ours in _SETTINGS.items()
            }
        if one["kind"] == "Deployment":
            spec = _settle(one, programs.KSERVE)
            spec["containers"] = [container for container in spec["containers"] if container["name"] == "manager"]
            spec["containers"][0] |= {"args": [], "resources": {"requests": {"cpu": "50m", "memory": "100Mi"}}}
    secret = {"name": f"{_WEBHOOK}-cert", "namespace": "kserve"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kserve"}},
        {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": secret,
         "data": {"tls.crt": certificate, "tls.key": key}},
        *found,
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Controller:
    """What runs as a Deployment.

    Attributes:
        namespace: The Deployment's.
        name: The Deployment's.
        manifests: Makes all of its objects.
        admitted: What it must let pass before it counts as there; named by who asks.
    """

    namespace: str
    name: str
    manifests: Callable[[], list[Manifest]]
    admitted: Manifest


_CONTAINER = {"name": "pytorch", "image": "none.local/none:none"}
CONTROLLERS = {
    "training operator": Controller("kubeflow", "training-operator", training_operator, {
        "apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob",
        "spec": {"pytorchReplicaSpecs": {"Master": {"replicas": 1, "template": {"spec": {"containers": [_CONTAINER]}}}}},
    }),
    "KServe": Controller("kserve", "kserve-controller-manager", kserve, {
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "spec": {"predictor": {"containers": [{**_CONTAINER, "name": "kserve-container"}]}},
    }),
}  # fmt: skip
"""In the order in which they come up, by what they are called."""


def up(*which: str) -> None:
    """Apply controllers and wait until each admits what it is there for: a rollout is done before a webhook's certificate holds.

    Args:
        which: Of :data:`CONTROLLERS`; without any, all.
    """
    wanted = {words: CONTROLLERS[words] for words in which or CONTROLLERS}
    apply([one for controller in wanted.values() for one in controller.manifests()])
    for words, controller in wanted.items():
        _await_rollout(words, controller.namespace, controller.name)
    for controller in wanted.values():
        await_admission({**controller.admitted, "metadata": {"name": "probe", "namespace": "default"}})


def _await_rollout(words: str, namespace: str, name: str, timeout_s: int = 240) -> None:
    """Wait until a Deployment is out.

    Raises:
        CrashError: With the end of its log, or what the node says of its pods where there is none.
    """
    try:
        kubectl(
            "rollout",
            "status",
            "--namespace",
            namespace,
            f"deployment/{name}",
            f"--timeout={timeout_s}s",
            timeout_s=timeout_s + 10,
        )
    except KubectlError as error:
        tell = ("--namespace", namespace)
        asked = [
            ("logs", *tell, f"deployment/{name}", "--tail=12"),
            ("get", *tell, "events", "--output=custom-columns=:.message"),
        ]
        told = []
        for words_of_it in asked:
            with suppress(KubectlError):
                told.append(kubectl(*words_of_it).strip())
        raise CrashError(f"{words} is not ready: {error}\n" + "\n".join(told)) from error


def _settle(deployment: Manifest, program: programs.Program) -> dict[str, Any]:
    """Run our image, and ask at once whether it is ready; the pod's spec."""
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    manager = next(each for each in spec["containers"] if each["command"] == ["/manager"])
    manager |= {"image": images.name_of(program), "imagePullPolicy": "Never"}
    manager["readinessProbe"] |= {"initialDelaySeconds": 1, "periodSeconds": 1, "failureThreshold": 60}
    manager["livenessProbe"] |= {"initialDelaySeconds": 60}
    return spec


def _trust(one: Manifest, certificate: str) -> None:
    """Let the API server trust our certificate where a manifest leads it to a webhook."""
    one["metadata"].get("annotations", {}).pop("cert-manager.io/inject-ca-from", None)
    clients = [webhook["clientConfig"] for webhook in one.get("webhooks", ())]
    if one["kind"] == "CustomResourceDefinition" and "webhook" in one["spec"].get("conversion", {}):
        clients.append(one["spec"]["conversion"]["webhook"]["clientConfig"])
    for client in clients:
        client["caBundle"] = certificate
