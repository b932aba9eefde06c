"""The sections of a run file that say what is measured, let through, promoted and asked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from proseform.config.section import UNNAMED, Count, Positive, Section, Share, Word

Signed = Annotated[float, Field(ge=-1, le=1)]
"""A share or a difference of shares."""


class Evaluate(Section):
    """The evaluate stage."""

    split: Literal["test", "valid"] = "test"
    """Which split is measured: test, for the gate, or valid, for tuning."""
    cases: Positive = 200
    """Held-out cases that each variant of the evaluator is measured on."""
    samples: Count = 4
    """Sampled completions of each case beside the greedy one; 0 measures greedy only."""
    schemas: Positive = 100
    """Random schemas that the formatter is measured on."""
    levels: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Further, harder levels to measure."""
    batch: Positive = 32
    """Cases generated at once, by each process."""
    processes: Positive = 1
    """Processes that measure side by side, each a share of the cases."""
    shots: Annotated[int, Field(ge=0, le=9)] = 1
    """Examples in the few-shot prompt of the untrained base, beside the task's guide; 0 leaves that variant out."""
    blind: Count = 100
    """Cases of the blind baseline, for each input, which is taken from another case; 0 leaves it out."""
    retention_days: Positive = 90
    """Days for which texts of your own cases are kept, readable by their owner alone; records hold only digests."""


class Abstention(Section):
    """When a bundle abstains: a case that is not like those that its models learnt from."""

    share: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    """Share of cases like the training cases that may be taken for strange; 0 lets every case be answered."""


class Register(Section):
    """The register stage."""

    name: Word = ""
    """The registered model; empty takes proseform-<task>."""


class Check(Section):
    """One check of the gate: a bound on a figure of the report, how it is compared, and on how many cases."""

    at_least: Signed | None = None
    """The lowest figure that passes; a check has either this or at_most."""
    at_most: Signed | None = None
    """The highest figure that passes."""
    by: Literal["interval", "value"] = "interval"
    """Which must pass: the whole 95 % interval (its low end for at_least, high end for at_most), or the value alone."""
    cases: Positive = 50
    """Fewest cases that the figure must have been measured on."""

    @model_validator(mode="after")
    def _one_direction(self) -> Check:
        """A check has exactly one bound."""
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a check has at_least or at_most")
        return self


def _kind(check: Any) -> str:
    """Which of :data:`Waivable` a value is read as, so that an error tells of that one alone."""
    return UNNAMED + ("false" if check is False else "check")


Waivable = Annotated[
    Annotated[Check, Tag(f"{UNNAMED}check")] | Annotated[Literal[False], Tag(f"{UNNAMED}false")], Discriminator(_kind)
]
"""A check, or false: none."""


class Gate(Section):
    """The gate stage: what a bundle's report must show. A check that a run leaves out keeps its default."""

    schema_valid: Check = Check(at_least=1.0, by="value")
    """Share of constrained answers that the verifier accepts; no interval reaches 1, so the value decides."""
    formatter_exact: Check = Check(at_least=0.95)
    """Share of gold prose that the formatter turns into exactly the gold JSON."""
    evaluator_reward: Check = Check(at_least=0.75)
    """Mean composite reward of the greedy evaluations."""
    recommendation_right: Check = Check(at_least=0.6)
    """Share of held-out cases whose headline field is right, end to end."""
    verified_right: Waivable = False
    """Of those first answers that are verified, the share that is wholly right; false is no check."""
    lift: Waivable = Check(at_least=0.0)
    """What GRPO adds to the sampled reward over SFT, paired by case; false is no check, where GRPO trains nothing."""
    agreement: Check = Check(at_least=0.9)
    """Of free prose alone: share of leaves on which a second formatter of another seed agrees with the bundle's."""
    above_blind: bool = True
    """Close the gate where a threshold is within the interval of the report's blind baseline, or below it."""

    @model_validator(mode="before")
    @classmethod
    def _over_defaults(cls, table: Any) -> Any:
        """A check states only what differs from its default; a bound replaces the default's, whichever it is."""
        if not isinstance(table, dict):
            return table
        return {name: cls._over_default(name, check) for name, check in table.items()}

    @classmethod
    def _over_default(cls, name: str, check: Any) -> Any:
        """One check, merged over its default."""
        default = cls.model_fields[name].default if name in cls.model_fields else None
        if not isinstance(default, Check) or not isinstance(check, dict):
            return check
        kept: dict[str, Any] = {"by": default.by, "cases": default.cases}
        if not check.keys() & {"at_least", "at_most"}:
            kept |= {"at_least": default.at_least, "at_most": default.at_most}
        return {**kept, **check}


class Promote(Section):
    """The promote stage."""

    share: Share = 1.0
    """Share of traffic that the new champion takes."""


class Probe(Section):
    """The probe stage: real answers from the promoted bundle."""

    cases: Positive = 3
    """Held-out cases to answer, beside the example."""
