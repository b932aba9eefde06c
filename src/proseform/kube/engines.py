"""vLLM as a KServe runtime: its command for a bundle, and its pod.

The flags come from trials with vLLM 0.32. Of its structured-output back ends only ``guidance`` let no invalid JSON
through, and without ``disable_any_whitespace`` a weak model fills its budget with blanks. An adapter's rank must not
exceed ``--max-lora-rank``, which accepts certain numbers only.
Trap: KServe 0.20 refuses the variable PYTHONPATH, so the command sets it. Trap: the init container that KServe adds for
``s3://`` has no security context; PodSecurity "restricted" admits it only if its ClusterStorageContainer has one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proseform import config
from proseform.bundle import Bundle, Role
from proseform.errors import ConfigError
from proseform.kube import pods
from proseform.kube.pods import Manifest

MODELS = "/mnt/models"
"""Where KServe mounts the folder of a storage URI: the bundle."""
PORT = 8080
CONTAINER = "kserve-container"
"""The name of the main container, which KServe requires."""
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The numbers that ``--max-lora-rank`` accepts."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The models of one engine.

    Attributes:
        bundle: The bundle.
        roles: The roles whose models it loads: both, or one.
        ranks: LoRA rank by role, for roles with an adapter.
        max_length: Tokens of prompt and completion.
    """

    bundle: Bundle
    roles: Sequence[Role]
    ranks: Mapping[Role, int]
    max_length: int


def economical(bundle: Bundle) -> str:
    """Why one engine cannot serve both roles; empty if it can.

    An engine has one base and its adapters; a role without an adapter can share it only if its model is that base.
    """
    one, other = bundle.evaluator, bundle.formatter
    if one.base_digest != other.base_digest:
        whole = [role for role, part in bundle.parts.items() if not part.adapter]
        which = (
            f"{' and '.join(whole)} {'is a whole model' if len(whole) == 1 else 'are whole models'}"
            if whole
            else "their bases differ"
        )
        return f"the economical form puts two adapters on one base, and here {which}"
    return ""


def argv(loaded: Loaded, place: config.Place, port: int = PORT) -> list[str]:
    """The server's command.

    On SIGTERM it finishes running requests, for as long as one may take; its pod's grace period allows that.

    Raises:
        ConfigError: An adapter's rank is above vLLM's greatest.
    """
    serving, host = place.serving, pods.every_interface(place)
    knobs = serving.engine
    parts = [(role, loaded.bundle.parts[role]) for role in loaded.roles]
    adapters = [(role, part) for role, part in parts if part.adapter]
    bare: list[str] = [role for role, part in parts if not part.adapter]
    structured = json.dumps({"backend": "guidance", "disable_any_whitespace": True}, separators=(",", ":"))
    words = [
        "python3",
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--host",
        host,
        "--port",
        str(port),
        "--model",
        f"{MODELS}/{parts[0][1].base}",
        "--served-model-name",
        *(bare or ["base"]),
        "--max-model-len",
        str(loaded.max_length),
        "--dtype",
        knobs.dtype or str(loaded.bundle.settings.get("dtype", "auto")),
        "--structured-outputs-config",
        structured,
        "--shutdown-timeout",
        str(serving.transformer.timeout_s),
    ]
    if adapters:
        named = [f"{role}={MODELS}/{part.adapter}" for role, part in adapters]
        rank = max(loaded.ranks[role] for role, _ in adapters)
        words += [
            "--enable-lora",
            "--max-loras",
            str(len(adapters)),
            "--max-lora-rank",
            str(_rank(rank)),
            "--lora-modules",
            *named,
        ]
    if knobs.gpus:
        words += ["--gpu-memory-utilization", str(knobs.memory_share)]
    if knobs.gpus > 1:
        words += ["--tensor-parallel-size", str(knobs.gpus)]
    if knobs.quantization:
        words += ["--quantization", knobs.quantization]
    if knobs.eager:
        words += ["--enforce-eager"]
    return with_packages([*words, *knobs.arguments], knobs.environment)


def container(loaded: Loaded, place: config.Place, port: int = PORT) -> Manifest:
    """The engine's container."""
    knobs = place.serving.engine
    _, _, mounts = pods.environment(knobs.environment)
    env = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    if not knobs.gpus:
        env |= {"VLLM_CPU_KVCACHE_SPACE": str(knobs.kv_cache_gib)}
    command = argv(loaded, place, port)
    split = next(index for index, word in enumerate(command) if word.startswith("--"))
    return pods.container(
        pods.Container(
            name=CONTAINER,
            image=place.images.vllm,
            command=command[:split],
            pull_policy=place.images.pull_policy,
            env=env,
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


def _rank(rank: int) -> int:
    """The least number that ``--max-lora-rank`` accepts, for an adapter of this rank."""
    for known in _RANKS:
        if rank <= known:
            return known
    raise ConfigError(
        f"An adapter has rank {rank}; vLLM serves at most {_RANKS[-1]}.", hint="Lower lora.r and train again."
    )
