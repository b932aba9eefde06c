"""Whether a run's weights can fit its GPUs, by arithmetic and before anything starts. Pure, and without torch.

Counted is what each stage must hold at once: the weights, and for those that are trained the gradients and the
optimiser's state; every process holds a copy of its own, or its part. Activations, the KV cache and fragmentation come
on top, so this is a lower bound: what it refuses cannot work, and what it lets pass may still be too large.
docs/results/gpu.md sets it beside an H100.

Bytes a parameter: AdamW keeps two moments in fp32 beside weights and gradients (16 where all of them are trained, in
fp32), Muon one for matrices (12); a frozen base has its dtype's 2 or 4, or about 1 and .5 quantised. Where gradients
of several forward passes are added up, they stand beside autocast's copies of the matrices in bfloat16 (2). Of several
processes each holds its gradients once more, in DDP's buckets (4; ``gradient_as_bucket_view`` in PyTorch's docs),
unless they share the model: then each holds its part, under ZeRO-2 of all but the weights.
Left out: a formatter that is an encoder-decoder, whose base is another and smaller one.
"""

from __future__ import annotations

import json
import math
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from proseform import config
from proseform.errors import ConfigError

Shapes = Mapping[str, tuple[int, ...]]
"""Name of each weight to its shape."""

_FROZEN = {"float32": 4.0, "bfloat16": 2.0, "8bit": 1.0, "4bit": 0.5}
_REST, _MATRIX = 16.0, {"adamw": 16.0, "muon": 12.0}
_CAST = 2.0
_BUCKETS = 4.0
_NOT_ADAPTED = ("embed", "lm_head", "wte", "wpe")
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Need:
    """What one stage needs at least, of each GPU.

    Attributes:
        stage: The step's name, such as ``sft.evaluator``.
        bytes: The lower bound.
        words: How it comes about.
    """

    stage: str
    bytes: float
    words: str


def needs(shapes: Shapes, run: config.Run) -> Iterator[Need]:
    """The lower bound of each training stage.

    Args:
        shapes: Of the base's weights.
        run: dtype, quantisation, adapters and optimisers.
    """
    count = sum(math.prod(shape) for shape in shapes.values())
    matrices = sum(math.prod(shape) for name, shape in shapes.items() if is_matrix(name, shape))
    frozen = count * _FROZEN[run.model.quantize if run.model.quantize != "none" else run.model.dtype]
    sharding, shares = run.launch.sharding, run.launch.processes
    buckets = _BUCKETS if shares > 1 and sharding == "none" else 0.0
    held = 1 / shares if sharding in {"fsdp", "zero3"} else 1.0  # of the weights
    kept = 1 / shares if sharding != "none" else 1.0  # of gradients and the optimiser's state
    for stage, knobs, lora, rows in _stages(run):
        if lora is not None:
            own = adapter_parameters(shapes, lora.r)
            words = f"a frozen base of {frozen / _GB:.1f} GB and an adapter of {own / 1e6:.0f} million parameters"
            yield Need(stage, frozen * held + own * (_MATRIX[knobs.optimizer] * kept + buckets), words)
            continue
        several = rows // run.launch.processes > knobs.micro_batch
        cast = _CAST if several and run.model.dtype == "bfloat16" else 0.0
        trained = matrices * (_MATRIX[knobs.optimizer] + cast) + (count - matrices) * _REST + count * buckets
        words = (
            f"{count / 1e9:.2f} billion trained parameters, {trained / count:.0f} bytes each for weights, gradients "
            f"and {knobs.optimizer}"
        )
        trained = trained * kept + count * _FROZEN["float32"] * (held - kept)
        among = f", divided among {shares} processes" if sharding != "none" else ""
        reference = stage == "grpo" and run.grpo.beta > 0
        extra = " and a reference to measure KL against" if reference else ""
        yield Need(stage, trained + (count * _FROZEN["float32"] * held if reference else 0), words + extra + among)


def _stages(run: config.Run) -> Iterator[tuple[str, config.Sft | config.Grpo, config.Lora | None, int]]:
    """Each training stage that the run has: its name, its knobs, its adapter, and the rows of a step."""
    for role in ("evaluator", *(("formatter",) if run.formatter.kind == "causal" else ())):
        knobs: config.Sft = getattr(run.sft, role)
        yield f"sft.{role}", knobs, knobs.lora, knobs.batch
    if run.grpo.steps:
        yield "grpo", run.grpo, run.sft.evaluator.lora, run.grpo.prompts * run.grpo.generations


def check(shapes: Shapes, run: config.Run, gpu_bytes: float) -> None:
    """Refuse a run whose weights cannot fit.

    Args:
        shapes: Of the base's weights.
        run: The run.
        gpu_bytes: Memory of each GPU.

    Raises:
        ConfigError: The first stage that cannot fit, with the arithmetic.
    """
    sampler = run.grpo.generation
    for need in needs(shapes, run):
        lent = sampler.share if sampler.engine == "vllm-colocate" and need.stage == "grpo" else 0.0
        if need.bytes > gpu_bytes * (1 - lent):
            beside = f", {lent:.0%} of it lent to vLLM" if lent else ""
            raise ConfigError(
                f"{need.stage}: needs at least {need.bytes / _GB:.1f} GB on each GPU, which has "
                f"{gpu_bytes / _GB:.1f} GB{beside}: {need.words}; activations come on top.",
                hint="Give the role a lora table, quantise the base (model.quantize), let processes share it "
                "(launch.sharding), or take a smaller model.",
            )


def adapter_parameters(shapes: Shapes, rank: int) -> int:
    """Parameters of a LoRA adapter on every linear layer: the rank times both sides of each matrix.

    >>> adapter_parameters({"model.embed_tokens.weight": (100, 8), "layers.0.q_proj.weight": (8, 8)}, rank=2)
    32
    """
    return sum(rank * sum(shape) for name, shape in shapes.items() if is_matrix(name, shape))


def is_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a weight maps activations to activations, and is no embedding and no head."""
    return len(shape) == 2 and not any(part in name for part in _NOT_ADAPTED)  # noqa: PLR2004 - a matrix


def shapes_of(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shapes in a folder's safetensors files, from their headers alone; empty where there are none.

    A quantised checkpoint states packed shapes, so what comes of it is a lower bound too.

    Raises:
        ConfigError: A file that is not in the safetensors format.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with path.open("rb") as file:
                (size,) = struct.unpack("<Q", file.read(8))
                header = dict(json.loads(file.read(size) if size <= path.stat().st_size else b""))
            shapes |= {name: tuple(about["shape"]) for name, about in header.items() if name != "__metadata__"}
        except (OSError, ValueError, struct.error, AttributeError, KeyError, TypeError) as error:
            raise ConfigError(f"model.name: {path} is no safetensors file.", hint="Fetch the model again.") from error
    return shapes


def gpu_bytes(run: config.Run, *, here: bool) -> float | None:
    """Memory of each GPU: what the run states, else this machine's smallest; None where that is not known.

    Args:
        run: ``launch.gpu_memory_gb``.
        here: Whether it is this machine that trains; it is asked by ``nvidia-smi``, so that nothing is imported for it.
    """
    if run.launch.gpu_memory_gb or not here:
        return run.launch.gpu_memory_gb * _GB or None
    return installed()


def installed() -> float | None:
    """Memory of this machine's smallest GPU, in bytes; None where it shows none."""
    sizes = [float(line) for line in told("memory.total") if line.strip().isdigit()]
    return min(sizes) * 2**20 if sizes else None


def told(field: str) -> list[str]:
    """What ``nvidia-smi`` says of each GPU, without units; nothing where it is not there or does not answer.

    Args:
        field: Such as ``memory.total``, in MiB, or ``name``.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, f"--query-gpu={field}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines()
