"""What stages get, as tables of a run file: what all arms share, and what factors set. Nothing is chosen by arm."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.study.sections import Factors, Pretrained, Shape, Study
from benchmarks.study.task import source

COMPLETIONS = 64
"""Completions of a step of GRPO, of the model that is made from nothing."""
LONGEST = 48
"""Tokens of a completion of it, at most."""
SFT_BATCH = 16
CHEAPER = 3 / 4
"""What SFT on a token costs by what GRPO on it costs, in passes: forward and backward (3), and sampling (1)."""
SAVE_SFT_EVERY = 100
"""Steps of SFT between checkpoints."""
NEVER = 1_000_000
"""Steps without signal after which training would stop: an arm that has none spends its tokens all the same."""
MICRO = 16
"""Rows of a pass of a pretrained model, whose activations are many."""


def completions(model: Shape | Pretrained) -> int:
    """Completions of a step of GRPO."""
    return model.completions if isinstance(model, Pretrained) else COMPLETIONS


def longest(model: Shape | Pretrained) -> int:
    """Tokens of a completion, at most."""
    return model.longest if isinstance(model, Pretrained) else LONGEST


def gold_tokens(model: Shape | Pretrained) -> int:
    """Tokens of a gold document, its end included; with a tokenizer of its own that knows each word."""
    return model.gold_tokens if isinstance(model, Pretrained) else 4 * source.WORDS + 4


def steps(study: Study, model: Shape | Pretrained, factors: Factors) -> int:
    """Steps of GRPO, at most: a constant rate may take twice as many as completions of gold's length do for the tokens.

    A falling rate ends with so many, so that it falls within the budget.
    """
    whole = math.ceil(study.tokens / (completions(model) * gold_tokens(model)))
    return whole if factors.schedule == "cosine" else 2 * whole


def control_steps(study: Study, model: Shape | Pretrained) -> int:
    """Steps of SFT that cost what an arm's GRPO costs: its completions, by what a token costs more."""
    return math.ceil(study.tokens / gold_tokens(model) / CHEAPER / SFT_BATCH)


def leg(study: Study, model: Shape | Pretrained, factors: Factors, seed: int, sft_steps: int) -> dict[str, Any]:
    """The run of a leg's stages, as far as it differs from the defaults.

    Args:
        study: What all arms share.
        model: The chat model.
        factors: The arm's.
        seed: Of everything.
        sft_steps: Steps of the SFT stage that is to run; GRPO does not look at it.
    """
    pretrained = isinstance(model, Pretrained)
    sft = {
        "steps": sft_steps, "batch": SFT_BATCH, "learning_rate": model.sft_rate if pretrained else 1.5e-3,
        "warmup_steps": 0, "schedule": "constant_with_warmup", "save_every": SAVE_SFT_EVERY, "seed": seed,
    }  # fmt: skip
    grpo = {
        "steps": steps(study, model, factors), "prompts": completions(model) // factors.generations,
        "generations": factors.generations, "learning_rate": model.grpo_rate if pretrained else 1e-3,
        "warmup_steps": 3, "beta": factors.beta, "temperature": factors.temperature, "scale": factors.scale,
        "rubric": factors.reward, "schedule": factors.schedule, "save_every": study.measure_every,
        "signal_window": NEVER, "seed": seed, **({"micro_batch": MICRO} if pretrained else {}),
    }  # fmt: skip
    return _run(model, seed, sft, grpo)


def talking(model: Shape | Pretrained, seed: int) -> dict[str, Any]:
    """The run that makes the chat model."""
    sft = {"steps": model.talk_steps, "batch": SFT_BATCH, "save_every": SAVE_SFT_EVERY, "seed": seed}
    if isinstance(model, Pretrained):
        return _run(model, seed, {**sft, "learning_rate": model.sft_rate}, {})
    return _run(model, seed, {**sft, "optimizer": "muon", "learning_rate": 6e-3, "matrix_rate": 0.03}, {})


def _run(model: Shape | Pretrained, seed: int, sft: dict[str, Any], grpo: dict[str, Any]) -> dict[str, Any]:
    """A run of the study's model."""
    most = {"max_tokens": longest(model)}
    if isinstance(model, Pretrained):
        base = {"source": model.source, "dtype": "bfloat16", "max_length": 256}
    else:
        tiny = {**model.model_dump(exclude={"talk_steps"}), "seed": seed}
        base = {"source": "tiny", "dtype": "float32", "max_length": 160, "tiny": tiny}
    return {
        "name": "study",
        "model": base,
        "sft": {"evaluator": sft, "formatter": sft},
        "grpo": grpo,
        "generation": {"evaluator": most, "formatter": most},
        "launch": {"device": "cpu"},
    }
