"""What every section of a run file has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from proseform import naming

Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]


def _word(text: str) -> str:
    """A name, or nothing.

    Raises:
        ValueError: It is no name; in words.
    """
    if text and (against := naming.fault(text)):
        raise ValueError(against)
    return text


Word = Annotated[str, AfterValidator(_word)]
"""A name of ours, which is also a folder, a segment of a URL and a label in Kubernetes; or empty."""


class Section(BaseModel):
    """Frozen, no key but the known ones, and nothing converted: TOML has types, so ``true`` or ``"5"`` is no number."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
