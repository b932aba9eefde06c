"""Manifests as YAML documents, for people to read and for ``kubectl apply``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proseform.errors import InputError
from proseform.kube.pods import Manifest


def as_yaml(manifests: Sequence[Manifest]) -> str:
    """Objects as YAML documents; texts of several lines are block scalars.

    Raises:
        InputError: PyYAML is not installed.
    """
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError("PyYAML is not installed.", hint="Install proseform[cluster].") from error

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def text(dumper: Any, data: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)

    Dumper.add_representer(str, text)
    return str(yaml.dump_all(manifests, Dumper=Dumper, sort_keys=False, width=140))
