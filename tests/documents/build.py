"""Documents for the tests, built with real writers: fpdf2, python-docx, pypdf, Pillow, zipfile."""

from __future__ import annotations

import io
import zipfile

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
    more: tuple[bytes, ...] = (),
    page: bytes = b"",
    catalog: bytes = b"",
) -> bytes:
    """A PDF from its page's content stream, with a table of objects that readers must rebuild.

    Objects are the catalog, the pages, the page, its content, its font (``/F``), its pattern (``/P``), then more, from
    7 on; ``extra`` is added to the content's dictionary, ``page`` to the page's, and ``catalog`` to the catalog.
    """
    resources = b"<< /Font << /F 5 0 R >> /Pattern << /P 6 0 R >> >>"
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
    original = zipfile.ZipFile(io.BytesIO(_bytes(document.save)))
    parts = {name: original.read(name) for name in original.namelist()}
    main = parts["word/document.xml"].decode()
    start, stop = main.index("<w:p>"), main.index("</w:p>") + len("</w:p>")
    parts["word/document.xml"] = (main[:start] + xml + main[stop:]).encode()
    return archive(parts)


def archive(parts: dict[str, bytes]) -> bytes:
    """A zip archive of the parts, compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return buffer.getvalue()


def picture(kind: str) -> bytes:
    """A real picture."""
    return _bytes(lambda file: Image.new("RGB", (8, 8), "red").save(file, kind))


def _bytes(write: object) -> bytes:
    """What a writer writes to a file."""
    buffer = io.BytesIO()
    write(buffer)  # type: ignore[operator]
    return buffer.getvalue()
