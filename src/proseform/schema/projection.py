"""A schema with only some of its top-level properties, and with that part of the value that it may hold.

``x-abstain`` (:mod:`proseform.claims.abstaining`) is the one annotation that holds a value of the whole schema.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from proseform.schema import pointer

ABSTAIN = "x-abstain"


def of(document: Mapping[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """The document of a schema with only some of its properties, in its own order.

    >>> of({"properties": {"a": {}, "b": {}}, "x-abstain": {"answer": {"a": 1, "b": []}, "reasons": "/b"}}, ["a"])
    {'properties': {'a': {}}, 'x-abstain': {'answer': {'a': 1}}, 'required': []}
    """
    properties = {name: node for name, node in document["properties"].items() if name in fields}
    required = [name for name in document.get("required", ()) if name in fields]
    projected = {**document, "properties": properties, "required": required}
    stated = document.get(ABSTAIN)
    if isinstance(stated, Mapping) and isinstance(stated.get("answer"), Mapping):
        answer = {name: value for name, value in stated["answer"].items() if name in fields}
        reasons = str(stated.get("reasons", ""))
        kept = {"reasons": reasons} if set(pointer.steps(reasons)[:1]) & set(fields) else {}
        projected[ABSTAIN] = {"answer": answer, **kept}
    return projected
