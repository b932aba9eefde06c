"""A whole pipeline run in a pod: as an ordinary user, with the rights of the pipeline's service account alone."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proseform import config
from proseform.kube import jobs, pods
from tests.cluster.kubectl import Manifest, apply, kubectl
from tests.e2e import python
from tests.e2e.world import CLAIM, HOME, NAMESPACE, PYTHON, TRACKING, World
from tests.pipelines.test_smollm2 import A_FEW_ROWS

TASK = "cv"
FIRST = "first"
"""The run that trains everything; it takes longest, so it starts with the world."""
A_FEW_STEPS = f"""{A_FEW_ROWS}
[sft.evaluator]
steps = 4
batch = 2
micro_batch = 1
save_every = 2
[sft.formatter]
steps = 4
batch = 2
micro_batch = 1
save_every = 2
[grpo]
steps = 1
prompts = 1
generations = 2
micro_batch = 1
[evaluate]
cases = 1
samples = 1
schemas = 1
levels = []
[generation]
accept = "valid"
evaluator.max_tokens = 24
formatter.max_tokens = 96
[launch]
processes = 2
threads = 1
[gate]
above_blind = false
schema_valid = {{ cases = 1 }}
formatter_exact = {{ at_least = 0.0, cases = 1 }}
evaluator_reward = {{ at_least = 0.0, cases = 1 }}
recommendation_right = {{ at_least = 0.0, cases = 1 }}
verified_right = false
lift = {{ at_least = -1.0, cases = 1 }}
[probe]
cases = 1
"""
"""Changes to the shipped run. Quality is measured elsewhere, but every answer has to be valid here too."""

ANOTHER_BUDGET = A_FEW_STEPS.replace("formatter.max_tokens = 96", "formatter.max_tokens = 88")
"""Another bundle of the same weights."""

A_LONG_RUN = A_FEW_STEPS.replace("steps = 4\n", "steps = 400\n")
"""Long enough to be interrupted."""


@dataclass(frozen=True)
class Ran:
    """A pipeline run that has succeeded.

    Attributes:
        name: Its name.
    """

    name: str

    def figures(self, stage: str) -> dict[str, Any]:
        """The figures of a stage that acts on the registry."""
        figures: dict[str, Any] = json.loads((HOME / "runs" / self.name / f"{stage}.json").read_text())
        return figures

    def jobs(self, world: World) -> dict[str, Manifest]:
        """The training jobs of this run, by stage."""
        listed = world.api.find("kubeflow.org/v1", "PyTorchJob", f"{jobs.RUN}={self.name}")
        return {job["metadata"]["labels"][jobs.STAGE]: job for job in listed}


def text(differs: str) -> str:
    """A run file that extends the shipped SmolLM2 run."""
    return f'extends = "smollm2"\n{differs}'


def place(name: str) -> Path:
    """The place file of a pipeline run of this name."""
    return HOME / f"{name}.place.json"


def start(world: World, name: str, run: str) -> None:
    """Start a pipeline run in a pod of its name; deletes that of an earlier session on this cluster."""
    kubectl("delete", "pod", "--namespace", NAMESPACE, name, "--ignore-not-found", "--grace-period=1")
    shutil.rmtree(HOME / "runs" / name, ignore_errors=True)
    file = HOME / f"{name}.toml"
    file.write_text(run)
    place(name).write_text(json.dumps(world.place()))
    config.load(str(file))  # a wrong knob is an error here, not in the pod
    config.PLACES.load(str(place(name)))
    options = ["--place", str(place(name)), "--tracking-uri", TRACKING]
    container = pods.container(
        pods.Container(
            name="pipeline",
            image=world.python,
            resources={"cpu": "300m", "memory": "4Gi"},
            limited=False,
            mounts={"store": (str(HOME), False), "python": (python.MOUNT, True)},
            command=["python3", "-m", "pipelines", "run", "--task", TASK, "--run", str(file), *options],
            env={
                "PYTHONPATH": world.environment["packages"],
                "PROSEFORM_HOME": str(HOME),
                "PROSEFORM_RUN": name,
                "HF_HUB_OFFLINE": "1",
                "PYTHONUNBUFFERED": "1",
                "OMP_NUM_THREADS": "1",
            },
        )
    )
    volumes = {"store": pods.claim(CLAIM), "python": pods.claim(PYTHON, read_only=True)}
    spec = {
        **pods.pod([container], config.Place(), volumes),
        "serviceAccountName": f"{NAMESPACE}-pipeline",
        "automountServiceAccountToken": True,
        "restartPolicy": "Never",
    }
    labels = {**pods.PART_OF, "app.kubernetes.io/component": "pipeline"}
    apply(
        [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
                "spec": spec,
            }
        ]
    )


def end(world: World, name: str, seconds: int = 900) -> Ran:
    """Wait for a pipeline run to succeed; if it fails, the assertion shows its output."""
    began, phase = time.monotonic(), ""
    while phase not in {"Succeeded", "Failed"}:
        pod = world.api.get("v1", "Pod", name)
        phase = pod["status"].get("phase", "") if pod else ""
        assert time.monotonic() - began < seconds, f"{name} is still {phase} after {seconds} s:\n{_told(name)}"
        time.sleep(1)
    assert phase == "Succeeded", f"{name} failed:\n{_told(name)}"
    return Ran(name)


def _told(name: str) -> str:
    """The last lines of a run and of its steps, and the objects of the namespace."""
    log, steps = kubectl("logs", "--namespace", NAMESPACE, name, "--tail=40"), HOME / "runs" / name / "kfp.log"
    objects = kubectl("get", "pods,pytorchjobs,inferenceservices", "--namespace", NAMESPACE, "--output=wide")
    steps_log = "\n".join(steps.read_text().splitlines()[-40:]) if steps.exists() else ""
    return f"{log}\n{steps_log}\n{objects}"
