"""PDF to lines, by PDFium.

    extract(data, where, limits)
        pdfium.py    the library, opened and closed
        pages.py     one page
        glyphs.py    what a page draws, glyph by glyph
        visible.py   which of it is seen: the page is drawn with its text and without
        fonts.py     what fonts say about their characters, where PDFium does not tell
        lines.py     glyphs to lines of words, by where they stand; bidi.py where they run from right to left,
                     accents.py where accents are glyphs of their own
        fields.py    form fields and notes, in their places
        verdict.py   what is refused, and what is reported; legible.py whether what a font gives is text

Hidden text is left out and reported; fields and notes are read and reported; pages that are pictures are reported. A
document of nothing else is refused, as are forms that only Adobe's programs draw (XFA), portfolios, covers, encrypted
and damaged files, and text that no font maps to characters. A hostile file can end the process, so that this runs in
one of its own: :mod:`proseform.documents.apart`.

Knowingly left out: OCR, joining wrapped lines, tables as tables, what pictures and comments say.
"""

from __future__ import annotations

import time

from proseform.documents.extract import Extract, Limits, reason, too_long
from proseform.documents.pdf import verdict
from proseform.documents.pdf.lines import spread
from proseform.documents.pdf.pages import Noticed, Page, read
from proseform.documents.pdf.pdfium import Opened, PdfiumError, opened, wants_password
from proseform.errors import DocumentError

DRAWING_S = 1.5
"""Processor time for drawing the pages of a document, in seconds; a page of text takes 0.002."""


def extract(data: bytes, where: str, limits: Limits) -> Extract:
    """The text of a PDF, one line a line.

    Raises:
        DocumentError: Encrypted, too many pages, too much text, scanned, without text or without a map to characters,
            a form or a portfolio that only Adobe's programs show, or damaged.
    """
    try:
        with opened(data) as document:
            return _extract(document, data, where, limits)
    except PdfiumError as error:
        if wants_password(error):
            raise DocumentError(
                f"{where} is encrypted.", hint="Open it with its password, save a copy without one and give that."
            ) from error
        raise DocumentError(
            f"{where} is a damaged PDF: {reason(error)}.",
            hint="Open it in a viewer and print it to PDF, or export it again.",
        ) from error


def _extract(document: Opened, data: bytes, where: str, limits: Limits) -> Extract:
    """As :func:`extract`, from an open document."""
    count = len(document.document)
    if count > limits.pages:
        raise DocumentError(
            f"{where} has {count} pages, at most {limits.pages} are read.", hint="Give the pages that matter."
        )
    if not count:
        raise DocumentError(f"{where} has no pages.", hint="Export it again.")
    verdict.check_kind(document, where)
    noticed = Noticed(data, drawing_ends=time.process_time() + DRAWING_S)
    pages: list[Page] = []
    for number in range(count):
        pages.append(read(document, number, noticed))
        if sum(page.length for page in pages) > 4 * limits.chars:  # normalisation only shrinks it, though not by much
            raise too_long(where, limits.chars)
    verdict.check_text(document, pages, noticed, where)
    raw = "\n".join(line.text for page in pages for line in spread(page.lines))
    return Extract(raw, tuple(verdict.findings(document, pages, noticed)), pages=count)
