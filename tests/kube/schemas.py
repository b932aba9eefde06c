"""Strict checks of custom resources without a cluster: by the CRDs' own schemas, with unknown fields as errors.

``crds/`` holds the schemas of published CRDs, without descriptions, in compact JSON: each file names project and
version, group and kind, and has a schema for each version. Only the API server checks a CRD's CEL rules.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

CRDS = Path(__file__).parent / "crds"


def faults(manifest: dict[str, Any]) -> list[str]:
    """The errors of a custom resource by its CRD's schema, each as ``path: message``; empty if it is valid."""
    errors = _validator(manifest["apiVersion"], manifest["kind"]).iter_errors(manifest)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in errors]


@cache
def _validator(api_version: str, kind: str) -> Draft202012Validator:
    """The validator of a kind."""
    group, _, version = api_version.rpartition("/")
    for path in sorted(CRDS.glob("*.json")):
        crd = json.loads(path.read_text())
        if (crd["group"], crd["kind"]) == (group, kind) and version in crd["versions"]:
            return Draft202012Validator(_closed(crd["versions"][version]))
    raise LookupError(f"no CRD of {api_version} {kind} in {CRDS}")


def _closed(schema: Any, *, top: bool = True) -> Any:
    """The schema without unknown fields in any object, as for ``kubectl --validate=strict``."""
    if not isinstance(schema, dict):
        return schema
    closed = {key: value for key, value in schema.items() if key not in {"properties", "items", "additionalProperties"}}
    if "properties" in schema:
        closed["properties"] = {name: _closed(part, top=False) for name, part in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            closed["additionalProperties"] = False
    if "items" in schema:
        closed["items"] = _closed(schema["items"], top=False)
    if isinstance(schema.get("additionalProperties"), dict):
        closed["additionalProperties"] = _closed(schema["additionalProperties"], top=False)
    if top:
        closed["properties"]["metadata"] = {"type": "object"}
    return closed
