"""What is refused of a PDF, and what is reported of one that is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proseform.documents.extract import shown
from proseform.documents.pdf import legible
from proseform.documents.pdf.pages import Noticed, Page
from proseform.documents.pdf.pdfium import Opened, pdfium
from proseform.errors import DocumentError
from proseform.input import Finding

_GARBAGE_WORDS, _GARBAGE = 0.1, 0.03
"""Shares of words that have a glyph without a character, and of such glyphs; beyond both the text is not passed on."""
_GARBLED = 0.2
"""Share of the text that may come from fonts whose letters are those of no language."""
_COVER = 400
"""Letters and digits that a cover has at most: a page that stands in for a form or for files."""


def check_kind(document: Opened, where: str) -> None:
    """Refuse what is more than its pages.

    Raises:
        DocumentError: A portfolio, or a form that PDFium cannot draw.
    """
    if document.portfolio:
        raise DocumentError(
            f"{where} is a portfolio: a cover and files inside, which are not read.",
            hint="Open it, save the file that matters and give that.",
        )
    if pdfium.FPDF_GetFormType(document.raw) == pdfium.FORMTYPE_XFA_FULL:
        raise _xfa(where)


def check_text(document: Opened, pages: Sequence[Page], noticed: Noticed, where: str) -> None:
    """Refuse what is no text, or not the text that matters.

    Raises:
        DocumentError: A cover, unreadable fonts, a scan, hidden text only, or no text.
    """
    letters = sum(page.letters for page in pages)
    words = [word for page in pages for line in page.lines for word in line.text.split()]
    text = shown(" ".join(words))
    if letters < _COVER and not noticed.fields and pdfium.FPDF_GetXFAPacketCount(document.raw) > 0:
        raise _xfa(where)
    if letters < _COVER and pdfium.FPDFDoc_GetAttachmentCount(document.raw):
        raise DocumentError(
            f"{where} is a cover of files inside it, which are not read; it says {text!r}.",
            hint="Open it, save the file that matters and give that.",
        )
    if _is_unreadable(words) or _is_garbled(noticed) or legible.is_broken(words):
        raise DocumentError(
            f"{where} has no readable text: its fonts do not say which letters they show.",
            hint="Export it again from where it was written, or run OCR on it: ocrmypdf --force-ocr in.pdf out.pdf.",
        )
    if any(page.picture for page in pages) and all(page.picture or not page.letters for page in pages):
        besides = f"; beside them it says only {text!r}" if letters else ""
        raise DocumentError(
            f"{where} is scanned: its pages are pictures without text{besides}.",
            hint="Run OCR first, for example: ocrmypdf in.pdf out.pdf.",
        )
    if not letters and noticed.omissions.findings():
        raise DocumentError(f"{where} holds no text that can be seen: it is hidden.", hint="Export it again.")
    if not letters:
        raise DocumentError(
            f"{where} holds no text: its pages are blank or drawn.",
            hint="Export it again with text, or run OCR (ocrmypdf).",
        )


def findings(document: Opened, pages: Sequence[Page], noticed: Noticed) -> Iterator[Finding]:
    """What whoever reads the answer should know."""
    yield from noticed.omissions.findings()
    numbered = list(enumerate(pages, start=1))
    if pictures := [number for number, page in numbered if page.picture]:
        yield Finding("picture", f"{_pages(pictures)} a picture; what it shows was not read.")
    if scans := [number for number, page in numbered if page.scanned and not page.picture]:
        yield Finding("ocr", f"{_pages(scans)} a scan; the text is what a program for OCR has read.")
    if empty := [number for number, page in numbered if not page.letters and not page.picture]:
        yield Finding("no_text", f"{_pages(empty)} without text.")
    if noticed.undrawn:
        yield Finding("undrawn", f"{_pages(noticed.undrawn)} too costly to draw; hidden text was not looked for.")
    if noticed.unmapped:
        yield Finding("unmapped", f"Glyphs that stand for no character: {noticed.unmapped}.")
    if noticed.fields:
        yield Finding("form_field", f"Form fields were read ({len(noticed.fields)}): {_quoted(noticed.fields)}.")
    if noticed.notes:
        yield Finding("note", f"Notes on the pages were read ({len(noticed.notes)}): {_quoted(noticed.notes)}.")
    if noticed.comments:
        yield Finding("comment", f"Comments and stamps were left out ({noticed.comments}).")
    if files := pdfium.FPDFDoc_GetAttachmentCount(document.raw):
        yield Finding("attachment", f"Files inside it were not read ({files}).")


def _xfa(where: str) -> DocumentError:
    """The error for a form that PDFium cannot draw."""
    return DocumentError(
        f"{where} is a form that only Adobe's programs can draw (XFA).", hint="Open it there and print it to PDF."
    )


def _is_unreadable(words: Sequence[str]) -> bool:
    """Whether too many glyphs stand for no character."""
    broken = sum("\ufffd" in word for word in words)
    glyphs = sum(word.count("\ufffd") for word in words)
    return broken > _GARBAGE_WORDS * len(words) and glyphs > _GARBAGE * sum(map(len, words))


def _is_garbled(noticed: Noticed) -> bool:
    """Whether a large part of the text comes from fonts whose letters are those of no language."""
    texts = ["".join(parts) for parts in noticed.texts.values()]
    garbled = sum(len(text) for text in texts if not legible.is_text(text))
    return garbled > _GARBLED * sum(map(len, texts))


def _pages(numbers: Sequence[int]) -> str:
    """Pages by number, with the verb.

    >>> _pages([1]), _pages([1, 3])
    ('Page 1 is', 'Pages 1, 3 are')
    """
    named = ", ".join(map(str, numbers))
    return f"Page {named} is" if len(numbers) == 1 else f"Pages {named} are"


def _quoted(texts: Sequence[str]) -> str:
    """How texts begin."""
    return repr(shown(" / ".join(" ".join(text.split()) for text in texts)))
