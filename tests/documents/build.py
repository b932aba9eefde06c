"""Documents for the tests, built with real writers: fpdf2, python-docx, pypdf, Pillow, zipfile."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage

import docx as python_docx
from fpdf import FPDF
from PIL import Image
from pypdf import PdfReader, PdfWriter

CV_MARKDOWN = """# Ana Silva

Data engineer, *Porto*

## Experience

* **Python**: 4 years
* **SQL**: 2 years at [Lume](https://lume.example)

Office & workflow: "efficient", 2019 \u2013 2023
"""

CV_HTML = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>My page</title></head><body>
<h1>Ana Silva</h1><p>Data engineer, <em>Porto</em></p><h2>Experience</h2>
<ul><li><b>Python</b>: 4 years</li><li>SQL: 2 years at <a href="https://lume.example">Lume</a></li></ul>
<p>Office &amp; workflow: &quot;efficient&quot;, 2019 \u2013 2023</p></body></html>
"""

ODF = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" '
    'xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0"'
)

CV_TEXT = """Ana Silva

Data engineer, Porto

Experience

- Python: 4 years
- SQL: 2 years at Lume

Office & workflow: "efficient", 2019 \u2013 2023"""


def pdf(text: str, *, bullet: str = "•") -> bytes:
    """One page with the text's lines, bullets as glyphs and blank lines as space; the first line large."""
    page = FPDF()
    page.set_compression(False)
    page.add_page()
    for number, line in enumerate(text.split("\n")):
        page.set_font("helvetica", "B" if number == 0 else "", 20 if number == 0 else 11)
        if line:  # the core fonts are Latin-1 and Windows-1252 has the bullet, but not in fpdf2: chr(149) is its code
            page.cell(
                0,
                6,
                line.replace("- ", f"{bullet} ", 1).replace("•", chr(149)).replace("\u2013", chr(150)),
                new_x="LMARGIN",
                new_y="NEXT",
            )
        else:
            page.ln(5)
    return bytes(page.output())


def pdf_of_pictures(pages: int = 1) -> bytes:
    """A PDF as a scanner makes it: pictures and a page number, no text."""
    scan = FPDF()
    for number in range(pages):
        scan.add_page()
        scan.image(Image.new("L", (40, 60), 200), 0, 0, 210)
        scan.set_font("helvetica", size=8)
        scan.cell(0, 5, str(number + 1))
    return bytes(scan.output())


def pdf_of_pages(pages: int, text: str = "one page of text") -> bytes:
    """A PDF of that many pages."""
    book = FPDF()
    for _ in range(pages):
        book.add_page()
        if text:
            book.set_font("helvetica", size=11)
            book.cell(0, 5, text)
    return bytes(book.output())


def pdf_encrypted(data: bytes, user: str, owner: str = "owner") -> bytes:
    """The PDF behind a password; with an empty user password anyone may open it."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt(user, owner, algorithm="RC4-128")
    return _bytes(writer.write)


def pdf_by_hand(
    content: bytes,
    pages: bytes = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    *,
    extra: bytes = b"",
    font: bytes = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    pattern: bytes = b"null",
    properties: bytes = b"",
    more: tuple[bytes, ...] = (),
    page: bytes = b"",
    catalog: bytes = b"",
) -> bytes:
    """A PDF from its page's content stream, with a table of objects that readers must rebuild.

    Objects are the catalog, the pages, the page, its content, its font (``/F``), its pattern (``/P``), then more, from
    7 on; ``extra`` is added to the content's dictionary, ``page`` to the page's, and ``catalog`` to the catalog.
    """
    resources = b"<< /Font << /F 5 0 R >> /Pattern << /P 6 0 R >> %s >>" % properties
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog,
        pages,
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources %s %s >>" % (resources, page),
        b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), extra, content),
        font,
        pattern,
        *more,
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, item) for number, item in enumerate(objects, start=1))
    return b"%PDF-1.4\n" + body + b"trailer << /Root 1 0 R /Size %d >>\nstartxref\n0\n%%%%EOF\n" % (len(objects) + 1)


def docx() -> bytes:
    """The CV of ``CV_TEXT``, made as Word users make it."""
    document = python_docx.Document()
    document.add_heading("Ana Silva", 0)
    for line in CV_TEXT.split("\n")[1:]:
        if line == "Experience":
            document.add_heading(line, 1)
        elif line.startswith("- "):
            document.add_paragraph(line.removeprefix("- "), style="List Bullet")
        else:
            document.add_paragraph(line)
    return _bytes(document.save)


def docx_with_body(xml: str) -> bytes:
    """A DOCX whose body is the given WordprocessingML."""
    document = python_docx.Document()
    document.add_paragraph("MARK")
    parts = unpacked(_bytes(document.save))
    main = parts["word/document.xml"].decode()
    start, stop = main.index("<w:p>"), main.index("</w:p>") + len("</w:p>")
    parts["word/document.xml"] = (main[:start] + xml + main[stop:]).encode()
    return archive(parts)


def odt(body: str = "", styles: str = "", parts: dict[str, bytes] | None = None) -> bytes:
    """An ODT with its smallest parts; its body is the CV of ``CV_TEXT`` where none is given."""
    automatic = f"<office:automatic-styles>{styles}</office:automatic-styles>"
    content = f"<office:document-content {ODF}>{automatic}{_odf_body(body)}</office:document-content>"
    media = b"application/vnd.oasis.opendocument.text"
    smallest = {"mimetype": media, "content.xml": content.encode(), "META-INF/manifest.xml": b"<m/>"}
    return archive(smallest | (parts or {}))


def fodt() -> bytes:
    """The CV of ``CV_TEXT`` as one XML file."""
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}<office:document {ODF}>{_odf_body()}</office:document>".encode()


def _odf_body(body: str = "") -> str:
    """The body of an OpenDocument file."""
    blocks = [body]
    for line in () if body else CV_TEXT.split("\n"):
        tag = "h" if line in {"Ana Silva", "Experience"} else "p"
        words = line.removeprefix("- ").replace("&", "&amp;").replace(" at ", "<text:s/>at<text:tab/>")
        block = f"<text:{tag}>{words}</text:{tag}>"
        blocks.append(f"<text:list><text:list-item>{block}</text:list-item></text:list>" if line[:1] == "-" else block)
    return f"<office:body><office:text>{''.join(blocks)}</office:text></office:body>"


def rtf() -> bytes:
    """The CV of ``CV_TEXT`` as Word writes RTF: bullets as list text, code pages and Unicode."""
    lines = []
    for line in CV_TEXT.split("\n"):
        marked = r"{\listtext\pard\plain\f1 \'b7\tab}" if line.startswith("- ") else ""
        words = line.removeprefix("- ").replace("\u2013", r"\u8211\'96")
        lines.append(rf"\pard\plain\f0\fs22 {marked}{words}\par")
    fonts = r"{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\froman\fcharset2 Symbol;}}"
    return (r"{\rtf1\ansi\ansicpg1252\uc1" + fonts + "\n".join(lines) + "}").encode("ascii")


def mhtml() -> bytes:
    """The page of ``CV_HTML`` as browsers save it."""
    message = EmailMessage()
    message.set_content(CV_HTML, subtype="html", charset="utf-8", cte="quoted-printable")
    message.make_related()
    message.add_related(b"GIF89a", "image", "gif")
    return bytes(message)


def archive(parts: dict[str, bytes]) -> bytes:
    """A zip archive of the parts, compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return buffer.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    """The parts of a zip archive."""
    whole = zipfile.ZipFile(io.BytesIO(data))
    return {name: whole.read(name) for name in whole.namelist()}


def picture(kind: str) -> bytes:
    """A real picture."""
    return _bytes(lambda file: Image.new("RGB", (8, 8), "red").save(file, kind))


def _bytes(write: object) -> bytes:
    """What a writer writes to a file."""
    buffer = io.BytesIO()
    write(buffer)  # type: ignore[operator]
    return buffer.getvalue()
