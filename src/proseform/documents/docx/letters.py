"""How a run of letters in a Word document looks, by its own properties and its styles, and what it stands on.

Properties: ECMA-376 part 1, 17.3.2 (runs) and 17.7.2 (styles inherit). Where a drawing may lie behind the letters, what
they stand on is not known.

Knowingly left out: that equal toggles of two styles cancel out (17.7.3), conditional formatting of tables, themes,
letters that are moved off the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from proseform.documents.docx.package import Part, opened
from proseform.documents.docx.wordml import attribute, child, local, switch, value
from proseform.documents.look import UNKNOWN, WHITE, Look

_HEX = re.compile("[0-9a-fA-F]{6}")


def fill(properties: Any) -> str:
    """The colour of a shading (``w:shd``) as ``rrggbb``, ``UNKNOWN`` for a pattern, empty for none."""
    shading = child(properties, "shd")
    if shading is None or attribute(shading, "val") == "nil":
        return ""
    pattern = attribute(shading, "val")
    colour = attribute(shading, "color" if pattern == "solid" else "fill")
    if pattern not in {"clear", "solid", ""}:
        return UNKNOWN
    return colour if _HEX.fullmatch(colour) else ""


def look(properties: Any) -> Look:
    """What run properties (``w:rPr``) state; None states nothing."""
    if properties is None or not len(properties):
        return Look()
    complex_script = child(properties, "rtl") is not None or child(properties, "cs") is not None
    size = value(properties, "szCs" if complex_script else "sz")
    highlight = value(properties, "highlight")
    ground = {"": "", "none": "", "white": WHITE, "black": "000000"}.get(highlight, UNKNOWN) or fill(properties)
    invisible = child(properties, "textFill", "noFill") is not None  # Word 2010 draws letters without a filling
    return Look(
        True if invisible else switch(properties, "vanish"),
        int(size) / 2 if size.isascii() and size.isdecimal() and len(size) < 5 else None,  # noqa: PLR2004 - half points
        value(properties, "color") or None,
        ground or None,
    )


class Styles:
    """The styles of a document.

    Args:
        root: ``w:styles``; None where a document has none.

    Attributes:
        headings: The ids of paragraph styles that are headings or titles.
        lists: The ids of those that make list items.
    """

    def __init__(self, root: Any) -> None:
        self._styles = {} if root is None else {attribute(one, "styleId"): one for one in root if local(one) == "style"}
        self._looks: dict[str, Look] = {}
        self._grounds: dict[str, str] = {}
        self._default = look(child(root, "docDefaults", "rPrDefault", "rPr"))
        self.headings: set[str] = set()
        self.lists: set[str] = set()
        for key, style in self._styles.items():
            if attribute(style, "type") == "paragraph" and attribute(style, "default") in {"1", "true", "on"}:
                self._default = self.chain(key).over(self._default)  # the style of paragraphs that name none
            name = value(style, "name").lower()
            if name.startswith(("heading", "title")):
                self.headings.add(key)
            elif name.startswith("list") or value(style, "pPr", "numPr", "numId") not in {"", "0"}:
                self.lists.add(key)

    def effective(self, direct: Look, run_style: str, paragraph_style: str) -> Look:
        """The look of a run, from what it states itself down to the document's defaults."""
        return direct.over(self.chain(run_style)).over(self.chain(paragraph_style)).over(self._default)

    def chain(self, key: str) -> Look:
        """What a style states with those that it is based on."""
        if key not in self._looks:
            whole = Look()
            for style in self._ancestry(key):
                whole = whole.over(look(child(style, "rPr")))
            self._looks[key] = whole
        return self._looks[key]

    def ground(self, key: str) -> str:
        """The colour that a style of paragraphs puts behind them; empty where it puts none."""
        if key not in self._grounds:
            self._grounds[key] = next(filter(None, (fill(child(one, "pPr")) for one in self._ancestry(key))), "")
        return self._grounds[key]

    def shaded(self, key: str) -> bool:
        """Whether a style of tables, or one that it is based on, shades anything."""
        return any(local(one) == "shd" for style in self._ancestry(key) for one in style.iter())

    def _ancestry(self, key: str) -> Iterator[Any]:
        """A style and those that it is based on; a circle ends where it began."""
        seen: set[str] = set()
        while key in self._styles and key not in seen:
            seen.add(key)
            yield self._styles[key]
            key = value(self._styles[key], "basedOn")


def page_ground(main: Part) -> str:
    """The colour that a document's text stands on; ``UNKNOWN`` where a drawing may lie behind it."""
    background = child(main.root, "background")
    if background is not None:
        return UNKNOWN if len(background) else attribute(background, "color")
    margins = [opened(main.archive, name) for kind, name in main.relations.values() if kind in {"header", "footer"}]
    behind = any(one.get("behindDoc") in {"1", "true"} for one in main.root.iter("{*}anchor"))
    drawn = any(part is not None and next(part.root.iter("{*}anchor", "{*}pict"), None) is not None for part in margins)
    return UNKNOWN if behind or drawn else WHITE


def box_ground(box: Any, ground: str) -> str:
    """The colour that the text of a text box stands on."""
    shape = next(box.iterancestors("{*}wsp"), None)
    colour = None if shape is None else child(shape, "spPr", "solidFill", "srgbClr")
    if colour is not None:
        return str(colour.get("val", UNKNOWN))
    return ground if child(shape, "spPr", "noFill") is not None and not _drawn(box) else UNKNOWN


def _drawn(element: Any) -> bool:
    """Whether the part of an element holds a drawing that is filled, or a picture, which may lie behind it."""
    root = element.getroottree().getroot()
    filled = (one for one in root.iter("{*}solidFill", "{*}gradFill", "{*}blipFill", "{*}pattFill", "{*}imagedata"))
    return any(local(one.getparent()) in {"spPr", "grpSpPr", "pic", "shape"} for one in filled)
