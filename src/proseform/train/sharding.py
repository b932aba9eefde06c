"""A model that several processes share: PyTorch's FSDP, or DeepSpeed's ZeRO, both by accelerate's plug-ins.

Workers are started by torchrun as ever; the trainer's arguments say who holds what, so that ``accelerate launch`` is
not needed. Checkpoints hold whole weights (with FSDP the optimiser's whole state too), and so does what a stage leaves:
a bundle's model has no trace of how it was trained.
Left out: FSDP on a CPU, which accelerate passes over in silence and which is refused here (the tests make it shard
all the same); tensor and pipeline parallelism; several copies of a shared model (hybrid sharding).
"""

from __future__ import annotations

import importlib.util
from typing import Any

from proseform.errors import ConfigError

_FSDP = {"version": 2, "state_dict_type": "FULL_STATE_DICT", "reshard_after_forward": True}


def check(sharding: str, *, gpus: bool) -> None:
    """Refuse what cannot be on this machine.

    Args:
        sharding: ``launch.sharding``.
        gpus: Whether processes train on GPUs.

    Raises:
        ConfigError: There is no GPU, or no DeepSpeed.
    """
    if sharding == "none":
        return
    if not gpus:
        raise ConfigError(
            f'launch.sharding: "{sharding}" divides a model among GPUs; this run trains on a CPU.',
            hint='Set launch.sharding = "none".',
        )
    if sharding != "fsdp" and importlib.util.find_spec("deepspeed") is None:
        raise ConfigError(
            f'launch.sharding: "{sharding}" wants DeepSpeed, which is not installed.',
            hint='Install it beside the trainer (pip install deepspeed), or set launch.sharding = "fsdp".',
        )


def arguments(sharding: str, *, gpus: bool, recompute: bool) -> dict[str, Any]:
    """What a trainer's arguments say; nothing where each process holds a whole model.

    Args:
        sharding: ``launch.sharding``.
        gpus: Whether processes train on GPUs.
        recompute: Gradient checkpointing; FSDP has one of its own, which gathers weights once less.

    Raises:
        ConfigError: See :func:`check`.
    """
    check(sharding, gpus=gpus)
    if sharding == "none":
        return {}
    if sharding == "fsdp":
        return {
            "fsdp": True,
            "fsdp_config": {**_FSDP, "activation_checkpointing": recompute},
            "gradient_checkpointing": False,
        }
    return {"deepspeed": deepspeed(int(sharding[-1]))}


def deepspeed(stage: int) -> dict[str, Any]:
    """DeepSpeed's settings; ``auto`` takes the trainer's.

    Args:
        stage: 2 divides gradients and optimiser, 3 the weights too.
    """
    settings: dict[str, Any] = {
        "bf16": {"enabled": "auto"},
        "gradient_clipping": "auto",
        "gradient_accumulation_steps": "auto",
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "zero_optimization": {"stage": stage, "overlap_comm": True, "contiguous_gradients": True},
    }
    if stage == 3:  # noqa: PLR2004 - ZeRO-3
        settings["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"] = True
    return settings


def whole(trainer: Any) -> Any:
    """The trained model, whole: every rank calls this, and rank 0 may write what it gets.

    Args:
        trainer: After training.
    """
    accelerator = trainer.accelerator
    model = accelerator.unwrap_model(trainer.model)
    if not divided(accelerator):
        return model
    state = accelerator.get_state_dict(trainer.model_wrapped)
    if not accelerator.is_main_process:
        return model
    return assembled(model, state)


def divided(accelerator: Any) -> bool:
    """Whether no process holds all weights."""
    plugin = accelerator.state.deepspeed_plugin
    zero3 = plugin is not None and plugin.zero_stage == 3  # noqa: PLR2004 - ZeRO-3
    return zero3 or getattr(accelerator.state, "fsdp_plugin", None) is not None


def assembled(model: Any, state: dict[str, Any]) -> Any:
    """A model of the same shape with whole weights, on the CPU.

    Args:
        model: The shared one, of either kind; a PEFT model is rebuilt upon a base of its shape.
        state: Name to whole weight.
    """
    from proseform.infer import loading

    adapters = getattr(model, "peft_config", None)
    dtype = next(iter(state.values())).dtype
    auto = loading.auto("seq2seq" if model.config.is_encoder_decoder else "causal")
    bare = auto.from_config(model.config, dtype=dtype)
    if adapters is not None:
        from peft import get_peft_model

        bare = get_peft_model(bare, adapters["default"])
        state = {name: weight for name, weight in state.items() if ".ref." not in name}
    bare.load_state_dict(state)
    return bare
