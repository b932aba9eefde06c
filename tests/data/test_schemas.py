"""Random schemas: valid, bounded, enforceable, and prose that states their values."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from proseform.data import schemas
from proseform.schema import Schema


@given(st.integers(min_value=0, max_value=10**6))
def test_every_row_is_a_bounded_closed_schema_of_3_to_10_fields_that_its_answer_conforms_to(seed: int) -> None:
    for row in schemas.rows(seed, 5):
        schema = Schema(row.schema)
        assert schema.unbounded() == []
        assert schema.fault(row.answer) is None
        assert schemas.FEWEST <= len(_leaves(row.schema)) <= schemas.MOST
        assert set(row.schema["required"]) == set(row.answer)


@given(st.integers(min_value=0, max_value=10**6))
def test_the_prose_states_every_value(seed: int) -> None:
    for row in schemas.rows(seed, 5):
        for value in _values(row.answer):
            assert str(value) in row.prose or json.dumps(value) in row.prose


def test_rows_are_reproducible_and_splits_have_streams_of_their_own() -> None:
    assert list(schemas.rows(3, 20)) == list(schemas.rows(3, 20))
    train = {row.prose for row in schemas.rows(1, 500)}
    test = {row.prose for row in schemas.rows(3, 500)}
    assert not train & test


def test_some_rows_are_nested_and_some_are_flat() -> None:
    kinds = {
        any(node.get("type") == "object" for node in row.schema["properties"].values()) for row in schemas.rows(0, 50)
    }
    assert kinds == {True, False}


def _leaves(node: dict) -> list[str]:  # type: ignore[type-arg]
    """Names of leaf fields."""
    return [
        leaf for name, sub in node["properties"].items() for leaf in (_leaves(sub) if "properties" in sub else [name])
    ]


def _values(value: object) -> list[object]:
    """Every leaf value."""
    if isinstance(value, dict):
        return [leaf for child in value.values() for leaf in _values(child)]
    if isinstance(value, list):
        return [leaf for child in value for leaf in _values(child)]
    return [value]
