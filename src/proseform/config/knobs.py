"""The knobs of a kind of file, read off its sections: for help, docs, and errors that name what there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_origin

from proseform.config.section import Section


def knobs(model: type[Section], path: str = "") -> Iterator[tuple[str, Any, str]]:
    """Every knob of a kind of file: its path, its default (None where it has none) and its sentence.

    >>> from proseform.config import Gate
    >>> next(knobs(Gate))[0]
    'schema_valid.at_least'
    """
    for name, about in model.model_fields.items():
        inner = _section(about.annotation)
        here = f"{path}{about.alias or name}"
        if inner is not None and get_origin(about.annotation) is not tuple:
            yield from knobs(inner, f"{here}.")
        else:
            default = None if about.is_required() else about.get_default(call_default_factory=True)
            yield here, default, about.description or ""


def known(model: type[Section], path: tuple[Any, ...]) -> list[str]:
    """The keys of the section at a path."""
    section: type[Section] = model
    for step in (step for step in path if isinstance(step, str)):  # a number is a place in a list
        about = next((f for name, f in section.model_fields.items() if step in {name, f.alias}), None)
        inner = _section(about.annotation) if about else None
        if inner is None:
            return []
        section = inner
    return [about.alias or name for name, about in section.model_fields.items()]


def _section(annotation: Any) -> type[Section] | None:
    """The section that a field holds, on its own, optionally or in a list; None for every other field."""
    kinds = (annotation, *getattr(annotation, "__args__", ()))
    bare = (kind.__origin__ if get_origin(kind) is Annotated else kind for kind in kinds)
    return next((kind for kind in bare if isinstance(kind, type) and issubclass(kind, Section)), None)
