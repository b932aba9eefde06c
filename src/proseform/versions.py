"""Versions and images, read from ``versions.toml``: the one place where they are written down."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import metadata, resources


def version() -> str:
    """The installed version of Proseform."""
    return metadata.version("proseform")


@cache
def images() -> dict[str, str]:
    """Image references by what they are for."""
    return dict(tomllib.loads((resources.files("proseform") / "versions.toml").read_text())["images"])
