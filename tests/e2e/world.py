"""The world of the tests: images, volumes, a namespace for restricted pods alone, and the chart, installed by Helm."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import helm_python

from manifests import render
from proseform import config
from proseform.kube.api import Api
from tests.cluster import debian
from tests.cluster.kubectl import Manifest, apply, kubectl
from tests.cluster.places import GATEWAY_PORT, KUBECONFIG, STATE
from tests.e2e import python
from tests.images import build

NAMESPACE = render.NAME
USER = config.Place().user
VOLUMES = STATE / "volumes"
HOME = VOLUMES / "store" / "home"
"""The home folder, on the store's claim; the same path here and in pods, so that tests can read what pods write."""
WORKERS = HOME / "workers"
"""The folder of the tests' own workers, which pods mount."""
CLAIM, PYTHON = config.Place().claim, "python"
TRACKING = f"http://{NAMESPACE}-mlflow:5000"


@dataclass(frozen=True)
class World:
    """The images of the tests.

    Attributes:
        python: The image with an interpreter alone, by digest; the packages come from a claim.
        serve: The serve image, by digest.
        pipeline: The pipeline image without PyTorch, by digest; it runs MLflow.
    """

    python: str
    serve: str
    pipeline: str

    @cached_property
    def api(self) -> Api:
        """The API server, with an administrator's rights."""
        return Api(NAMESPACE, patience_s=60)

    @cached_property
    def environment(self) -> Manifest:
        """The packages for training, as a place's ``[jobs.environment]``."""
        return {"claim": PYTHON, "path": python.MOUNT, "packages": python.packages("platform")}

    def place(self, **jobs: Any) -> dict[str, Any]:
        """The place of this world.

        Args:
            jobs: Knobs of ``[jobs]`` that differ.
        """
        engine = {**self.environment, "packages": python.packages("vllm")}
        return {
            "cpu_limits": False,
            "images": {"train": self.python, "serve": self.serve, "vllm": self.python},
            "jobs": {
                "nodes": 2,
                "cpu": "400m",
                "memory": "2500Mi",
                "restarts": 3,
                "environment": self.environment,
                **jobs,
            },
            "serving": {
                "form": "economical",
                "drain_s": 5,
                "engine": {
                    "gpus": 0,
                    "cpu": "300m",
                    "memory": "4Gi",
                    "eager": True,
                    "shared_memory": "512Mi",
                    "environment": engine,
                    "arguments": ["--max-num-seqs", "4"],
                },
                "transformer": {"cpu": "100m", "memory": "1Gi", "timeout_s": 300},
            },
        }


def make() -> World:
    """Create the world, without waiting for MLflow; first delete what an earlier session has left on this cluster."""
    _clear()
    ours = (build.image("serve"), build.image("pipeline", TORCH="requirements/none.txt"))
    with ThreadPoolExecutor(len(ours)) as pool:
        world = World(python.image(), *pool.map(debian.hand_over, ours))
    security = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": security}}
    for name in ("platform", "vllm"):
        python.packages(name)
    shutil.copytree(Path(__file__).parent / "workers", WORKERS)
    apply(
        [
            namespace,
            *_volume(CLAIM, HOME, "ReadWriteMany"),
            *_volume(f"{NAMESPACE}-mlflow", VOLUMES / "mlflow", "ReadWriteOnce"),
            *_volume(PYTHON, python.FOLDER, "ReadOnlyMany"),
            _claim(PYTHON, "ReadOnlyMany"),
        ]
    )
    with helm() as fresh:
        fresh.install(str(render.CHART), NAMESPACE, values(world), namespace=NAMESPACE)
    return world


def helm() -> helm_python.Config:
    """Helm, configured for our cluster and namespace; to be closed."""
    return helm_python.Config(kubeconfig_path=str(KUBECONFIG), namespace=NAMESPACE)


def _clear() -> None:
    """Delete the namespace, the volumes and their folders."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout_s=180)
    kubectl("delete", "persistentvolume", "--all")
    if VOLUMES.exists():
        shutil.rmtree(VOLUMES)


def values(world: World) -> dict[str, Any]:
    """The chart's values: a small MLflow, and the gateway's port."""
    repository, _, digest = world.pipeline.partition("@")
    return {
        "store": {"size": "5Gi"},
        "gateway": {"port": GATEWAY_PORT},
        "mlflow": {
            "image": {"repository": repository, "tag": "test", "digest": digest},
            "workers": 1,
            "resources": {"cpu": "250m", "memory": "1536Mi"},
            "claimSize": "1Gi",
        },
    }


def _volume(claim: str, folder: Path, mode: str) -> list[Manifest]:
    """A folder of this machine as a volume, reserved for one claim."""
    folder.mkdir(parents=True, exist_ok=True)
    if mode != "ReadOnlyMany":
        shutil.chown(folder, USER, USER)
    of = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": NAMESPACE, "name": claim}
    spec = {"capacity": {"storage": "20Gi"}, "accessModes": [mode], "claimRef": of, "hostPath": {"path": str(folder)}}
    return [{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": claim}, "spec": spec}]


def _claim(name: str, mode: str) -> Manifest:
    """A claim that is not the chart's."""
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": name}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


def wait(what: str, condition: str, seconds: int = 120) -> None:
    """Wait for a condition of an object, by ``kubectl wait``."""
    kubectl(
        "wait", "--namespace", NAMESPACE, f"--for={condition}", what, f"--timeout={seconds}s", timeout_s=seconds + 10
    )
