"""vLLM as a KServe runtime: its command (:mod:`proseform.infer.vllm`) and its pod, as a place has them.

Trap: KServe 0.20 refuses the variable PYTHONPATH, so the command sets it. Trap: the init container that KServe adds for
``s3://`` has no security context; PodSecurity "restricted" admits it only if its ClusterStorageContainer has one.
"""

from __future__ import annotations

from proseform import config
from proseform.infer import vllm
from proseform.infer.vllm import Loaded, Standing
from proseform.kube import pods
from proseform.kube.pods import Manifest

MODELS = "/mnt/models"
"""Where KServe mounts the folder of a storage URI: the bundle."""
PORT = 8080
CONTAINER = "kserve-container"
"""The name of the main container, which KServe requires."""


def argv(loaded: Loaded, place: config.Place, port: int = PORT) -> list[str]:
    """The server's command.

    On SIGTERM it finishes running requests, for as long as one may take; its pod's grace period allows that.

    Raises:
        ConfigError: See :func:`proseform.infer.vllm.argv`.
    """
    knobs = place.serving.engine
    standing = Standing(MODELS, pods.every_interface(place), port, place.serving.transformer.timeout_s)
    return with_packages(vllm.argv(loaded, knobs, standing), knobs.environment)


def container(loaded: Loaded, place: config.Place, port: int = PORT) -> Manifest:
    """The engine's container."""
    knobs = place.serving.engine
    _, _, mounts = pods.environment(knobs.environment)
    command = argv(loaded, place, port)
    split = next(index for index, word in enumerate(command) if word.startswith("--"))
    return pods.container(
        pods.Container(
            name=CONTAINER,
            image=place.images.vllm,
            command=command[:split],
            pull_policy=place.images.pull_policy,
            env=vllm.environment(knobs),
            resources=pods.resources(knobs.cpu, knobs.memory, knobs.gpus, knobs.gpu_resource),
            limited=place.cpu_limits,
            mounts={"shared-memory": pods.SHARED_MEMORY, **mounts},
            more={"args": command[split:], **probed("/health", port, knobs.start_s)},
        )
    )


def pod(place: config.Place) -> Manifest:
    """The fields of the engine's pod beside its container; KServe adds the bundle's volume."""
    knobs = place.serving.engine
    _, volumes, _ = pods.environment(knobs.environment)
    volumes = {"shared-memory": pods.shared_memory(knobs.shared_memory), **volumes}
    spec = pods.pod([], place, volumes, knobs, place.serving.account)
    annotations = {"annotations": dict(knobs.annotations)} if knobs.annotations else {}
    return {**{name: value for name, value in spec.items() if name != "containers"}, **annotations}


def probed(path: str, port: int, start_s: int, live: str = "") -> Manifest:
    """Port and probes of a container that answers HTTP.

    Args:
        path: The path of its readiness.
        port: Its port.
        start_s: Longest time from its start until it is live, in seconds.
        live: The path of its liveness, if another: a container that waits for others must not be restarted for it.
    """
    ask = {"httpGet": {"path": path, "port": port}}
    alive = {"httpGet": {"path": live or path, "port": port}}
    return {
        "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
        "startupProbe": {**alive, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": max(1, start_s // 5)},
        "readinessProbe": {**ask, "periodSeconds": 5, "timeoutSeconds": 5},
        "livenessProbe": {**alive, "periodSeconds": 20, "timeoutSeconds": 10, "failureThreshold": 6},
    }


def with_packages(command: list[str], environment: config.Environment | None) -> list[str]:
    """The command with the packages of an environment on a claim; unchanged without one."""
    return ["env", f"PYTHONPATH={environment.packages}", *command] if environment else command
