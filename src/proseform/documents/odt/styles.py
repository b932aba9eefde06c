"""How text looks in an OpenDocument file: OASIS OpenDocument 1.3 part 3, 16 (styles) and 20 (formatting).

Names are compared without their namespaces. Knowingly left out: sizes in per cent, conditional styles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from proseform.documents.look import UNKNOWN, WHITE, Look

_POINTS = {"pt": 1.0, "in": 72.0, "cm": 72 / 2.54, "mm": 72 / 25.4, "px": 0.75}
_LENGTH = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,6})?)(pt|in|cm|mm|px)")
_COLOUR = re.compile("#([0-9a-fA-F]{6})")
_FILLS = frozenset({"bitmap", "gradient", "hatch"})


def local(element: Any) -> str:
    """An element's name without its namespace; empty for entities."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def own(element: Any, name: str) -> str:
    """An attribute by its name without its namespace; empty where it is absent."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


class Styles:
    """The styles of one part; the names of automatic styles hold within their part only.

    Args:
        roots: The part itself, then others whose common styles it uses.
    """

    def __init__(self, roots: Iterable[Any]) -> None:
        self._styles: dict[tuple[str, str], Any] = {}
        self._looks: dict[tuple[str, str], Look] = {}
        self.page = WHITE
        roots = list(roots)
        for style in (one for root in roots for one in root.iter("{*}style", "{*}default-style")):
            self._styles.setdefault((own(style, "family"), own(style, "name")), style)
        for root in roots:
            for one in root.iter("{*}page-layout-properties", "{*}graphic-properties"):
                behind = local(one) == "graphic-properties" and own(one, "run-through") == "background"
                layout = local(one) == "page-layout-properties"
                self.page = UNKNOWN if behind else (_fill(one) if layout else "") or self.page

    def look(self, span_styles: tuple[str, ...], paragraph_style: str) -> Look:
        """The look of letters, by the styles of the spans around them, innermost first, and of their paragraph."""
        whole = Look()
        for style in span_styles:
            whole = whole.over(self._chain("text", style))
        return whole.over(self._chain("paragraph", paragraph_style))

    def ground(self, family: str, style: str) -> str:
        """The colour that a style of a family puts behind what it holds for; empty where it puts none."""
        for one in self._ancestry(family, style):
            for properties in one:
                if local(properties) == f"{family}-properties" and _fill(properties):
                    return _fill(properties)
        return ""

    def _chain(self, family: str, style: str) -> Look:
        """What a style states with those that it inherits from."""
        if (family, style) not in self._looks:
            whole = Look()
            for one in self._ancestry(family, style):
                for properties in one:
                    if local(properties) == "text-properties":
                        whole = whole.over(_look(properties))
            self._looks[family, style] = whole
        return self._looks[family, style]

    def _ancestry(self, family: str, style: str) -> Iterator[Any]:
        """A style, those that it inherits from, and its family's default; a circle ends where it began."""
        seen = {""}
        while style not in seen:
            seen.add(style)
            if (one := self._styles.get((family, style))) is None:
                break
            yield one
            style = own(one, "parent-style-name")
        if (family, "") in self._styles:
            yield self._styles[family, ""]


def _look(properties: Any) -> Look:
    """What ``style:text-properties`` states."""
    size = _LENGTH.fullmatch(own(properties, "font-size"))
    colour = _COLOUR.fullmatch(own(properties, "color"))
    ground = _COLOUR.fullmatch(own(properties, "background-color"))
    display, automatic = own(properties, "display"), own(properties, "use-window-font-color") == "true"
    return Look(
        display == "none" if display else None,
        float(size[1]) * _POINTS[size[2]] if size else None,
        "auto" if automatic else colour[1] if colour else None,
        ground[1] if ground else None,
    )


def _fill(properties: Any) -> str:
    """The colour that properties put behind, ``UNKNOWN`` for a picture or gradient, empty for none."""
    pictures = any(local(one) == "background-image" and len(one.attrib) for one in properties)
    if pictures or own(properties, "fill") in _FILLS:
        return UNKNOWN
    name = "fill-color" if own(properties, "fill") == "solid" else "background-color"
    colour = _COLOUR.fullmatch(own(properties, name))
    return colour[1] if colour else ""
