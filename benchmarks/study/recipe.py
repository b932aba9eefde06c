"""What stages get, as tables of a run file: what all arms share, and what factors set. Nothing is chosen by arm."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.study.sections import Factors, Shape, Study
from benchmarks.study.task import source

COMPLETIONS = 64
"""Completions of a step of GRPO."""
LONGEST = 48
"""Tokens of a completion, at most."""
SFT_BATCH = 16
CHEAPER = 3 / 4
"""What SFT on a token costs by what GRPO on it costs, in passes: forward and backward (3), and sampling (1)."""
SAVE_SFT_EVERY = 100
"""Steps of SFT between checkpoints."""
NEVER = 1_000_000
"""Steps without signal after which training would stop: an arm that has none spends its tokens all the same."""


def steps(study: Study, factors: Factors) -> int:
    """Steps of GRPO, at most: a constant rate may take twice as many as completions of gold's length do for the tokens.

    A falling rate ends with so many, so that it falls within the budget.
    """
    whole = math.ceil(study.tokens / (COMPLETIONS * GOLD_TOKENS))
    return whole if factors.schedule == "cosine" else 2 * whole


GOLD_TOKENS = 4 * source.WORDS + 4
"""Tokens of a gold document, its end included, with a tokenizer that knows each word."""


def control_steps(study: Study) -> int:
    """Steps of SFT that cost what an arm's GRPO costs: its completions, by what a token costs more."""
    return math.ceil(study.tokens / GOLD_TOKENS / CHEAPER / SFT_BATCH)


def leg(study: Study, shape: Shape, factors: Factors, seed: int, sft_steps: int) -> dict[str, Any]:
    """The run of a leg's stages, as far as it differs from the defaults.

    Args:
        study: What all arms share.
        shape: The chat model.
        factors: The arm's.
        seed: Of everything.
        sft_steps: Steps of the SFT stage that is to run; GRPO does not look at it.
    """
    sft = {
        "steps": sft_steps, "batch": SFT_BATCH, "learning_rate": 1.5e-3, "warmup_steps": 0,
        "schedule": "constant_with_warmup", "save_every": SAVE_SFT_EVERY, "seed": seed,
    }  # fmt: skip
    grpo = {
        "steps": steps(study, factors), "prompts": COMPLETIONS // factors.generations,
        "generations": factors.generations, "learning_rate": 1e-3, "warmup_steps": 3, "beta": factors.beta,
        "temperature": factors.temperature, "scale": factors.scale, "rubric": factors.reward,
        "schedule": factors.schedule, "save_every": study.measure_every, "signal_window": NEVER, "seed": seed,
    }  # fmt: skip
    return _run(shape, seed, sft, grpo)


def talking(shape: Shape, seed: int) -> dict[str, Any]:
    """The run that makes the chat model."""
    sft = {
        "steps": shape.talk_steps, "batch": SFT_BATCH, "optimizer": "muon", "learning_rate": 6e-3,
        "matrix_rate": 0.03, "save_every": SAVE_SFT_EVERY, "seed": seed,
    }  # fmt: skip
    return _run(shape, seed, sft, {})


def _run(shape: Shape, seed: int, sft: dict[str, Any], grpo: dict[str, Any]) -> dict[str, Any]:
    """A run of the study's model."""
    tiny = {**shape.model_dump(exclude={"talk_steps"}), "seed": seed}
    longest = {"max_tokens": LONGEST}
    return {
        "name": "study",
        "model": {"source": "tiny", "dtype": "float32", "max_length": 160, "tiny": tiny},
        "sft": {"evaluator": sft, "formatter": sft},
        "grpo": grpo,
        "generation": {"evaluator": longest, "formatter": longest},
        "launch": {"device": "cpu"},
    }
