"""PDFium's C interface as a few Python functions: strings, boxes, and a document that is opened and closed.

Everything else of this package calls :mod:`pypdfium2.raw` as PDFium's headers describe it.
"""

from __future__ import annotations

import codecs
import contextlib
import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium
from pypdfium2 import PdfDocument, PdfiumError  # importing it starts the library

__all__ = [
    "Box",
    "Opened",
    "PdfiumError",
    "address",
    "bounds",
    "callback",
    "objects",
    "opened",
    "parameter",
    "pdfium",
    "string",
    "wants_password",
]

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points of the page before it is turned."""

_WIDE = ctypes.POINTER(ctypes.c_ushort)
_MARKS = ((codecs.BOM_UTF16_BE, "utf-16-be"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF8, "utf-8"))
_UNREAD: list[int] = []
"""What PDFium says that it does not support in the document that is being opened."""


def callback(structure: Any, name: str, function: Callable[..., Any]) -> Any:
    """A Python function as a member of one of PDFium's structures."""
    return dict(structure._fields_)[name](function)


_HANDLER = pdfium.UNSUPPORT_INFO(
    version=1,
    FSDK_UnSupport_Handler=callback(
        pdfium.UNSUPPORT_INFO, "FSDK_UnSupport_Handler", lambda _, kind: _UNREAD.append(kind)
    ),
)
"""PDFium keeps only a pointer to it."""
pdfium.FSDK_SetUnSpObjProcessHandler(_HANDLER)


@dataclass(frozen=True, slots=True)
class Opened:
    """An open document.

    Attributes:
        raw: PDFium's handle.
        document: The same, as pypdfium2 has it.
        form: The handle of its form, None where it has none.
        portfolio: Whether it says that it is a collection of files.
    """

    raw: Any
    document: PdfDocument
    form: Any
    portfolio: bool


@contextlib.contextmanager
def opened(data: bytes) -> Iterator[Opened]:
    """Open a document, with the empty password where it has one.

    Raises:
        PdfiumError: It is damaged, or wants a password; ``err_code`` says which.
    """
    _UNREAD.clear()
    document = PdfDocument(data)
    try:
        document.init_forms()
        form = document.formenv.raw if document.formenv else None
        yield Opened(document.raw, document, form, pdfium.FPDF_UNSP_DOC_PORTABLECOLLECTION in _UNREAD)
    finally:
        document.close()


def wants_password(error: PdfiumError) -> bool:
    """Whether a document could not be opened for want of its password."""
    return bool(getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD)


def string(function: Callable[..., int], *arguments: Any) -> str:
    """What a function writes as UTF-16 into a buffer whose size it tells."""
    size = function(*arguments, None, 0)
    buffer = ctypes.create_string_buffer(max(size, 2))
    function(*arguments, ctypes.cast(buffer, _WIDE), size)
    return buffer.raw[:size].decode("utf-16-le", "replace").rstrip("\0")


def parameter(mark: Any, key: bytes) -> str | None:
    """A text of a mark's property list, None where it has none."""
    size = ctypes.c_ulong()
    if not pdfium.FPDFPageObjMark_GetParamBlobValue(mark, key, None, 0, size):
        return None
    buffer = (ctypes.c_ubyte * max(size.value, 1))()
    pdfium.FPDFPageObjMark_GetParamBlobValue(mark, key, buffer, size.value, size)
    return text_string(bytes(buffer[: size.value]))


def text_string(data: bytes) -> str:
    r"""A text string (ISO 32000-2, 7.9.2.2): UTF-16 or UTF-8 by its mark, else close enough to Latin-1.

    >>> text_string(b"\xfe\xff\x96\xe8"), text_string(b"ffi")
    ('雨', 'ffi')
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    return data.decode("latin-1")


def address(pointer: Any) -> int:
    """What two pointers to the same thing have in common."""
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


def bounds(item: Any) -> Box:
    """The box of an object of a page; empty where it has none."""
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not pdfium.FPDFPageObj_GetBounds(item, left, bottom, right, top):
        return (0.0, 0.0, 0.0, 0.0)
    return left.value, bottom.value, right.value, top.value


def objects(page: Any) -> Iterator[tuple[Any, Any]]:
    """All objects of a page in the order in which they are drawn, each with the object of the page that holds it.

    Objects within forms come in place of the form.
    """
    for index in range(pdfium.FPDFPage_CountObjects(page)):
        item = pdfium.FPDFPage_GetObject(page, index)
        yield from ((inner, item) for inner in _within(item, _DEEPEST))


_DEEPEST = 16
"""Forms within forms that are followed."""


def _within(item: Any, deep: int) -> Iterator[Any]:
    """An object, or the objects of a form."""
    if pdfium.FPDFPageObj_GetType(item) != pdfium.FPDF_PAGEOBJ_FORM:
        yield item
    elif deep:
        for index in range(pdfium.FPDFFormObj_CountObjects(item)):
            yield from _within(pdfium.FPDFFormObj_GetObject(item, index), deep - 1)
