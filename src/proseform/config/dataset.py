"""The section of a run file that says on what cases a run trains and is measured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from proseform.config.section import Count, Positive, Section, Share


class Dataset(Section):
    """The dataset stage."""

    level: str = ""
    """Difficulty of the generated cases; empty takes the task's first level."""
    format: str = ""
    """The named set of fields that is answered as JSON; empty takes the whole schema."""
    train: Positive = 5000
    """Training cases; if file is set, the most it may hold."""
    valid: Positive = 200
    """Validation cases, which tuning may look at (evaluate.split); if file is set, the most it may hold."""
    test: Positive = 200
    """Held-out cases, never seen in training or tuning; if file is set, the most it may hold."""
    seed: Count = 0
    """Seed of everything that is generated."""
    test_seed: Count = 1
    """Seed of the held-out test cases; the shipped recipes were tuned on those of seed 0."""
    annotations: Literal["careless", "clean"] = "clean"
    """Whose prose the evaluator imitates: the cases' own, or careless annotators'. Not inherited beside a file."""
    file: str = ""
    """JSON Lines of your own cases, used instead of the task's generator; each names its split."""
    shared: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Inputs whose texts may stand in several splits of the file, such as a job that is advertised twice."""
    random_schemas: Share = 0.3
    """Share of the formatter's training rows that are random schemas of 3 to 10 fields instead of the task's."""
    injected: Share = 0.0
    """Share of the evaluator's training cases with text in an input that speaks to the model; their gold stays."""
