"""Models in and out: a base with its tokenizer, an adapter on it, and the folders that stages pass on."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from proseform import config, launch, store
from proseform.errors import ConfigError, StageError
from proseform.train import checkpoints, progress, sharding

WEIGHTS = "weights"
MANIFEST = "model.json"
_ADAPTER = "adapter_config.json"


def quiet(*, offline: bool = True) -> None:
    """Silence the libraries and, if everything is local, keep them off the network; call it before importing them."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    # TRL logs the whole row of a completion that no reward could score: the case, and what somebody wrote in it.
    logging.getLogger("trl.trainer.grpo_trainer").setLevel(logging.ERROR)
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"


def read_run(job: launch.Job) -> config.Run:
    """The run that a job carries."""
    return config.Run.model_validate(job.settings["run"])


def tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder; one without a padding token pads with its end token."""
    from transformers import AutoTokenizer

    return pad(AutoTokenizer.from_pretrained(folder))


def keep(loaded: Any, folder: Path) -> None:
    """Write a tokenizer with the same bytes in every environment.

    Transformers writes down whether it was loaded offline (``HF_HUB_OFFLINE``); equal models would have other digests.
    """
    if "local_files_only" in loaded.init_kwargs:
        loaded.init_kwargs["local_files_only"] = True
    loaded.save_pretrained(folder)


def pad(loaded: Any) -> Any:
    """A tokenizer that can pad: with its end token where it has none for that."""
    if loaded.pad_token is None:
        loaded.pad_token = loaded.eos_token
    return loaded


def dtype(model: config.Model, *, whole: bool) -> Any:
    """The dtype that weights are held in while training: fp32 where all of them are trained (bf16 updates vanish)."""
    import torch

    return torch.float32 if whole else getattr(torch, model.dtype)


def load(
    folder: Path, model: config.Model, *, whole: bool, kind: config.Kind = "causal", attention: str = "auto"
) -> Any:
    """A language model out of a model folder, ready to train; attention never goes through cuDNN in this process again.

    Its backward pass gives NaN on Hopper in half precision where there is a mask, the length is an odd multiple of 64
    and a row's log-sum-exp lies below -88 (since torch 2.11; github.com/pytorch/pytorch/issues/196678). That of a row
    that padding leaves with nothing to look at is minus infinity, and GRPO pads on the left.

    Args:
        folder: An ordinary Hugging Face folder.
        model: dtype and quantisation.
        whole: All weights are to be trained.
        kind: ``seq2seq`` for an encoder-decoder.
        attention: How attention is computed, by transformers' names; auto leaves it to them.

    Raises:
        ConfigError: Quantisation or an attention is asked for and not available.
    """
    import torch

    from proseform.infer import loading

    torch.backends.cuda.enable_cudnn_sdp(False)
    if whole and model.quantize != "none":
        raise ConfigError(
            "model.quantize: a quantised base cannot be trained whole.", hint="Give the role a lora table."
        )
    extra: dict[str, Any] = {"quantization_config": quantization(model)} if model.quantize != "none" else {}
    if attention != "auto":
        check_attention(attention, gpus=torch.cuda.is_available())
        extra["attn_implementation"] = attention
    return loading.auto(kind).from_pretrained(folder, dtype=dtype(model, whole=whole), **extra)


def check_attention(attention: str, *, gpus: bool) -> None:
    """Refuse an attention that cannot be computed here.

    Raises:
        ConfigError: FlashAttention without a GPU, or without its package.
    """
    if attention != "flash_attention_2":
        return
    lacking = "a GPU; this machine shows none" if not gpus else "the package flash-attn"
    if not gpus or importlib.util.find_spec("flash_attn") is None:
        raise ConfigError(f'attention = "{attention}" wants {lacking}.', hint='Set attention = "sdpa".')


def quantization(model: config.Model) -> Any:
    """Bitsandbytes' settings (QLoRA: nf4, double quantisation).

    Raises:
        ConfigError: No GPU, or bitsandbytes is not installed.
    """
    import torch
    from transformers import BitsAndBytesConfig

    if not torch.cuda.is_available():
        raise ConfigError(
            f"model.quantize = '{model.quantize}' wants a GPU; this machine shows none.",
            hint="Set model.quantize = 'none'.",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            f"model.quantize = '{model.quantize}' wants bitsandbytes.", hint="Install it: pip install bitsandbytes."
        )
    if model.quantize == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    four: dict[str, Any] = {
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
        "bnb_4bit_compute_dtype": torch.bfloat16,
    }
    return BitsAndBytesConfig(load_in_4bit=True, **four)


def is_adapter(folder: Path) -> bool:
    """Whether a weights folder is a PEFT adapter and not a whole model."""
    return (folder / _ADAPTER).is_file()


def with_adapter(base: Any, folder: Path) -> Any:
    """A base with an adapter whose training continues."""
    from peft import PeftModel

    return PeftModel.from_pretrained(base, folder, is_trainable=True)


def with_new_adapter(base: Any, lora: config.Lora) -> Any:
    """A base with a fresh adapter."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    if getattr(base, "is_quantized", False):
        base = prepare_model_for_kbit_training(base)
    targets = lora.targets if "," not in lora.targets else [name.strip() for name in lora.targets.split(",")]
    task = "SEQ_2_SEQ_LM" if base.config.is_encoder_decoder else "CAUSAL_LM"
    shape = LoraConfig(
        r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets, task_type=task
    )
    return get_peft_model(base, shape)


def on_cpu(launching: config.Launch) -> bool:
    """Whether this process trains on the CPU; asked before anything has used CUDA.

    Raises:
        ConfigError: This machine has GPUs, but fewer than processes.
    """
    import torch

    if launching.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # libraries look for GPUs by themselves
        return True
    gpus, processes = torch.cuda.device_count(), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if 0 < gpus < processes:
        raise ConfigError(
            f"launch.processes: {processes} processes on this machine, which has {gpus} GPU{'s' * (gpus > 1)}; each "
            "process needs one of its own.",
            hint=f'Set launch.processes = {gpus}, or launch.device = "cpu".',
        )
    return gpus == 0


def arguments(
    run: config.Run, knobs: config.Training, job: launch.Job, *, micro: int, accumulate: int
) -> dict[str, Any]:
    """What SFTConfig and GRPOConfig have in common.

    Args:
        run: For dtype and device.
        knobs: The stage's own.
        job: For the checkpoints' folder.
        micro: Rows of one forward pass of one process.
        accumulate: Forward passes of one process in one step.

    Raises:
        ConfigError: This machine has GPUs, but fewer than processes; or what shares a model among them is not there.
    """
    cpu = on_cpu(run.launch)
    half = run.model.dtype == "bfloat16"
    recompute = run.launch.recompute == "always" or (run.launch.recompute == "auto" and not cpu)
    shared = sharding.arguments(run.launch.sharding, gpus=not cpu, recompute=recompute)
    return {
        "output_dir": str(Path(job.work) / checkpoints.FOLDER),
        "max_steps": knobs.steps,
        "learning_rate": knobs.learning_rate,
        "warmup_steps": knobs.warmup_steps,
        "lr_scheduler_type": knobs.schedule,
        "adam_beta2": knobs.beta2,
        "weight_decay": knobs.weight_decay,
        "max_grad_norm": knobs.max_grad_norm,
        "seed": knobs.seed,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": accumulate,
        "bf16": half,
        "gradient_checkpointing": recompute,
        "use_cpu": cpu,
        "ddp_backend": ("gloo" if cpu else "nccl") if job.world_size > 1 else None,
        "ddp_find_unused_parameters": False,
        "dataloader_pin_memory": not cpu,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": knobs.save_every,
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
        **shared,
    }


def optimizers(model: Any, knobs: config.Training) -> tuple[Any, None]:
    """The optimiser to hand to a trainer; none for AdamW, which is the trainer's own."""
    if knobs.optimizer == "adamw":
        return None, None
    from proseform.train import muon

    return muon.optimizer(model, knobs.learning_rate, knobs.matrix_rate, knobs.beta2, knobs.weight_decay), None


def write(job: launch.Job, model: Any, tokens: Any, run: config.Run, figures: dict[str, Any]) -> None:
    """Write a stage's output, by rank 0: ``weights/``, ``model.json``, ``metrics.jsonl``.

    Weights are of the model's dtype; an adapter's tokenizer is its base's, and stays there. Names of this machine's
    folders are kept out of it, so that equal weights give equal digests.
    """
    if int(os.environ.get("RANK", "0")):
        return
    import torch

    out = Path(job.out)
    weights = out / WEIGHTS
    shutil.rmtree(weights, ignore_errors=True)
    weights.mkdir(parents=True)
    adapter, held = hasattr(model, "peft_config"), getattr(torch, run.model.dtype)
    if adapter:
        for trained in (entry for entry in model.parameters() if entry.requires_grad):
            trained.data = trained.data.to(held)
        model.peft_config["default"].base_model_name_or_path = "base"
        model.save_pretrained(weights, selected_adapters=["default"], save_embedding_layers=False)
        (weights / "README.md").unlink(missing_ok=True)
        _ordered(weights / _ADAPTER)
    else:
        model.config._name_or_path = ""  # noqa: SLF001
        model.to(held).save_pretrained(weights)
        keep(tokens, weights)
    lines = Path(job.work) / progress.METRICS
    if lines.exists():
        shutil.copyfile(lines, out / progress.METRICS)
    about = {
        "role": job.settings.get("role", ""),
        "adapter": adapter,
        "base": job.inputs.get("base", ""),
        "figures": figures,
    }
    store.write_json(out / MANIFEST, about)


def _ordered(path: Path) -> None:
    """Put an adapter's modules in order: PEFT keeps a set, whose order differs from process to process."""
    stated = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(stated["target_modules"], list):
        stated["target_modules"].sort()
    path.write_text(json.dumps(stated, indent=2, sort_keys=True), encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """``model.json`` of a stage's payload.

    Raises:
        StageError: It is missing or malformed.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise StageError(
            f"{folder}: no trained model here ({error}).", hint="Run the pipeline again; it makes what is missing."
        ) from error
    return manifest
