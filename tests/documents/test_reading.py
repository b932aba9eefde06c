"""Documents that are read: kinds, dispatch, lines."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import docx as python_docx
import pytest
from docx.oxml import parse_xml

from proseform.documents import read, read_bytes
from proseform.input import Origin

from . import build

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("cv.pdf", build.pdf(build.CV_TEXT), "pdf"),
        ("cv.docx", build.docx(), "docx"),
        ("cv.odt", build.odt(), "odt"),
        ("cv.fodt", build.fodt(), "odt"),
        ("cv.rtf", build.rtf(), "rtf"),
        ("cv.html", build.CV_HTML.encode(), "html"),
        ("cv.mht", build.mhtml(), "html"),
        ("cv.md", build.CV_MARKDOWN.encode(), "markdown"),
        ("cv.txt", build.CV_TEXT.replace("\n", "\r\n").encode(), "text"),
    ],
)
def test_one_cv_gives_one_text_in_every_kind(name: str, data: bytes, kind: str, tmp_path: Path) -> None:
    """The model must not see which program a CV was written with."""
    (tmp_path / name).write_bytes(data)
    document = read(tmp_path / name)
    assert document.kind == kind
    assert document.text == build.CV_TEXT


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("cv.txt", build.pdf("Ana Silva"), "pdf"),  # a PDF renamed
        ("cv.docx", build.pdf("Ana Silva"), "pdf"),
        (
            "cv.pdf",
            b"junk from a mail gateway\n" + build.pdf("Ana Silva"),
            "pdf",
        ),  # viewers accept junk before the header
        ("cv.pdf", build.docx(), "docx"),
        ("cv.pdf", b"Ana Silva\nPython: 4 years", "text"),  # a text renamed
        ("cv", b"Ana Silva", "text"),
        ("cv", b'{"basics": {}}', "json"),
        ("cv", b"{no JSON, though it looks so}", "text"),
        ("cv.md", b"[link](https://a.example)", "markdown"),
        ("cv.doc", build.rtf(), "rtf"),  # what many programs call .doc
        ("cv.doc", build.CV_HTML.encode(), "html"),
        ("cv.rtf", build.docx(), "docx"),
        ("cv.txt", b"{\\fonttbl{\\f0 Arial;}}{\\f0 Ana}", "rtf"),  # parts of RTF, as programs pass them on
        ("cv.txt", b"\\pard\\ql Ana\\par", "rtf"),
        ("cv.txt", b"{\\bf Ana} wrote this in TeX, or {\\it so}", "text"),
        ("cv.zip", build.odt(), "odt"),
        ("cv.txt", b"<p>Ana <b>Silva</b></p>", "html"),  # a part of a page
        ("cv.md", b"<h1 align='center'>Ana</h1>\n\n* Python", "markdown"),  # HTML that Markdown may hold
        ("cv.txt", b"<Ana Silva> wrote this, 5 < 6 </end>", "text"),
        ("cv.txt", b"From: Ana\nTo: Bo\n\nI apply for the job.", "text"),  # a letter, no mail
        ("cv.txt", b"BMW, 2019", "text"),  # begins as a BMP picture does
        ("cv.txt", b"RIFF and melody: a musician", "text"),  # begins as a WebP picture does
        ("notes.txt", b"a PDF begins with %PDF-1.7", "text"),
    ],
)
def test_content_decides_and_the_suffix_breaks_ties(name: str, data: bytes, kind: str) -> None:
    """Suffixes may be wrong, bytes are not."""
    assert read_bytes(data, name).kind == kind


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("Zoë Łuk".encode(), "utf-8"),
        ("Zoë Łuk".encode("utf-8-sig"), "utf-8"),
        ("Zoë Łuk".encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + "Zoë Łuk".encode("utf-16-be"), "utf-16"),
        ("Zoë Łuk".encode("utf-32"), "utf-32"),
    ],
)
def test_text_is_decoded_by_its_mark(data: bytes, encoding: str) -> None:
    """Every common encoding with a mark, and UTF-8 without."""
    document = read_bytes(data, "cv.txt")
    assert (document.text, document.input.origin.encoding) == ("Zoë Łuk", encoding)


def test_json_comes_parsed_and_as_text() -> None:
    """A task's hook gets the value; the text stands in where there is no hook."""
    document = read_bytes('{"basics": {"name": "Zoë"}}'.encode(), "resume.json")
    assert (document.kind, document.data) == ("json", {"basics": {"name": "Zoë"}})
    assert json.loads(document.text) == document.data


def test_a_pdf_that_anyone_may_open_is_read() -> None:
    """An owner's password forbids editing, not reading."""
    assert read_bytes(build.pdf_encrypted(build.pdf("Ana Silva"), user=""), "cv.pdf").text == "Ana Silva"


def test_a_pdf_of_several_pages_counts_them() -> None:
    """Pages follow one another without a gap."""
    document = read_bytes(build.pdf_of_pages(3), "cv.pdf")
    assert (document.text, document.input.origin) == (
        "\n".join(["one page of text"] * 3),
        Origin("cv.pdf", "pdf", pages=3),
    )


def test_lines_set_by_one_text_object_get_their_blank_lines() -> None:
    """LaTeX and Word place lines relative to one another, with T* and Td, in one BT … ET."""
    content = (
        b"BT /F 10 Tf 50 700 Td 12 TL (Skills) Tj T* (Python) Tj T* (SQL) Tj 0 -26 Td (Education) Tj T* (Porto) Tj ET"
    )
    assert read_bytes(build.pdf_by_hand(content), "cv.pdf").text == "Skills\nPython\nSQL\n\nEducation\nPorto"


def test_a_second_column_is_a_block_of_its_own() -> None:
    """Reading order is the content stream's."""
    content = (
        b"BT /F 10 Tf 12 TL 50 700 Td (Left) Tj T* (one) Tj T* (two) Tj ET "
        b"BT /F 10 Tf 12 TL 300 700 Td (Right) Tj T* (three) Tj ET"
    )
    assert read_bytes(build.pdf_by_hand(content), "cv.pdf").text == "Left\none\ntwo\n\nRight\nthree"


def test_a_docx_keeps_tables_headers_and_footers_in_order() -> None:
    """A table keeps its place; headers and footers come once."""
    document = python_docx.Document()
    document.sections[0].header.paragraphs[0].text = "Ana Silva"
    document.sections[0].footer.paragraphs[0].text = "ana@silva.example"
    document.add_section()  # linked to the one before: the same header again
    document.add_paragraph("before")
    table = document.add_table(2, 2)
    for cell, text in zip(
        (c for r in table.rows for c in r.cells), ("Python", "4 years", "2019", "Lume\nPorto"), strict=True
    ):
        cell.text = text
    document.add_paragraph("after")
    buffer = io.BytesIO()
    document.save(buffer)
    text = read_bytes(buffer.getvalue(), "cv.docx").text
    assert [line for line in text.split("\n") if line] == [
        "Ana Silva",
        "before",
        "Python | 4 years",
        "2019",
        "Lume",
        "Porto",
        "after",
        "ana@silva.example",
    ]


def test_a_docx_keeps_what_templates_are_made_of() -> None:
    """Content controls, links and insertions are text.

    Deletions, field codes and the fallback copy of a text box are not.
    """
    ns = (
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:v="urn:schemas-microsoft-com:vml"'
    )
    box = "<w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent>"
    body = (
        "<w:sdt><w:sdtContent><w:p><w:r><w:t>control</w:t></w:r></w:p></w:sdtContent></w:sdt>"
        "<w:p><w:hyperlink><w:r><w:t>link</w:t></w:r></w:hyperlink>"
        "<w:ins><w:r><w:tab/><w:t>inserted</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>deleted</w:delText></w:r></w:del><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
        f"<w:p {ns}><w:r><w:t>anchor</w:t><mc:AlternateContent><mc:Choice Requires='wps'>{box}</mc:Choice>"
        f"<mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    assert parse_xml(f"<w:body {W}>{body}</w:body>") is not None
    assert read_bytes(build.docx_with_body(body), "cv.docx").text == "control\nlink inserted\nanchor\nboxed"


def test_importing_documents_imports_no_reader() -> None:
    """The command line must answer --help at once."""
    code = (
        "import sys, proseform.documents\n"
        "heavy = ('pypdf', 'pypdfium2', 'lxml', 'cssselect', 'markdown_it', 'chardet')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
