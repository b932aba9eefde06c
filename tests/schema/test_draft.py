"""What a draft enforces is what the validator enforces: a keyword that only one of them knows would be unsound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from proseform.errors import InputError
from proseform.schema import URIS, Schema
from proseform.schema.draft import DEFINITIONS, KEYWORDS, VALIDATORS, children, keep, kept

WITHIN = {
    "allOf": ([False], 1),
    "anyOf": ([False], 1),
    "oneOf": ([False], 1),
    "not": ({}, 1),
    "if": ({}, 1),
    "then": (False, 1),
    "else": (False, 1),
    "dependencies": ({"a": False}, {"a": 1}),
    "dependentSchemas": ({"a": False}, {"a": 1}),
    "properties": ({"a": False}, {"a": 1}),
    "patternProperties": ({"a": False}, {"a": 1}),
    "additionalProperties": (False, {"a": 1}),
    "unevaluatedProperties": (False, {"a": 1}),
    "propertyNames": (False, {"a": 1}),
    "prefixItems": ([False], [1]),
    "items": (False, [1]),
    "additionalItems": (False, [1, 1]),
    "unevaluatedItems": (False, [1]),
    "contains": (False, [1]),
}
"""Each keyword with what breaks the value beside it, where the keyword is enforced."""

BESIDE: Mapping[str, Mapping[str, Any]] = {
    "if": {"then": False},
    "then": {"if": True},
    "else": {"if": False},
    "additionalItems": {"items": [True]},
}
"""What a keyword needs beside it to say anything."""


@pytest.mark.parametrize("draft", VALIDATORS)
@pytest.mark.parametrize("keyword", KEYWORDS)
def test_a_keyword_has_subschemas_in_the_drafts_whose_validator_enforces_it(keyword: str, draft: float) -> None:
    says, broken = WITHIN[keyword]
    beside = {name: _of(draft, value) for name, value in BESIDE.get(keyword, {}).items()}
    document = {keyword: _of(draft, says), **beside}
    try:
        enforced = not VALIDATORS[draft](document).is_valid(broken)
    except ValueError:
        assert keyword == "additionalItems", "draft 2020-12 has no list of items that it would stand beside"
        return
    assert (keyword in {name for name, *_ in children(document, draft)}) == enforced


@pytest.mark.parametrize("draft", URIS)
@pytest.mark.parametrize("keyword", [*KEYWORDS, *DEFINITIONS, "x-defs"])
def test_what_counts_as_kept_is_what_the_meta_schema_looks_at(keyword: str, draft: Any) -> None:
    """Else it would be read unchecked."""
    broken = {"minLength": "x"}
    for held in (broken, [broken], {"a": broken}):
        document = {keyword: held}
        if any(part is broken for part in kept(document, draft)):
            with pytest.raises(InputError, match="minLength"):
                keep(document, draft, "schema")


def _of(draft: float, value: Any) -> Any:
    """False as draft 4 writes it, which has no boolean schemas below most keywords."""
    if draft > 4:
        return value
    if isinstance(value, dict):
        return {name: _of(draft, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_of(draft, inner) for inner in value]
    return {"not": {}} if value is False else {} if value is True else value


@pytest.mark.parametrize("draft", URIS)
@pytest.mark.parametrize("says", [["b"], {"required": ["b"]}])
def test_dependencies_are_the_verifiers_in_every_draft(draft: float, says: Any) -> None:
    schema = Schema({"$schema": URIS[draft], "type": "object", "dependencies": {"a": says}})
    assert schema.fault({"a": 1}) is not None
    assert [widening.keyword for widening in schema.widenings] == ["dependencies"]
