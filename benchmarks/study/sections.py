"""The sections of arms.toml, but for the arms: each knob once, with its sentence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from proseform.config.section import Positive, Rate, Section, Share


class Study(Section):
    """What all arms share."""

    seeds: Positive
    """Seeds of an arm that states none."""
    tokens: Positive
    """Tokens that an arm samples in training."""
    held_out: Positive
    """Held-out cases of each measurement on the way; the last one has twice as many."""
    measure_every: Positive
    """Optimiser steps between two measurements."""
    targets: Annotated[list[Share], Field(min_length=1)]
    """The held-out rewards to which tokens are counted."""


class Shape(Section):
    """The chat model, made from nothing."""

    width: Positive
    """Hidden size."""
    layers: Positive
    """Decoder layers."""
    heads: Positive
    """Attention heads."""
    feed_forward: Positive
    """Inner size of the MLP."""
    vocabulary: Positive
    """Entries of the tokenizer, at most."""
    talk_steps: Positive
    """Steps of SFT on talk, of 16 rows."""


class Pretrained(Section):
    """A model that others have trained; a stage trains all its weights, in bfloat16."""

    source: Literal["smollm2"]
    """Where it comes from, as in a run file."""
    talk_steps: Positive
    """Steps of SFT on talk, of 16 rows."""
    completions: Positive
    """Completions of a step of GRPO."""
    longest: Positive
    """Tokens of a completion, at most."""
    gold_tokens: Positive
    """Tokens of a gold document, its end included, with the model's tokenizer."""
    sft_rate: Rate
    """Learning rate of SFT."""
    grpo_rate: Rate
    """Learning rate of GRPO."""


class Factors(Section):
    """What an arm may differ in."""

    reward: Literal["gated", "binary", "additive", "prose", "chance"]
    """A variant of the task's rubric."""
    scale: Literal["group", "batch", "none"]
    """What advantages are divided by."""
    sft: Annotated[int, Field(ge=0)]
    """Steps of SFT on JSON; of the formatter, where there is one."""
    prompt: Literal["json", "prefill", "curt", "prose"]
    """What is asked, by its name in the table of prompts."""
    beta: Annotated[float, Field(ge=0)]
    """Weight of the KL divergence from the policy before GRPO."""
    temperature: Annotated[float, Field(gt=0)]
    """Sampling temperature of training."""
    generations: Literal[2, 4, 8, 16, 32, 64]
    """Completions of a prompt."""
    schedule: Literal["constant_with_warmup", "cosine"]
    """Learning-rate schedule of GRPO."""
    constrained: bool
    """Whether all that is sampled is held to the schema's grammar."""
    recipe: Literal["grpo", "grpo-first", "hybrid", "rejection", "sft"]
    """Which stages there are, and their order."""

    @model_validator(mode="after")
    def _fits(self) -> Factors:
        """Prose is for the hybrid alone, and a grammar for GRPO on JSON."""
        if len({self.recipe == "hybrid", self.prompt == "prose", self.reward == "prose"}) > 1:
            raise ValueError("recipe 'hybrid', prompt 'prose' and reward 'prose' go together")
        if self.constrained and self.recipe not in {"grpo", "grpo-first"}:
            raise ValueError(f"constrained: recipe '{self.recipe}' does not sample under a grammar")
        return self
