"""What the fonts of a PDF say about their characters where PDFium does not tell: names of glyphs, and missing maps.

Two things are looked up, by pypdf and only where a page makes them needed. A glyph named ``f_f_i`` is "ffi" by the
rules of the Adobe Glyph List; PDFium knows no composed names. A composite font whose codes are glyph numbers
(``Identity-H``) and that has no ``ToUnicode`` says nothing of its characters, though PDFium takes them for numbers of
the Adobe collection that the font names, which a subset often does not keep.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

logging.getLogger("pypdf").addHandler(logging.NullHandler())  # else its warnings reach stderr

_UNICODE = re.compile(r"uni((?:[0-9A-F]{4})+)|u([0-9A-F]{4,6})")
_BROKEN = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What pypdf raises on broken files, beside its own errors."""
_DEEPEST = 4
"""Forms within forms whose fonts are looked at."""


@dataclass(frozen=True, slots=True)
class Fonts:
    """The fonts of a document, by name.

    Attributes:
        names: The text of each code whose glyph has a composed name.
        silent: Fonts whose codes are glyph numbers without a map.
    """

    names: dict[str, dict[int, str]] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()


def fonts(data: bytes) -> Fonts:
    """The fonts of a document; none where they cannot be read."""
    from pypdf import PdfReader  # seldom needed, and slow to import
    from pypdf.errors import PyPdfError

    names: dict[str, dict[int, str]] = {}
    silent: set[str] = set()
    speaking: set[str] = set()
    try:
        reader = PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted:
            reader.decrypt("")
        seen: set[int] = set()
        for page in reader.pages:
            for font in _fonts(page.get("/Resources"), seen, _DEEPEST):
                name = str(font.get("/BaseFont", "")).removeprefix("/")
                names.setdefault(name, {}).update(_differences(font))
                (silent if _is_silent(font) else speaking).add(name)
    except (PyPdfError, *_BROKEN):  # PDFium read on; what it could not map stays so, and is reported
        return Fonts()
    return Fonts(names, frozenset(silent - speaking))


def character(name: str) -> str:
    """The text of a glyph by its name, by the rules of the Adobe Glyph List for names of one letter or code.

    >>> character("f_f_i.alt"), character("uni00E9"), character("g57")
    ('ffi', 'é', '')
    """
    texts = [_component(part) for part in name.partition(".")[0].split("_")]
    return "".join(texts) if all(texts) else ""


def _component(part: str) -> str:
    """The text of one part of a name."""
    if len(part) == 1 and part.isascii() and part.isalpha():
        return part
    match = _UNICODE.fullmatch(part)
    if not match:
        return ""
    codes = [match[2]] if match[2] else [match[1][at : at + 4] for at in range(0, len(match[1]), 4)]
    return "".join(chr(code) for digits in codes if (code := int(digits, 16)) <= 0x10FFFF)  # noqa: PLR2004


def _fonts(resources: Any, seen: set[int], deep: int) -> Iterator[Any]:
    """The fonts of a page or form, and of the forms within."""
    resources = resources.get_object() if resources is not None else {}
    if id(resources) in seen:
        return
    seen.add(id(resources))
    for font in (resources.get("/Font") or {}).values():
        yield font.get_object()
    if deep:
        for form in (resources.get("/XObject") or {}).values():
            yield from _fonts(form.get_object().get("/Resources"), seen, deep - 1)


def _differences(font: Any) -> dict[int, str]:
    """The text of the codes to which a font's encoding gives composed names."""
    encoding = font.get("/Encoding")
    encoding = encoding.get_object() if encoding is not None else None
    result: dict[int, str] = {}
    code = 0
    for item in encoding.get("/Differences", ()) if isinstance(encoding, dict) else ():
        if isinstance(item, int):
            code = int(item)
        else:
            if text := character(str(item).removeprefix("/")):
                result[code] = text
            code += 1
    return result


def _is_silent(font: Any) -> bool:
    """Whether a font's codes are glyph numbers, and nothing says what they stand for."""
    encoding = font.get("/Encoding")
    return "/ToUnicode" not in font and isinstance(encoding, str) and encoding.startswith("/Identity-")
