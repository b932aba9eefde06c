"""``[grpo.signal]``: what GRPO does about groups whose completions all earn the same; a table turns its method on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from proseform.config.section import Positive, Section, Share


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
    pools: Annotated[int, Field(ge=2)] = 4
    """Pools by leaves, of about equally many cases."""
    target: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The success rate that teaches most."""
    width: Annotated[float, Field(gt=0)] = 0.2
    """How far from the target a rate may be, as the standard deviation of a bell."""
    success: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Share of the highest reward from which on a completion is a success."""
    memory: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Weight of the rate so far beside that of a new group."""
    least: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Weight of the pool farthest from the target, beside 1 on it: no pool is forgotten."""


class Skip(Section):
    """Skipping by history (GRESO): the more zero-variance groups a prompt had in a row, the seldomer it is asked."""

    explore: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Chance at first to ask a prompt whose last group had no variance, to the power of such groups in a row."""
    least: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Chance below which it never falls."""
    easy: Share = 0.083
    """Share of groups in which all succeed that is aimed at, by moving the chance."""
    hard: Share = 0.167
    """Share of the other zero-variance groups that is aimed at."""
    step: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """By how much a chance moves after each step."""


class Replay(Section):
    """Mixed groups of earlier steps in the place of zero-variance groups, by their own sampling probabilities."""

    groups: Positive = 32
    """Mixed groups that are kept, the newest."""
    age: Positive = 8
    """Steps after which a group is too old."""
    uses: Positive = 1
    """How often a group is replayed, at most."""


class Gold(Section):
    """A gold completion in the place of one of a zero-variance group that does not succeed."""

    groups: Positive = 2
    """Groups of a step that get one, at most."""


class Signal(Section):
    """Methods against zero-variance groups; each is off where its table is absent, and they can be combined."""

    resample: Resample | None = None
    rounds: Rounds | None = None
    zero_variance: ZeroVariance | None = None
    curriculum: Curriculum | None = None
    skip: Skip | None = None
    replay: Replay | None = None
    gold: Gold | None = None
