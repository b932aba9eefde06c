"""What every section of a run or place file has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from proseform import naming

UNNAMED = "="
"""What the tag of a union begins with: it is no step to a knob."""
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]


def _word(text: str) -> str:
    """A name, or the empty string.

    Raises:
        ValueError: Neither; the message says why.
    """
    if text and (against := naming.fault(text)):
        raise ValueError(against)
    return text


Word = Annotated[str, AfterValidator(_word)]
"""A name that also serves as a folder, a segment of a URL and a Kubernetes label; or empty."""


class Section(BaseModel):
    """Frozen; unknown keys are refused, and nothing is converted: TOML has types, so ``"5"`` is no number."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
