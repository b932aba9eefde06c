"""What kind of document bytes are: by their first bytes, by the suffix of the name where bytes cannot tell.

Knowingly left out: what a container holds beyond its first bytes; a reader refuses a foreign archive by name.
"""

from __future__ import annotations

from typing import Literal

from proseform.errors import DocumentError

Kind = Literal["pdf", "docx", "markdown", "text", "json"]
"""What is read."""

READABLE = "Readable are PDF, DOCX, Markdown, plain text and JSON."
_PICTURES = {
    b"\x89PNG\r\n": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"II*\x00": "a TIFF picture",
    b"MM\x00*": "a TIFF picture",
    b"RIFF": "a WebP picture",
    b"BM": "a BMP picture",
}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def container(data: bytes, suffix: str, where: str) -> Literal["pdf", "docx", "text"]:
    """What the first bytes say; ``text`` for every kind that only its text or its name can tell.

    Raises:
        DocumentError: A format that is not read; the message says which, and what to do.
    """
    head = data[:1024].lstrip()
    if head.startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in head):  # readers allow junk before the header
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return "docx"
    if head.startswith(b"PK\x05\x06"):
        raise DocumentError(f"{where} is an empty zip archive.", hint=READABLE)
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise DocumentError(
                f"{where} is encrypted.", hint="Open it with its password, save a copy without one and give that."
            )
        raise DocumentError(f"{where} is in Word's format from before 2007 (.doc).", hint="Save it as DOCX or PDF.")
    if head.startswith(b"{\\rtf"):
        raise DocumentError(f"{where} is RTF.", hint="Save it as DOCX or PDF.")
    if head[:9].lower().startswith((b"<!doctype", b"<html")):
        raise DocumentError(
            f"{where} is a web page (HTML).", hint="Print it to PDF, or save the document that the page links to."
        )
    picture = next((words for magic, words in _PICTURES.items() if data.startswith(magic)), "")
    picture = "a HEIC or AVIF picture" if data[4:12] in {b"ftypheic", b"ftypmif1", b"ftypavif"} else picture
    if picture and not _is_ascii(data):  # "BM" and "RIFF" can also begin a plain text
        raise DocumentError(
            f"{where} is {picture}, it holds no text.",
            hint="Run OCR first: img2pdf, then ocrmypdf, gives a PDF with text.",
        )
    return "text"


def _is_ascii(data: bytes) -> bool:
    """Whether the first part is printable ASCII."""
    return all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in data[:256])  # noqa: PLR2004 - the printable range
