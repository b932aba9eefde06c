"""The training operator and KServe's controller, from the manifests of their own modules, with a few changes.

Left out of KServe: cert-manager (the certificate is ours), kube-rbac-proxy, and the runtimes that it ships.
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
"""KServe creates plain Deployments, and no ingress: an HTTPRoute in front of them splits traffic between versions."""
_CERT_MANAGER = ("Certificate", "Issuer")


def training_operator() -> list[Manifest]:
    """The training operator.

    Its own init container, in which workers wait for their master, is a shell script in an image of a registry without
    a security context; PodSecurity "restricted" refuses it. Ours is a program that waits for the master's name.
    """
    manifests = kustomized(
        programs.source("training-operator", programs.VERSIONS["training-operator"][0])
        / "manifests/overlays/standalone"
    )
    (deployment,) = (manifest for manifest in manifests if manifest["kind"] == "Deployment")
    spec = _settle(deployment, programs.OPERATOR)
    spec["volumes"].append({"name": "init", "configMap": {"name": _TEMPLATE["map"]}})
    spec["containers"][0]["volumeMounts"].append({"name": "init", "mountPath": "/etc/init", "readOnly": True})
    spec["containers"][0]["args"] = [
        f"--pytorch-init-container-image={images.name_of(programs.WAIT)}",
        f"--pytorch-init-container-template-file={_TEMPLATE['file']}",
    ]
    about = {"name": _TEMPLATE["map"], "namespace": deployment["metadata"]["namespace"]}
    return [
        *manifests,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": about,
            "data": {"template.yaml": json.dumps([init_container()])},
        },
    ]


def init_container() -> Manifest:
    """The template of a worker's init container; the operator replaces ``{{…}}``."""
    return {
        "name": "init-pytorch",
        "image": "{{.InitContainerImage}}",
        "imagePullPolicy": "IfNotPresent",
        "args": ["{{.MasterAddr}}"],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "100m", "memory": "32Mi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": images.NOBODY,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def kserve() -> list[Manifest]:
    """KServe's controller."""
    root = programs.source("kserve", programs.VERSIONS["kserve"][0]) / "config"
    manifests = [
        manifest
        for manifest in [*kustomized(root / "default"), *files(root / "configmap")]
        if manifest["kind"] not in _CERT_MANAGER
    ]
    host = f"{_WEBHOOK}-service.kserve.svc"
    if not (PKI / f"{host}.crt").exists():
        pki.certificate(PKI, host, (host,))
    certificate, key = (base64.b64encode((PKI / f"{host}.{end}").read_bytes()).decode() for end in ("crt", "key"))
    for manifest in manifests:
        _trust(manifest, certificate)
        if manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"] == "inferenceservice-config":
            manifest["data"] |= {
                name: json.dumps({**json.loads(manifest["data"][name]), **ours}) for name, ours in _SETTINGS.items()
            }
        if manifest["kind"] == "Deployment":
            spec = _settle(manifest, programs.KSERVE)
            spec["containers"] = [container for container in spec["containers"] if container["name"] == "manager"]
            spec["containers"][0] |= {"args": [], "resources": {"requests": {"cpu": "50m", "memory": "100Mi"}}}
    secret = {"name": f"{_WEBHOOK}-cert", "namespace": "kserve"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kserve"}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": secret,
            "data": {"tls.crt": certificate, "tls.key": key},
        },
        *manifests,
    ]


@dataclass(frozen=True, slots=True)
class Controller:
    """A controller that runs as a Deployment.

    Attributes:
        namespace: The Deployment's namespace.
        name: The Deployment's name.
        manifests: Makes all of its objects.
        admitted: An object without metadata, which its webhook must admit before the controller counts as up.
    """

    namespace: str
    name: str
    manifests: Callable[[], list[Manifest]]
    admitted: Manifest


_CONTAINER = {"name": "pytorch", "image": "none.local/none:none"}
CONTROLLERS = {
    "training operator": Controller(
        "kubeflow",
        "training-operator",
        training_operator,
        {
            "apiVersion": "kubeflow.org/v1",
            "kind": "PyTorchJob",
            "spec": {
                "pytorchReplicaSpecs": {"Master": {"replicas": 1, "template": {"spec": {"containers": [_CONTAINER]}}}}
            },
        },
    ),
    "KServe": Controller(
        "kserve",
        "kserve-controller-manager",
        kserve,
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "spec": {"predictor": {"containers": [{**_CONTAINER, "name": "kserve-container"}]}},
        },
    ),
}
"""By name, in the order in which they come up."""


def up(*which: str) -> None:
    """Apply controllers and wait until each admits its objects, which can be some time after its rollout.

    Args:
        which: Of :data:`CONTROLLERS`; without any, all.
    """
    controllers = {words: CONTROLLERS[words] for words in which or CONTROLLERS}
    apply([manifest for controller in controllers.values() for manifest in controller.manifests()])
    for words, controller in controllers.items():
        _await_rollout(words, controller.namespace, controller.name)
    for controller in controllers.values():
        await_admission({**controller.admitted, "metadata": {"name": "probe", "namespace": "default"}})


def _await_rollout(words: str, namespace: str, name: str, timeout_s: int = 240) -> None:
    """Wait until a Deployment is rolled out.

    Raises:
        CrashError: With the end of its log, and the namespace's events.
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
    """Let a Deployment run our image, with a quick readiness probe; returns the pod's spec."""
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    manager = next(container for container in spec["containers"] if container["command"] == ["/manager"])
    manager |= {"image": images.name_of(program), "imagePullPolicy": "Never"}
    manager["readinessProbe"] |= {"initialDelaySeconds": 1, "periodSeconds": 1, "failureThreshold": 60}
    manager["livenessProbe"] |= {"initialDelaySeconds": 60}
    return spec


def _trust(one: Manifest, certificate: str) -> None:
    """Put our certificate where a manifest refers the API server to a webhook."""
    one["metadata"].get("annotations", {}).pop("cert-manager.io/inject-ca-from", None)
    clients = [webhook["clientConfig"] for webhook in one.get("webhooks", ())]
    if one["kind"] == "CustomResourceDefinition" and "webhook" in one["spec"].get("conversion", {}):
        clients.append(one["spec"]["conversion"]["webhook"]["clientConfig"])
    for client in clients:
        client["caBundle"] = certificate
