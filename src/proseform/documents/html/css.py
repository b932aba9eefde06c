"""What hides text on a web page, out of style attributes and the page's own style sheets.

Selectors are those of the library cssselect. Knowingly left out: the cascade, inheritance of anything but letters,
rules under a condition (``@media`` other than ``screen`` and ``all``, ``@supports``), sheets of other files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from proseform.documents.look import UNKNOWN, WHITE, Look

_COMMENT = re.compile(r"(?s)/\*.*?(?:\*/|\Z)")
_NAMED = {
    "white": "ffffff", "snow": "fffafa", "ivory": "fffff0", "whitesmoke": "f5f5f5", "ghostwhite": "f8f8ff",
    "floralwhite": "fffaf0", "azure": "f0ffff", "mintcream": "f5fffa", "black": "000000",
}  # fmt: skip
_HEX = re.compile("#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")
_RGB = re.compile(r"rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})(?:[\s,/]+([0-9.]+%?))?\s*\)")
_LENGTH = re.compile(r"(-?(?:\d{1,6}(?:\.\d{1,6})?|\.\d{1,6}))(px|pt|em|rem|%|cm|mm|in|pc|ch|ex|vw|vh)?")
_POINTS = {"px": 0.75, "pt": 1.0, "cm": 72 / 2.54, "mm": 72 / 25.4, "in": 72.0, "pc": 12.0}
_BASE_PT = 12.0
_OFF_PAGE_PT = -300.0
_TELLING = frozenset({
    "display", "visibility", "opacity", "font-size", "font", "color", "background", "background-color", "position",
    "left", "top", "right", "text-indent", "clip", "clip-path", "width", "height", "max-height", "overflow",
    "mso-hide", "transform",
})  # fmt: skip


def declarations(text: str) -> dict[str, str]:
    """The declarations of a style attribute or of a rule's body, in lower case."""
    pairs = (one.partition(":") for one in _COMMENT.sub("", text).lower().split(";"))
    return {name.strip(): value.replace("!important", "").strip() for name, _, value in pairs if value.strip()}


def look(style: Mapping[str, str], around: Look) -> Look:
    """How letters look under declarations, over how they look around them."""
    size = _size(style.get("font-size", "") or _font_size(style.get("font", "")), around.size_pt or _BASE_PT)
    colour = _colour(style.get("color", ""))
    ground = _ground(style)
    return Look(hides(style) or colour == "transparent" or None, size, colour or None, ground or None).over(around)


def hides(style: Mapping[str, str]) -> bool:
    """Whether declarations take an element off the page."""
    lifted = style.get("position") in {"absolute", "fixed"}
    away = lifted and any(_points(style.get(name, ""), 0.0) < _OFF_PAGE_PT for name in ("left", "top", "right"))
    cut = style.get("overflow") == "hidden"
    shut = cut and any(_points(style.get(name, ""), _BASE_PT) <= 1 for name in ("width", "height", "max-height"))
    return (
        style.get("display") == "none"
        or style.get("visibility") in {"hidden", "collapse"}
        or style.get("mso-hide") == "all"
        or _number(style.get("opacity", "")) == 0
        or _points(style.get("text-indent", ""), 0.0) < _OFF_PAGE_PT
        or re.fullmatch(r"rect\([01](px)?[, ].*", style.get("clip", "")) is not None
        or re.fullmatch(r"(inset\((50|100)%.*|circle\(0.*)", style.get("clip-path", "")) is not None
        or style.get("transform", "").startswith(("scale(0)", "scale(0,"))
        or away
        or shut
    )


class Sheet:
    """The page's own style sheets, as far as they tell whether text is seen.

    Args:
        root: The page's root element.
    """

    def __init__(self, root: Any) -> None:
        self._of: dict[Any, dict[str, str]] = {}
        self.ground = WHITE
        rules = [rule for sheet in root.iter("style") for rule in _rules(_COMMENT.sub("", "".join(sheet.itertext())))]
        for _, style in rules:
            if _ground(style) not in {"", WHITE}:
                self.ground = UNKNOWN  # which element it lies behind is not followed
        for selector, style in rules:
            for element in _matches(root, selector) if look(style, Look()).unseen(WHITE) else ():
                self._of.setdefault(element, {}).update(style)

    def style(self, element: Any) -> dict[str, str]:
        """The declarations for an element: of rules that may hide it, of old attributes, of its own style."""
        style = dict(self._of.get(element, ()))
        if "color" in element.attrib and element.tag == "font":
            style["color"] = element.get("color", "").lower()
        if "bgcolor" in element.attrib:
            style["background-color"] = element.get("bgcolor", "").lower()
        if "hidden" in element.attrib or (element.tag == "dialog" and "open" not in element.attrib):
            style["display"] = "none"
        return style | declarations(element.get("style", ""))


def _rules(css: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Selectors with what they declare, of rules without a condition."""
    at = 0
    while (opening := css.find("{", at)) >= 0:
        selector, depth, end = css[at:opening].rpartition(";")[2].strip(), 1, opening + 1
        while depth and (brace := re.compile("[{}]").search(css, end)):
            depth, end = depth + (1 if brace[0] == "{" else -1), brace.end()
        body, at = css[opening + 1 : end - 1 if not depth else end], end
        if depth:
            return
        if selector.startswith("@"):
            if re.fullmatch(r"@media\s+(only\s+)?(screen|all)", selector):
                yield from _rules(body)
        else:
            yield selector, {name: value for name, value in declarations(body).items() if name in _TELLING}


def _matches(root: Any, selector: str) -> list[Any]:
    """The elements that a selector holds for; none for one that is no selector of CSS, or of a state."""
    from cssselect import HTMLTranslator, SelectorError

    try:
        elements = root.xpath(HTMLTranslator().css_to_xpath(selector))
    except SelectorError:
        return []
    return list(elements)


def _colour(value: str) -> str:
    """A colour as ``rrggbb``, ``transparent``, or empty where it is not told."""
    match = _HEX.fullmatch(value)
    if match:
        digits = match[1]
        digits = "".join(digit * 2 for digit in digits) if len(digits) < 6 else digits  # noqa: PLR2004 - #rgb
        return "transparent" if digits[6:] == "00" else digits[:6]
    match = _RGB.fullmatch(value)
    if match:
        clear = match[4] is not None and _number(match[4]) == 0
        return "transparent" if clear else "".join(f"{min(int(part), 255):02x}" for part in match.group(1, 2, 3))
    return "transparent" if value == "transparent" else _NAMED.get(value, "")


def _ground(style: Mapping[str, str]) -> str:
    """The colour behind, ``UNKNOWN`` where it is not told, empty for none."""
    value = style.get("background-color") or style.get("background", "")
    if value in {"", "none", "transparent", "inherit", "initial", "unset", "0", "0 0"}:
        return ""
    colour = _colour(value)
    return "" if colour == "transparent" else colour or UNKNOWN


def _size(value: str, around_pt: float) -> float | None:
    """A size of letters in points; None where it is not told."""
    match = _LENGTH.fullmatch(value)
    if match is None:
        return None
    number, unit = float(match[1]), match[2]
    if number == 0:
        return 0.001  # 0 would state nothing
    if unit in {"em", "%"}:
        return number * around_pt / (1 if unit == "em" else 100)
    return number * (_BASE_PT if unit == "rem" else _POINTS[unit]) if unit == "rem" or unit in _POINTS else None


def _font_size(value: str) -> str:
    """The size in the short form ``font: bold 12px/1.5 Arial``."""
    sizes = (word.partition("/")[0] for word in value.split())
    return next((size for size in sizes if _LENGTH.fullmatch(size) and (size == "0" or not size.isdecimal())), "")


def _points(value: str, default: float) -> float:
    """A length in points; the default where it is none, or relative to what is not known."""
    match = _LENGTH.fullmatch(value)
    if match is None or (match[2] or "px") not in {*_POINTS, "em", "rem"}:
        return default
    return float(match[1]) * _POINTS.get(match[2] or "px", _BASE_PT)


def _number(value: str) -> float | None:
    """A number, also one in per cent; None where it is none."""
    match = re.fullmatch(r"(\d*\.?\d+)%?", value)
    return float(match[1]) if match else None
