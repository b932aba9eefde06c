"""What people have filled in or added to a PDF: form fields, and notes written on the page.

A field's text stands beside its label: it joins the line that it is on. Comments that only a viewer shows are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from proseform.documents.pdf.lines import Line
from proseform.documents.pdf.pdfium import Box, pdfium, string

_UNSEEN = pdfium.FPDF_ANNOT_FLAG_INVISIBLE | pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW
_MULTILINE, _SECRET = pdfium.FPDF_FORMFLAG_TEXT_MULTILINE, pdfium.FPDF_FORMFLAG_TEXT_PASSWORD
_WRITTEN = {pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX}
_TICKED = {pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON}
_COMMENTS = {pdfium.FPDF_ANNOT_TEXT, pdfium.FPDF_ANNOT_STAMP}


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was filled in or added.

    Attributes:
        text: What it says; ``[x]`` and ``[ ]`` for a box to tick.
        box: Where it stands on the page.
        kind: ``field``, ``note`` or ``comment``.
        hidden: Whether a viewer does not show it.
    """

    text: str
    box: Box
    kind: str
    hidden: bool


def entries(page: Any, form: Any) -> list[Entry]:
    """The fields, notes and comments of a page that say something; both handles are PDFium's, a form's may be None."""
    result = []
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            kind = pdfium.FPDFAnnot_GetSubtype(annotation)
            text, what = "", ""
            if kind == pdfium.FPDF_ANNOT_WIDGET and form:
                text, what = _value(annotation, form), "field"
            elif kind == pdfium.FPDF_ANNOT_FREETEXT:
                text, what = string(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents"), "note"
            elif kind in _COMMENTS:
                text, what = string(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents"), "comment"
            if text.strip():
                rectangle = pdfium.FS_RECTF()
                pdfium.FPDFAnnot_GetRect(annotation, rectangle)
                box = (rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)
                hidden = bool(pdfium.FPDFAnnot_GetFlags(annotation) & _UNSEEN)
                result.append(Entry(text.replace("\r\n", "\n").replace("\r", "\n").strip(), box, what, hidden))
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)
    return result


def _value(annotation: Any, form: Any) -> str:
    """What a field holds; empty for buttons, signatures and passwords."""
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in _TICKED:
        return "[x]" if pdfium.FPDFAnnot_IsChecked(form, annotation) else "[ ]"
    if kind not in _WRITTEN or pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & _SECRET:
        return ""
    return string(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)


def joined(lines: Sequence[Line], added: Sequence[Entry]) -> list[Line]:
    """Lines with entries in their places: on the line beside which they stand, else where their height says."""
    result = list(lines)
    for entry in added:
        left, bottom, _, top = entry.box
        beside = [
            at
            for at, line in enumerate(result)
            if line.along == (1.0, 0.0) and bottom <= -line.base + line.size / 2 and -line.base <= top
        ]
        if beside and "\n" not in entry.text:
            at = min(beside, key=lambda at: abs(-result[at].base - (bottom + top) / 2))
            line = result[at]
            sides = (line.text, entry.text) if line.start <= left else (entry.text, line.text)
            result[at] = replace(line, text=" ".join(sides), start=min(line.start, left))
            continue
        size = min(top - bottom, 12.0)
        base = -(bottom + (top - bottom - size) / 2)
        at = next((at for at, line in enumerate(result) if line.along == (1.0, 0.0) and line.base > base), len(result))
        texts = entry.text.split("\n")
        result[at:at] = [
            Line(text, base - size * (len(texts) - 1 - number), size, left) for number, text in enumerate(texts)
        ]
    return result
