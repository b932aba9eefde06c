"""Where in a document a text ends, and what was cut there."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proseform.infer.endings.cursor import Cursor
from proseform.infer.endings.cut import Mark, pointers

NAMES = st.text(max_size=4) | st.sampled_from(["a/b", "~", '"', "\\", "é"])
LEAVES = st.none() | st.booleans() | st.integers(-999, 999) | st.floats(-9, 9) | st.text(max_size=6)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


def leaves(value: Any, pointer: str = "") -> dict[str, Any]:
    """Every leaf, and every empty container, by its pointer."""
    if isinstance(value, dict) and value:
        return {
            path: leaf
            for name, child in value.items()
            for path, leaf in leaves(child, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}").items()
        }
    if isinstance(value, list) and value:
        return {
            path: leaf for item, child in enumerate(value) for path, leaf in leaves(child, f"{pointer}/{item}").items()
        }
    return {pointer: value}


def write(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")


@given(VALUES)
def test_a_whole_document_is_left_with_nothing_open(value):
    cursor = Cursor().after(write(value))
    assert cursor.frames == ()
    assert cursor.mode == "end" or not isinstance(value, str | list | dict)


@given(VALUES)
def test_every_leaf_is_passed_in_order(value):
    seen: dict[str, None] = {}
    cursor = Cursor()
    for byte in write(value):
        cursor = cursor.step(byte)
        if cursor.mode in {"string", "number", "literal"}:
            seen[cursor.pointer()] = None
    assert list(seen) == [pointer for pointer, leaf in leaves(value).items() if not isinstance(leaf, list | dict)]


@given(VALUES, st.data())
def test_a_text_that_is_cut_is_named_by_its_own_pointer(value, data):
    """Each string of a document is cut at each of its bytes in turn."""
    document, cursor = write(value), Cursor()
    places = {}
    for offset, byte in enumerate(document):
        cursor = cursor.step(byte)
        if cursor.mode == "string":
            places[offset + 1] = cursor.pointer()
    if places:
        offset = data.draw(st.sampled_from(sorted(places)))
        assert pointers(document, [Mark(offset, b"x")]) == (places[offset],)
        assert isinstance(leaves(value)[places[offset]], str)


@given(VALUES, st.lists(st.tuples(st.integers(0, 60), st.sampled_from([b"", b"x", b",", b"1"])), max_size=5))
def test_pointers_are_those_of_the_document_without_doubles_whatever_the_order(value, places):
    document = write(value)
    marks = [Mark(min(offset, len(document)), refused) for offset, refused in places]
    cut = pointers(document, marks)
    assert cut == pointers(document, marks[::-1])
    assert len(set(cut)) == len(cut)
    assert all(_at(value, pointer) for pointer in cut)


def _at(value: Any, pointer: str) -> bool:
    """Whether a pointer leads anywhere."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and int(key) < len(value):
            value = value[int(key)]
        else:
            return False
    return True


def test_what_is_cut_between_members_is_the_container():
    document = b'{"list": [1, 2], "more": {"a": "b"}, "empty": []}'
    at = document.index
    assert pointers(document, [Mark(at(b"]"), b",")]) == ("/list",)
    assert pointers(document, [Mark(at(b"]"), b"5")]) == ("/list/1",)
    assert pointers(document, [Mark(at(b"}, "), b",")]) == ("/more",)
    assert pointers(document, [Mark(at(b"[]") + 1, b'"')]) == ("/empty",)
    assert pointers(document, [Mark(len(document) - 1, b",")]) == ("",)
    assert pointers(document, []) == ()
