"""vLLM's server: its command for the models of a bundle, whether a pod or this machine runs it.

The flags come from trials with vLLM 0.32. Of its structured-output back ends only ``guidance`` let no invalid JSON
through, and without ``disable_any_whitespace`` a weak model fills its budget with blanks. An adapter's rank must not
exceed ``--max-lora-rank``, which accepts certain numbers only. Weights are quantised while they are loaded, by the
names of vLLM's online quantisation, which wants arithmetic of 16 bits: ``fp8`` alone asks for a checkpoint that was
quantised before, and ``bitsandbytes`` is gone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from proseform.bundle import Bundle, Role
from proseform.config.serving import Engine
from proseform.errors import ConfigError
from proseform.infer.drafts import GRAMS

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


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a server runs.

    Attributes:
        folder: Of the bundle, as the server sees it.
        host: The address that it listens on.
        port: Its TCP port.
        leaves_s: How long running requests may take to end after SIGTERM, in seconds; 0 breaks them off.
        python: The interpreter of the environment with vLLM.
    """

    folder: str
    host: str
    port: int
    leaves_s: int
    python: str = "python3"


def check(bundle: Bundle) -> None:
    """Refuse a bundle that vLLM cannot serve.

    Raises:
        ConfigError: One of its models is an encoder-decoder.
    """
    if bundle.encoder_decoders:
        raise ConfigError(
            f"The {bundle.encoder_decoders[0]} of this bundle is an encoder-decoder, which vLLM does not serve.",
            hint="Answer in process (the engine local), or train a causal formatter (formatter.kind).",
        )


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


def ranks(folder: Path, bundle: Bundle) -> dict[Role, int]:
    """LoRA rank by role, for roles with an adapter: the greatest rank in its configuration."""
    known: dict[Role, int] = {}
    for role, part in bundle.parts.items():
        if part.adapter:
            about = json.loads((folder / part.adapter / "adapter_config.json").read_text(encoding="utf-8"))
            known[role] = max([int(about["r"]), *map(int, about.get("rank_pattern", {}).values())])
    return known


def argv(loaded: Loaded, knobs: Engine, standing: Standing) -> list[str]:
    """The server's command; each role is a model of its own name.

    Raises:
        ConfigError: An adapter's rank is above vLLM's greatest, or quantised weights cannot be had so.
    """
    parts = [(role, loaded.bundle.parts[role]) for role in loaded.roles]
    adapters = [(role, part) for role, part in parts if part.adapter]
    bare: list[str] = [role for role, part in parts if not part.adapter]
    structured = json.dumps({"backend": "guidance", "disable_any_whitespace": True}, separators=(",", ":"))
    dtype = knobs.dtype or str(loaded.bundle.settings.get("dtype", "auto"))
    words = [
        standing.python,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--host",
        standing.host,
        "--port",
        str(standing.port),
        "--model",
        f"{standing.folder}/{parts[0][1].base}",
        "--served-model-name",
        *(bare or ["base"]),
        "--max-model-len",
        str(loaded.max_length),
        "--dtype",
        dtype,
        "--structured-outputs-config",
        structured,
        "--shutdown-timeout",
        str(standing.leaves_s),
    ]
    if adapters:
        named = [f"{role}={standing.folder}/{part.adapter}" for role, part in adapters]
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
    if knobs.quantization != "none":
        words += ["--quantization", _quantised(knobs, dtype)]
    if knobs.lookup:
        drafted = {"method": "ngram", "num_speculative_tokens": knobs.lookup, "prompt_lookup_max": max(GRAMS)}
        words += ["--speculative-config", json.dumps(drafted, separators=(",", ":"))]
    if knobs.eager:
        words += ["--enforce-eager"]
    return [*words, *knobs.arguments]


def environment(knobs: Engine) -> dict[str, str]:
    """The variables of the server's process."""
    named = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    return named if knobs.gpus else {**named, "VLLM_CPU_KVCACHE_SPACE": str(knobs.kv_cache_gib)}


def _quantised(knobs: Engine, dtype: str) -> str:
    """The name of a quantisation, where vLLM takes it for these knobs."""
    if dtype == "float32":
        raise ConfigError(
            f"serving.engine.quantization {knobs.quantization}: vLLM quantises weights for arithmetic of 16 bits, "
            "and here it has 32.",
            hint='Set serving.engine.dtype to "bfloat16".',
        )
    return knobs.quantization


def _rank(rank: int) -> int:
    """The least number that ``--max-lora-rank`` accepts, for an adapter of this rank."""
    for known in _RANKS:
        if rank <= known:
            return known
    raise ConfigError(
        f"An adapter has rank {rank}; vLLM serves at most {_RANKS[-1]}.", hint="Lower lora.r and train again."
    )
