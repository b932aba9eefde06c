"""``[grpo.signal]``: what GRPO does about groups whose completions all earn the same; a table turns its method on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from proseform.config.section import Positive, Section


class Resample(Section):
    """Dynamic sampling (DAPO): other prompts are asked until every group of the step is mixed."""

    budget: Annotated[float, Field(ge=1)] = 4.0
    """Prompts asked in a step, at most, as a multiple of grpo.prompts; then the step takes what there is."""


class Rounds(Section):
    """Adaptive rounds (Reinforce-Ada): a prompt is asked again until it has completions above and below its mean."""

    most: Annotated[int, Field(ge=2)] = 4
    """Rounds of grpo.generations completions for one prompt, at most."""
    enough: Positive = 2
    """Completions above a prompt's mean, and below it, with which it is asked no more."""


class ZeroVariance(Section):
    """Learning from zero-variance groups (RL-ZVP): by the entropy of each token, up where all succeed, else down."""

    scale: Annotated[float, Field(gt=0)] = 0.1
    """The advantage of a token for each nat of its entropy."""


class Curriculum(Section):
    """Pools of prompts by difficulty, asked the oftener the nearer their success rate is to the target."""

    by: Literal["level", "leaves"] = "level"
    """What tells pools apart: the level of a case, or how many leaves its gold answer has."""
    target: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The success rate that teaches most."""


class Skip(Section):
    """Skipping by history (GRESO): the more zero-variance groups a prompt had in a row, the seldomer it is asked."""

    explore: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Chance at first to ask a prompt whose last group had no variance, to the power of such groups in a row."""


class Replay(Section):
    """Mixed groups of earlier steps, by their own probabilities, for dead groups or for what is not sampled."""

    groups: Positive = 32
    """Mixed groups that are kept, the newest."""
    age: Positive = 8
    """Steps after which a group is too old."""
    share: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    """Share of grpo.prompts that a step replays instead of sampling, as far as there are groups. Above one half a group
    is replayed more than once: share / (1 - share) times, rounded up."""


class Gold(Section):
    """A gold completion in the place of one of a zero-variance group that does not succeed."""

    groups: Positive = 2
    """Groups of a step that get one, at most."""


class Skeleton(Section):
    """No gradient for keys and punctuation of a JSON document that a group's winners and losers share."""


class Form(Section):
    """Credit for form by the batch: a share of right content, which shrinks as the batch complies."""

    weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of a completion's reward that hangs on its form while no completion of the batch is in form."""


class Signal(Section):
    """Methods that give groups a signal; each is off where its table is absent, and they can be combined."""

    resample: Resample | None = None
    """Dynamic sampling."""
    rounds: Rounds | None = None
    """Adaptive rounds."""
    zero_variance: ZeroVariance | None = None
    """Learning from zero-variance groups."""
    curriculum: Curriculum | None = None
    """Pools of prompts by difficulty."""
    skip: Skip | None = None
    """Skipping by history."""
    replay: Replay | None = None
    """Replay of mixed groups."""
    gold: Gold | None = None
    """Gold completions in dead groups."""
    skeleton: Skeleton | None = None
    """No gradient for what a document has in any case; for reward = "json"."""
    form: Form | None = None
    """Credit for form by the batch; for reward = "json" with the rubric additive or think."""
