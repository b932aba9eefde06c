"""Kinds of documents that are not read, each with its name and with what to do instead."""

from __future__ import annotations

from collections.abc import Sequence

from proseform.errors import DocumentError

_OCR = "Run OCR first: img2pdf, then ocrmypdf, gives a PDF with text."
_AS_DOCX = "Save it as DOCX or PDF."
_AS_PDF = "Save it as PDF."
_UNPACK = "Unpack it and give the file."

Kind = tuple[str, str]
"""What it is, as a sentence goes on after "is", and what to do."""

MAIL: Kind = ("an e-mail", "Save what is attached to it, or the message as PDF, and give that.")

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n", ("a PNG picture: it holds no text", _OCR)),
    (b"\xff\xd8\xff", ("a JPEG picture: it holds no text", _OCR)),
    (b"GIF8", ("a GIF picture: it holds no text", _OCR)),
    (b"II*\x00", ("a TIFF picture: it holds no text", _OCR)),
    (b"MM\x00*", ("a TIFF picture: it holds no text", _OCR)),
    (b"RIFF", ("a WebP picture or a recording: it holds no text", _OCR)),
    (b"BM", ("a BMP picture: it holds no text", _OCR)),
    (b"\x00\x00\x01\x00", ("an icon: it holds no text", _OCR)),
    (b"8BPS", ("a Photoshop picture", "Export it as PDF with text.")),
    (b"AT&TFORM", ("a DjVu document", _AS_PDF)),
    (b"\xc5\xd0\xd3\xc6", ("PostScript", "Make a PDF of it: ps2pdf.")),
    (b"\x1f\x8b", ("a gzip archive", _UNPACK)),
    (b"BZh", ("a bzip2 archive", _UNPACK)),
    (b"\xfd7zXZ\x00", ("an xz archive", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", ("a zstd archive", _UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", ("a 7z archive", _UNPACK)),
    (b"Rar!\x1a\x07", ("a RAR archive", _UNPACK)),
    (b"\xffWPC", ("a WordPerfect document", _AS_DOCX)),
    (b"\xdb\xa5", ("in Word 2's format (.doc)", _AS_DOCX)),
    (b"bplist00", ("an Apple web archive or property list", _AS_PDF)),
    (b"HWP Document File", ("a Hangul document (HWP)", _AS_DOCX)),
    (b"\x7fELF", ("a program, it is not text", "Give the document itself.")),
    (b"MZ\x90", ("a program, it is not text", "Give the document itself.")),
    (b"SQLite format 3\x00", ("a database, it is not text", "Give the document itself.")),
)
_ZIPPED: tuple[tuple[str, Kind], ...] = (
    ("xl/", ("an Excel workbook", _AS_PDF)),
    ("ppt/", ("a PowerPoint presentation", _AS_PDF)),
    ("visio/", ("a Visio drawing", _AS_PDF)),
    ("index/", ("an Apple Pages document", "Export it as DOCX or PDF.")),
    ("index.xml", ("an Apple Pages document", "Export it as DOCX or PDF.")),
    ("meta-inf/container.xml", ("an EPUB book", _AS_PDF)),
    ("documents/1/", ("an XPS document", _AS_PDF)),
    ("fixeddocseq.fdseq", ("an XPS document", _AS_PDF)),
    ("contents/header.xml", ("a Hangul document (HWPX)", _AS_DOCX)),
    ("androidmanifest.xml", ("an Android program", "Give the document itself.")),
    ("meta-inf/manifest.mf", ("a Java archive", "Give the document itself.")),
)
_OPENDOCUMENT = {
    "spreadsheet": "an OpenDocument spreadsheet",
    "presentation": "an OpenDocument presentation",
    "graphics": "an OpenDocument drawing",
}
_STREAMS: tuple[tuple[str, Kind], ...] = (
    ("__substg1.0_", ("an Outlook message (.msg)", MAIL[1])),
    ("WordDocument", ("in Word's format from before 2007 (.doc)", _AS_DOCX)),
    ("PowerPoint Document", ("a PowerPoint presentation from before 2007 (.ppt)", _AS_PDF)),
    ("Workbook", ("an Excel workbook from before 2007 (.xls)", _AS_PDF)),
    ("HwpSummaryInformation", ("a Hangul document (HWP)", _AS_DOCX)),
    ("MatOST", ("a Works document (.wps)", _AS_DOCX)),
)
_ROOTS: dict[str, Kind] = {
    "w:worddocument": ("in Word's XML format of 2003 (.doc, .xml)", "Open it in Word and save it as DOCX or PDF."),
    "pkg:package": ("in Word's flat XML format", "Open it in Word and save it as DOCX or PDF."),
    "svg": ("an SVG picture", _AS_PDF),
}
_STARTS: tuple[tuple[str, Kind], ...] = (
    ("%!PS", ("PostScript", "Make a PDF of it: ps2pdf.")),
    ("\\documentclass", ("LaTeX source", "Give the PDF that it makes.")),
    ("BEGIN:VCARD", ("a vCard", "Give the document itself.")),
    ("BEGIN:VCALENDAR", ("a calendar entry", "Give the document itself.")),
    ("[InternetShortcut]", ("a link to a web page", "Open it and save the document that it leads to.")),
)


def refusal(where: str, what: str, hint: str) -> DocumentError:
    """The error for a kind that is not read."""
    return DocumentError(f"{where} is {what}.", hint=hint)


def magic(data: bytes) -> Kind | None:
    """A kind by its first bytes; a plain text may begin with some of them."""
    if data[4:8] == b"ftyp":
        heif = data[8:12] in {b"heic", b"heix", b"mif1", b"avif"}
        return ("a HEIC or AVIF picture: it holds no text", _OCR) if heif else ("a film", "Give the document itself.")
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in data[:256]):  # noqa: PLR2004 - printable ASCII
        return None
    return next((kind for start, kind in _MAGIC if data.startswith(start)), None)


def compound(data: bytes, where: str) -> DocumentError:
    """The error for a compound file (OLE), by the names of its streams."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        return DocumentError(
            f"{where} is encrypted.", hint="Open it with its password, save a copy without one and give that."
        )
    named = (kind for stream, kind in _STREAMS if stream.encode("utf-16-le") in data)
    return refusal(where, *next(named, ("an Office document from before 2007", _AS_DOCX)))


def zipped(names: Sequence[str], media_type: str) -> Kind | None:
    """A kind by the parts of a zip archive, None for a DOCX."""
    if media_type.startswith("application/vnd.oasis.opendocument."):
        return _OPENDOCUMENT.get(
            media_type.rsplit(".", maxsplit=1)[-1].partition("-")[0], "an OpenDocument file"
        ), _AS_PDF
    if media_type.startswith("application/vnd.sun.xml."):
        return "an OpenOffice document from before 2005", _AS_DOCX
    if any(name.startswith("word/") for name in names):
        return None
    named = (kind for start, kind in _ZIPPED if any(name.startswith(start) for name in names))
    return next(named, None if "_rels/.rels" in names else ("a zip archive", _UNPACK))


def markup(text: str, root: str) -> Kind | None:
    """A kind by how a text begins, or by its root element."""
    head = text[:4096].lstrip("\ufeff \t\r\n")
    if head.startswith("<?xml") or root in _ROOTS:
        return _ROOTS.get(root, (f"XML (<{root}>)" if root else "XML", "Save it as DOCX, PDF or JSON."))
    lines = [line.lstrip() for line in head.split("\n")]
    first = next(
        (line for line in lines if line and (line.startswith("%!") or line[0] != "%")), ""
    )  # % begins a comment
    return next((kind for start, kind in _STARTS if first.startswith(start)), None)
