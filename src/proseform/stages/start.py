"""Weights that were trained already, elsewhere or in an earlier run: checked against the model, and kept as a payload.

A run that names them (``sft.evaluator.start``) goes on from them, or takes them as they are (``steps = 0``). Measured,
gated and promoted they are in any case: adapters of a GPU that was lent for an hour, of another trainer, or of a bundle
whose task has a new contract since.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from proseform import config, digest
from proseform.bundle import Role
from proseform.errors import ConfigError
from proseform.stages import cache, policy
from proseform.store import Result, write_json
from proseform.train import memory

ADAPTER, WEIGHTS = "adapter_model.safetensors", "model.safetensors"
_OF_ADAPTER = ("adapter_config.json", ADAPTER)
_OF_MODEL = ("config.json", WEIGHTS)
_PREFIX, _LAYER = "base_model.model.", ".weight"
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"


def check(field: str, knobs: config.Sft) -> Path:
    """The folder of weights that a role starts from.

    Args:
        field: The run's field, for errors.
        knobs: Name it, and whether they are an adapter.

    Raises:
        ConfigError: It does not hold such weights, as safetensors.
    """
    folder, adapter = Path(knobs.start).expanduser(), knobs.lora is not None
    if not all((folder / name).is_file() for name in (_OF_ADAPTER if adapter else _OF_MODEL)):
        raise ConfigError(
            f"{field}: no {'adapter' if adapter else 'whole model'} in the folder {knobs.start}.",
            hint=f"It holds {' and '.join(_OF_ADAPTER)} where the role has a lora, else {' and '.join(_OF_MODEL)}.",
        )
    return folder


def result(role: Role, knobs: config.Sft, base: Result) -> Result:
    """Weights as the result of a stage.

    Args:
        role: Whose weights they are.
        knobs: Name their folder, and whether they are an adapter.
        base: What they stand on, or what they were trained of.

    Raises:
        ConfigError: No weights there, or others than the run trains, or an adapter of another base.
    """
    field = f"sft.{role}.start"
    folder = check(field, knobs)
    adapter = knobs.lora is not None
    weights = digest.of_files(folder)

    def body(_work: Path, out: Path) -> dict[str, Any]:
        if adapter and (fault := _unfit(memory.shapes_of(folder), memory.shapes_of(policy.fetched(base)))):
            raise ConfigError(f"{field}: {knobs.start} is no adapter of this run's model: {fault}.")
        shutil.copytree(folder, out / "weights")
        figures = {"weights": weights}
        write_json(out / "model.json", {"role": role, "adapter": adapter, "base": str(base.ref), "figures": figures})
        (out / "metrics.jsonl").touch()
        return {"key": f"trained already, weights {digest.short(weights)}", **figures}

    inputs = {"role": role, "weights": weights, "base": base.ref.digest}
    return cache.once(f"start-{role}", inputs, body, roots=(__name__,))


def _unfit(adapter: Mapping[str, tuple[int, ...]], base: Mapping[str, tuple[int, ...]]) -> str:
    """Why an adapter does not fit a base, in words; empty where it does.

    >>> base = {"layers.0.q.weight": (8, 4)}
    >>> _unfit({"base_model.model.layers.0.q.lora_A.weight": (2, 4)}, base)
    ''
    >>> _unfit({"base_model.model.layers.0.q.lora_B.weight": (6, 2)}, base)
    'layers.0.q has 8 outputs, the adapter 6'
    """
    for layer, side, length in _sides(adapter):
        if (shape := base.get(f"{layer}{_LAYER}")) is None:
            return f"it has no layer {layer}"
        if shape[side] != length:
            return f"{layer} has {shape[side]} {('outputs', 'inputs')[side]}, the adapter {length}"
    return ""


def _sides(adapter: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, int, int]]:
    """The layers that an adapter stands beside: name, which side of it (0 outputs, 1 inputs), and how wide that is."""
    for name, shape in adapter.items():
        layer = name.removeprefix(_PREFIX)
        if layer.endswith(_DOWN):
            yield layer.removesuffix(_DOWN), 1, shape[1]
        elif layer.endswith(_UP):
            yield layer.removesuffix(_UP), 0, shape[0]
