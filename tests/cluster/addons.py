"""What makes it the cluster that Proseform runs on: the training operator, KServe's controller, and a Gateway API."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import pki
from tests.cluster.control_plane import PKI, kubeconfig
from tests.cluster.places import API, GATEWAY_PORT, HOST, KSERVE, KUBECONFIG, OPERATOR, WAIT
from tests.cluster.process import Process
from tests.cluster.programs import built, module

Manifest = dict[str, Any]
_GATEWAY_API = "sigs.k8s.io/gateway-api"
_UNWANTED = {"Certificate", "Issuer", "ServiceMonitor"}
_INIT = """- name: init-pytorch
  image: {{{{.InitContainerImage}}}}
  imagePullPolicy: IfNotPresent
  command: ["/wait-for-name", "{{{{.MasterAddr}}}}"]
  resources: {{limits: {{cpu: 100m, memory: 32Mi}}, requests: {{cpu: 10m, memory: 16Mi}}}}
  securityContext:
    runAsNonRoot: true
    runAsUser: {user}
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {{drop: ["ALL"]}}
    seccompProfile: {{type: RuntimeDefault}}
"""


def up() -> None:
    """Apply them and wait until each is ready."""
    apply(gateway_crds())
    apply(training_operator())
    apply(kserve())
    gateway().start()
    for namespace, name in (("kubeflow", "training-operator"), ("kserve", "kserve-controller-manager")):
        kubectl("rollout", "status", "-n", namespace, f"deployment/{name}", "--timeout=180s")
    kubectl("wait", "--for=condition=Accepted", "gatewayclass/traefik", "--timeout=60s")


def training_operator() -> list[Manifest]:
    """The operator's own manifests, with our image and an init container that PodSecurity "restricted" admits."""
    found = _kustomized(module("training-operator", "github.com/kubeflow/training-operator") / "manifests/overlays/standalone")
    template = _INIT.format(user=10001)
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "init-container", "namespace": "kubeflow"}}
    for one in found:
        if one["kind"] == "Deployment":
            spec = one["spec"]["template"]["spec"]
            container = spec["containers"][0]
            container |= {"image": OPERATOR, "imagePullPolicy": "Never"}
            container["args"] = ["--enable-scheme=pytorchjob", f"--pytorch-init-container-image={WAIT}",
                                 "--pytorch-init-container-template-file=/etc/init/template.yaml"]  # fmt: skip
            container["volumeMounts"].append({"name": "init", "mountPath": "/etc/init", "readOnly": True})
            container["readinessProbe"] |= {"initialDelaySeconds": 1, "periodSeconds": 1}
            spec["volumes"].append({"name": "init", "configMap": {"name": "init-container"}})
    return [*found, {**settings, "data": {"template.yaml": template}}]


def kserve() -> list[Manifest]:
    """KServe's controller for plain Deployments, with a certificate of our own in the place of cert-manager's."""
    root = module("kserve", "github.com/kserve/kserve") / "config"
    found = [one for one in [*_kustomized(root / "default"), *_files(root / "configmap")] if one["kind"] not in _UNWANTED]
    names = ("kserve-webhook-server-service.kserve.svc", "kserve-webhook-server-service.kserve.svc.cluster.local")
    if not (PKI / "kserve-webhook.crt").exists():
        pki.certificate(PKI, "kserve-webhook", names)
    certificate, key = ((PKI / f"kserve-webhook.{end}").read_bytes() for end in ("crt", "key"))
    bundle = base64.b64encode(certificate).decode()
    for one in found:
        one["metadata"].get("annotations", {}).pop("cert-manager.io/inject-ca-from", None)
        for webhook in one.get("webhooks", ()):
            webhook["clientConfig"]["caBundle"] = bundle
        conversion = one.get("spec", {}).get("conversion", {}).get("webhook", {}) if one["kind"] == "CustomResourceDefinition" else {}
        if conversion:
            conversion["clientConfig"]["caBundle"] = bundle
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "inferenceservice-config":
            _settle(one["data"])
        if one["kind"] == "Deployment":
            spec = one["spec"]["template"]["spec"]
            spec["containers"] = [each for each in spec["containers"] if each["name"] == "manager"]
            spec["containers"][0] |= {"image": KSERVE, "imagePullPolicy": "Never", "args": ["--metrics-addr=127.0.0.1:8080"]}
            spec["containers"][0]["resources"]["limits"] = {"cpu": "1", "memory": "500Mi"}
            spec["containers"][0]["readinessProbe"] |= {"initialDelaySeconds": 1, "periodSeconds": 1}
    secret = {"tls.crt": bundle, "tls.key": base64.b64encode(key).decode()}
    about = {"name": "kserve-webhook-server-cert", "namespace": "kserve"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kserve"}},
        {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": about, "data": secret},
        *found,
    ]


def _settle(data: dict[str, str]) -> None:
    """Plain Deployments, and no ingress of KServe's: traffic between versions is split by a route of our own."""
    for key, changes in (("deploy", {"defaultDeploymentMode": "Standard"}), ("ingress", {"disableIngressCreation": True})):
        data[key] = json.dumps({**json.loads(data[key]), **changes})


def gateway_crds() -> list[Manifest]:
    """The Gateway API, and Traefik's class of it."""
    made = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "traefik"}}
    return [
        *_files(module("traefik", _GATEWAY_API) / "config/crd/standard"),
        {**made, "spec": {"controllerName": "traefik.io/gateway-controller"}},
    ]


def gateway() -> Process:
    """Traefik on the host: its address is the bridge's, where pods and host reach it."""
    kubeconfig("gateway")
    token = (PKI / "gateway.token").read_text()
    return Process("traefik", [
        str(built("traefik")), f"--entrypoints.web.address={HOST}:{GATEWAY_PORT}", "--providers.kubernetesgateway=true",
        f"--providers.kubernetesgateway.endpoint={API}", f"--providers.kubernetesgateway.token={token}",
        f"--providers.kubernetesgateway.certauthfilepath={PKI / 'apiserver.crt'}", "--providers.providersthrottleduration=200ms",
        "--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=WARN",
    ])  # fmt: skip


def apply(manifests: Iterable[Manifest]) -> None:
    """Apply manifests, definitions and namespaces first."""
    first = {"Namespace", "CustomResourceDefinition"}
    ordered = sorted((one for one in manifests if one), key=lambda one: one["kind"] not in first)
    for some in ([one for one in ordered if one["kind"] in first], [one for one in ordered if one["kind"] not in first]):
        if some:
            text = yaml.dump_all(some, Dumper=yaml.CSafeDumper)
            kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=text)
            names = [one["metadata"]["name"] for one in some if one["kind"] == "CustomResourceDefinition"]
            if names:
                kubectl("wait", "--for=condition=Established", "--timeout=60s", *(f"crd/{name}" for name in names))


def kubectl(*words: str, text: str = "") -> str:
    """Run kubectl against our cluster; what it prints.

    Raises:
        RuntimeError: With its words.
    """
    environment = {**os.environ, "KUBECONFIG": str(KUBECONFIG)}
    done = subprocess.run(["kubectl", *words], input=text, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"kubectl {' '.join(words[:4])}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _kustomized(folder: Path) -> list[Manifest]:
    """What kustomize makes of a folder."""
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True)
    return [one for one in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if one]


def _files(folder: Path) -> list[Manifest]:
    """The manifests in a folder."""
    found = [one for file in sorted(folder.glob("*.yaml")) for one in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader)]
    return [one for one in found if one and one["kind"] != "Kustomization"]
