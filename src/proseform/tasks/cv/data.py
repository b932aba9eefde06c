"""The data files of this folder."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, TypeVar

_T = TypeVar("_T")


@cache
def data(name: str) -> Mapping[str, Any]:
    """A data file of this folder, by its name without the ending."""
    return tomllib.loads((resources.files(__package__) / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def deeds(language: str) -> Mapping[str, Any]:
    """The sentences of a language's CVs and jobs, and how they are put: what both files have is the second's."""
    words = _joined(data(f"words/deeds.{language}"), data(f"words/usage.{language}"))
    templates = words.get("templates", {})
    return {
        **words,
        "deed": [{**one, "templates": templates.get(one["kind"], one["templates"])} for one in words["deed"]],
    }


@cache
def more(language: str, wordings: str) -> Mapping[str, Any]:
    """What a language has, and a file of further wordings: where both have a list, its items too."""
    return _joined(deeds(language), data(wordings), lists=True)


def _joined(first: Mapping[str, Any], second: Mapping[str, Any], *, lists: bool = False) -> dict[str, Any]:
    """Two tables as one, and so on within: where both have a value that is no table, the second's, or both lists."""
    both: dict[str, Any] = {}
    for key, value in second.items():
        if isinstance(value, dict) and key in first:
            both[key] = _joined(first[key], value, lists=lists)
        elif lists and isinstance(value, list) and key in first:
            both[key] = [*first[key], *value]
    return {**first, **second, **both}


def one(rng: random.Random, options: Sequence[_T]) -> _T:
    """One of the options; no chance is taken where there is one alone.

    So a language that has several ways changes nothing of what is drawn in one that has a single way.
    """
    return options[0] if len(options) == 1 else rng.choice(options)
