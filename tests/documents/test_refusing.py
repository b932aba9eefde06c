"""Documents that are refused: each with words for what it is and what to do."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proseform.documents import read, read_bytes
from proseform.errors import DocumentError

from . import build

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
DOCX = build.docx()
PDF = build.pdf("Ana Silva")
XML = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'

REFUSED = [
    # name, bytes, what the message says, why
    ("cv.txt", b"", "is empty", "nothing in it"),
    ("cv.md", b" \n\t\n", "is empty", "only blanks"),
    ("cv.md", b"<!-- nothing -->", "holds no text", "only a comment"),
    ("cv.txt", "\u200b\u00ad".encode(), "holds no text", "only invisible characters"),
    ("cv.pdf", build.pdf_encrypted(PDF, user="secret"), "is encrypted", "a password to open it"),
    (
        "cv.docx",
        OLE + "EncryptedPackage".encode("utf-16-le"),
        "is encrypted",
        "Office wraps an encrypted DOCX in an OLE file",
    ),
    ("cv.doc", OLE + "WordDocument".encode("utf-16-le"), "before 2007", "legacy Word"),
    ("cv.xls", OLE + "Workbook".encode("utf-16-le"), "Excel workbook from before 2007", "legacy Excel"),
    ("cv.ppt", OLE + "PowerPoint Document".encode("utf-16-le"), "PowerPoint.*before 2007", "legacy PowerPoint"),
    ("cv.msg", OLE + "__substg1.0_0037001F".encode("utf-16-le"), "Outlook message", "a mail with the CV attached"),
    ("cv.hwp", OLE + "HwpSummaryInformation".encode("utf-16-le"), "Hangul", "what Korea writes with"),
    (
        "cv.eml",
        b"From: ana@a.example\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nMy CV",
        "an e-mail",
        "a mail",
    ),
    ("cv.epub", build.archive({"mimetype": b"application/epub+zip", "META-INF/container.xml": b"x"}), "EPUB", "a book"),
    ("cv.pages", build.archive({"Index/Document.iwa": b"x"}), "Apple Pages", "what a Mac writes with"),
    ("cv.pptx", build.archive({"_rels/.rels": b"<r/>", "ppt/presentation.xml": b"x"}), "PowerPoint", "slides"),
    ("cv.sxw", build.archive({"mimetype": b"application/vnd.sun.xml.writer"}), "OpenOffice.*2005", "its first format"),
    (
        "cv.ods",
        build.archive({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}),
        "OpenDocument spreadsheet",
        "a table",
    ),
    (
        "cv.xml",
        b'<?xml version="1.0"?><SkillsPassport><Name>Ana</Name></SkillsPassport>',
        "XML .*skillspassport",
        "data",
    ),
    ("cv.tex", b"% my CV\n\\documentclass{article}\n\\begin{document}Ana", "LaTeX source", "its PDF is meant"),
    ("cv.vcf", b"BEGIN:VCARD\nFN:Ana Silva\nEND:VCARD", "vCard", "a card, no CV"),
    ("cv.ps", b"%!PS-Adobe-3.0\n/Helvetica findfont", "PostScript", "a program that draws"),
    ("cv.tar.gz", b"\x1f\x8b\x08\0" + bytes(20), "gzip archive", "packed"),
    ("cv.webarchive", b"bplist00\xd1\x01\x02" + bytes(20), "Apple web archive", "what Safari saves"),
    ("cv.mht", b"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b--", "without a page", "no part"),
    ("cv.html", b"<html><body><script>write('Ana')</script></body></html>", "holds no text", "written by scripts"),
    ("cv.html", b"<p>" * 400_001 + b"</p>", "HTML tags, at most", "a bomb: tags"),
    ("cv.html", b"<html><div>" + b"<table><tr><td>x" * 300, "nested too deeply", "a bomb: depth"),
    ("cv.rtf", b"{\\rtf1 " + b"{}" * 200_001 + b"}", "RTF marks, at most", "a bomb: groups"),
    ("cv.rtf", b"{\\rtf1{\\info{\\title Ana}}}", "holds no text", "only what is known of it"),
    ("cv.pdf", build.pdf_of_pictures(), "is scanned", "pictures and a page number"),
    ("cv.pdf", build.pdf_of_pages(2, text=""), "holds no text", "blank pages"),
    ("cv.pdf", build.pdf_of_pages(51), "has 51 pages, at most 50", "a book"),
    ("cv.pdf", build.pdf_by_hand(b"", b"<< /Type /Pages /Kids [] /Count 0 >>"), "damaged PDF", "an empty page tree"),
    (
        "cv.pdf",
        build.pdf_by_hand(b"", b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"),
        "PDF|no pages",
        "a page tree that holds itself",
    ),
    ("cv.pdf", PDF[:40], "damaged PDF", "a download that was cut off"),
    ("cv.pdf", b"%PDF-1.7\n" + b"\xff" * 300, "damaged PDF", "a header and junk"),
    ("cv.png", build.picture("PNG"), "PNG picture", "a photograph of a CV"),
    ("cv.pdf", build.picture("JPEG"), "JPEG picture", "a picture renamed"),
    ("cv.webp", build.picture("WEBP"), "WebP picture", "a picture"),
    ("cv.bmp", build.picture("BMP"), "BMP picture", "a picture"),
    ("cv.tiff", build.picture("TIFF"), "TIFF picture", "a fax"),
    ("cv.heic", b"\0\0\0\x18ftypheic" + bytes(20), "HEIC", "a telephone's photograph"),
    ("cv.docx", DOCX[: len(DOCX) // 2], "damaged zip", "a download that was cut off"),
    ("cv.docx", build.archive({"word/document.xml": b"<not-word/>"}), "damaged DOCX", "no content types"),
    ("cv.docx", build.docx_with_body("<w:p><w:r>"), "damaged DOCX", "XML that does not end"),
    ("cv.docx", build.archive({"word/document.xml": bytes(20 << 20)}), "too large", "a bomb: 20 MiB of XML in 20 KiB"),
    (
        "cv.docx",
        build.archive({"word/document.xml": b"", "word/media/a": bytes(70 << 20)}),
        "too large",
        "a bomb: 70 MiB of picture",
    ),
    (
        "cv.docx",
        build.archive({"word/document.xml": b""} | {f"p{i}": b"" for i in range(2001)}),
        "too large",
        "a bomb: 2001 parts",
    ),
    ("cv.zip", build.archive({"cv.pdf": b"x"}), "is a zip archive", "a document within an archive"),
    ("cv.zip", build.archive({}), "empty zip", "nothing within an archive"),
    ("cv.xlsx", build.archive({"xl/workbook.xml": b"x"}), "Excel", "a workbook"),
    ("cv.odt", build.archive({"META-INF/manifest.xml": b"x"}), "damaged ODT", "no text part"),
    (
        "cv.odt",
        build.archive({"META-INF/manifest.xml": b"<m:encryption-data/>", "content.xml": b"\x93\x11"}),
        "is encrypted",
        "a password to open it",
    ),
    ("cv.json", b"{'name': 1}", "not valid JSON.*line 1", "single quotes"),
    ("cv.json", b'{"a": NaN}', "NaN is no JSON number", "Python reads it, RFC 8259 does not"),
    ("cv.json", b'{"a": 1, "a": 2}', "'a' occurs twice", "which one counts?"),
    ("cv.json", b'"Ana"', "single JSON str", "no document"),
    ("cv.json", b"[" * 100_000, "nested too deeply", "a bomb for recursive parsers"),
    ("cv.json", b"[" + b"9" * 5000 + b"]", "not valid JSON", "a number that Python refuses to read"),
    ("cv.json", b'["\\ud800"]', "surrogate", "legal JSON, but no text"),
    ("cv.txt", b"Ana\0Silva", "is not text", "NULs end strings elsewhere"),
    ("cv.txt", "Zo\u00eb".encode("cp1252"), "cannot be told", "one letter says too little"),
    ("cv.txt", bytes(range(1, 256)) * 4, "is not text", "binary junk"),
    ("cv.txt", b"\x7fELF\x01\x02\x03\x04", "is not text", "a program"),
    ("cv.txt", b"\xff\xfe\x00\xd8", "is not text", "half a surrogate pair in UTF-16"),
    ("cv.txt", b"word " * 50_000, "200,000 characters", "a book"),
    ("cv.txt", b"x" * (10 * 2**20 + 1), "larger than 10 MiB", "a dump"),
]


@pytest.mark.parametrize(
    ("name", "data", "says", "why"), REFUSED, ids=[f"{name}: {why}" for name, _, _, why in REFUSED]
)
def test_a_document_that_cannot_be_read_says_why_and_what_to_do(name: str, data: bytes, says: str, why: str) -> None:
    """What happened, where, and a way out; in one paragraph."""
    with pytest.raises(DocumentError, match=says) as raised:
        read_bytes(data, name)
    error = raised.value
    assert error.message.startswith(name)
    assert error.hint.endswith(".")
    assert "\n" not in str(error)
    assert len(str(error)) < 400


def test_a_missing_file_names_what_lies_beside(tmp_path: Path) -> None:
    """Mostly a name is mistyped."""
    (tmp_path / "ana-silva.pdf").write_bytes(PDF)
    with pytest.raises(DocumentError, match=r"no file ana-silv\.pdf .*there are: ana-silva\.pdf"):
        read(tmp_path / "ana-silv.pdf")


def test_a_folder_a_pipe_and_a_nul_are_not_opened(tmp_path: Path) -> None:
    """A pipe without a writer would be waited for; a NUL is no path."""
    os.mkfifo(tmp_path / "pipe")
    for path, says in (
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path / "a\0b", "no file|cannot be opened"),
    ):
        with pytest.raises(DocumentError, match=says):
            read(path)


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    """A sparse file of a terabyte costs nothing."""
    with (tmp_path / "cv.txt").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DocumentError, match="larger than 10 MiB"):
        read(tmp_path / "cv.txt")


def test_limits_can_be_set() -> None:
    """A server has its own."""
    for limit in ({"max_bytes": 100}, {"max_pages": 1}, {"max_chars": 20}):
        with pytest.raises(DocumentError):
            read_bytes(build.pdf_of_pages(2), "cv.pdf", **limit)
    with pytest.raises(DocumentError, match="20 characters"):
        read_bytes(DOCX, "cv.docx", max_chars=20)


def test_a_part_larger_than_its_directory_says_is_not_unpacked() -> None:
    """A bomb that lies: 60 MiB declared as 100 bytes in the central directory and the local header."""
    size = 60 << 20
    data = bytearray(build.archive({"[Content_Types].xml": b" " * size, "word/document.xml": b""}))
    for at in (i for i in range(len(data) - 4) if data[i : i + 4] == struct.pack("<I", size)):
        data[at : at + 4] = struct.pack("<I", 100)
    assert zipfile.ZipFile(io.BytesIO(bytes(data))).infolist()[0].file_size == 100
    with pytest.raises(DocumentError, match=r"damaged DOCX|too large"):
        read_bytes(bytes(data), "cv.docx")


def test_entities_in_a_docx_are_not_expanded() -> None:
    """Billion laughs, and files of this machine."""
    whole = zipfile.ZipFile(io.BytesIO(build.docx_with_body("<w:p><w:r><w:t>[&x;]</w:t></w:r></w:p>")))
    parts = {name: whole.read(name) for name in whole.namelist()}
    head, _, body = parts["word/document.xml"].decode().partition("?>")
    parts["word/document.xml"] = f'{head}?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>{body}'.encode()
    assert read_bytes(build.archive(parts), "cv.docx").text == "["


def test_a_name_from_outside_cannot_write_on_the_terminal() -> None:
    """Upload names are the sender's."""
    with pytest.raises(DocumentError) as raised:
        read_bytes(b"", "\x1b[31mcv\n" + "x" * 500 + ".txt")
    assert raised.value.message.isprintable()
    assert len(raised.value.message) < 200


def test_a_reason_that_quotes_the_file_is_cut() -> None:
    """zipfile quotes a part's name as the file has it, and the file may say that the name is 64 KiB long."""
    at = DOCX.index(b"word/document.xml") - 30  # its local header
    data = DOCX[: at + 26] + b"\xff\xff" + DOCX[at + 28 :]  # the length of the name in the local header
    with pytest.raises(DocumentError, match="damaged DOCX") as raised:
        read_bytes(data, "cv.docx")
    assert len(str(raised.value)) < 400


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from(["", "%PDF-1.4\n", "PK\x03\x04", "{", "{\\rtf", "BM", "\xff\xfe"]),
    st.sampled_from(["a.pdf", "a.docx", "a.md", "a.json", "a"]),
)
def test_any_bytes_give_text_or_a_document_error(data: bytes, head: str, name: str) -> None:
    """Nothing else ever comes out."""
    try:
        document = read_bytes(head.encode("latin-1") + data, name)
    except DocumentError:
        return
    assert document.text
    document.text.encode()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([PDF, DOCX]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20),
)
def test_damaged_files_give_text_or_a_document_error(whole: bytes, damage: list[tuple[float, int]]) -> None:
    """Real files with bytes changed reach deeper into the parsers than junk does."""
    data = bytearray(whole)
    for share, byte in damage:
        data[int(share * len(data))] = byte
    with suppress(DocumentError):
        assert read_bytes(bytes(data), "cv").text
