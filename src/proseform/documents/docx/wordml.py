"""WordprocessingML (ECMA-376 part 1): names and attributes, and the text of its smaller pieces.

Names are compared without their namespaces, which Strict and Transitional documents write differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_SPACES = (
    "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}",
    "{http://purl.oclc.org/ooxml/wordprocessingml/main}",
)
_PIECES = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": "\u00ad"}
DELETED = frozenset({"del", "moveFrom"})
SILENT = frozenset({"pPr", "rPr", "sdtPr", "tblPr", "trPr", "tcPr", "sectPr", "txbxContent"})
"""Properties, and what is read elsewhere: boxes come after their line."""
_CODE = re.compile("[0-9a-fA-F]{1,4}")
_SURROGATES = 0xD800
"""Codes from here on are halves of a character, or belong to a font of its own."""
_OFF = frozenset({"0", "false", "off", "none"})


def local(element: Any) -> str:
    """An element's name without its namespace; empty for entities."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: Any, name: str) -> str:
    """An attribute of WordprocessingML; empty where it is absent."""
    return next((value for space in _SPACES if (value := element.get(space + name)) is not None), "")


def relation(element: Any, name: str = "id") -> str:
    """An attribute that names a relation, whatever prefix or namespace it has; empty where it is absent."""
    return next((value for key, value in element.attrib.items() if key.endswith(f"/relationships}}{name}")), "")


def child(element: Any, *path: str) -> Any:
    """The first child of a name, then its first child of the next; None where there is none, or no element."""
    for name in path:
        if element is None:
            return None
        element = next((one for one in element if local(one) == name), None)
    return element


def value(element: Any, *path: str) -> str:
    """``w:val`` of a descendant along a path of names; empty where it is absent."""
    holder = child(element, *path)
    return "" if holder is None else attribute(holder, "val")


def switch(element: Any, name: str) -> bool | None:
    """A property that is on or off; None where it is not stated."""
    holder = child(element, name)
    return None if holder is None else attribute(holder, "val") not in _OFF


def shown(parent: Any) -> Iterator[Any]:
    """The children of an element; of alternatives (``mc:AlternateContent``) the first, of which the rest are copies."""
    for element in parent:
        if local(element) == "AlternateContent":
            yield from shown(next((one for one in element if local(one) in {"Choice", "Fallback"}), ()))
        else:
            yield element


def run_text(run: Any) -> str:
    """The text of a run; the reading of a ruby stands behind it in brackets."""
    piece = ""
    for element in shown(run):
        tag = local(element)
        if tag == "t":
            piece += element.text or ""
        elif tag in _PIECES:
            piece += _PIECES[tag]
        elif tag == "rt":
            continue
        elif tag == "ruby":
            reading = "".join(map(words, element.iterfind("{*}rt"))).strip()
            piece += run_text(element) + (f"({reading})" if reading else "")
        elif tag == "sym":
            piece += _symbol(attribute(element, "char"))
        elif tag not in SILENT:
            piece += run_text(element)
    return piece


def _symbol(code: str) -> str:
    """A character by its hexadecimal code; empty where only its font knows it."""
    number = int(code, 16) if _CODE.fullmatch(code) else _SURROGATES
    return chr(number) if number < _SURROGATES else ""


def words(element: Any) -> str:
    """Every letter within an element, deleted ones too, and a blank behind."""
    pieces = element.iter("{*}t", "{*}delText", "{*}p")
    return "".join(" " if local(one) == "p" else one.text or "" for one in pieces) + " "


def below(parent: Any, tag: str) -> Iterator[Any]:
    """A table's rows, or a row's cells, through content controls but not into the tables within."""
    for element in parent:
        if local(element) == tag:
            yield element
        elif local(element) in {"sdt", "sdtContent", "ins", "customXml"}:
            yield from below(element, tag)


def boxes(parent: Any) -> Iterator[Any]:
    """The text boxes, diagrams and WordArt of a paragraph."""
    for element in shown(parent):
        tag = local(element)
        if tag in {"txbxContent", "relIds", "textpath"}:
            yield element
        elif tag not in {"p", *DELETED}:
            yield from boxes(element)
