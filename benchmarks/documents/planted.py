"""Documents that no reader can read, or not wholly: each has to be refused, or read with a finding that says so."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.documents import altered
from benchmarks.documents.people import sheet
from benchmarks.documents.record import Expected, Record
from benchmarks.documents.sheets import Sheet
from benchmarks.documents.writers.drawn import fpdf2
from benchmarks.documents.writers.marked import rtf
from benchmarks.documents.writers.word import docx

_STAMP = "Scanned by PaperBox 4.2, page 1 of 1"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True, slots=True)
class Planted:
    """A document and what is right for it.

    Attributes:
        name: Its file.
        data: Its bytes.
        expected: What a reader has to do.
        texts: What may come out.
        script: Of those texts.
    """

    name: str
    data: bytes
    expected: Expected
    texts: tuple[str, ...] = ()
    script: str = "latin"


def plant(folder: Path) -> Iterator[Record]:
    """Write all of them."""
    for planted in _all(folder):
        (folder / planted.name).write_bytes(planted.data)
        record = Record(
            planted.name, "planted", Path(planted.name).stem, planted.script, [list(planted.texts)],
            expected=planted.expected,
        )  # fmt: skip
        record.write(folder)
        yield record


def _all(folder: Path) -> Iterator[Planted]:
    """Every planted document."""
    for script in ("cyrillic", "latin"):
        one, data = _pdf(folder, script)
        texts = tuple(text for block in one.blocks for text in block)
        yield Planted(f"no-tounicode-{script}.pdf", altered.mapped(data, None), "either", texts, script)
        low = altered.mapped(data, lambda code: code & 0xFF)  # as a version of Ghostscript writes Chromium's PDFs anew
        yield Planted(f"tounicode-low-byte-{script}.pdf", low, "refused", texts, script)
    yield Planted("tounicode-private.pdf", altered.mapped(data, lambda code: 0xE000 + code % 4000), "refused")
    yield Planted("tounicode-replacement.pdf", altered.mapped(data, lambda _: 0xFFFD), "refused")
    yield Planted("tounicode-zero.pdf", altered.mapped(data, lambda _: 0), "refused")
    yield Planted("tounicode-shifted.pdf", altered.mapped(data, lambda code: code + 7), "refused")
    yield Planted("type3-numbered-glyphs.pdf", altered.type3(texts), "refused")
    yield Planted("outlines.pdf", altered.outlines(texts), "refused")
    yield Planted("scan.pdf", altered.scan(texts), "refused")
    yield Planted("scan-with-footer.pdf", altered.scan(texts, footer="1 / 1"), "refused", ("1 / 1",))
    yield Planted("scan-with-stamp.pdf", altered.scan(texts, footer=_STAMP), "reported", (_STAMP,))
    yield Planted("scan-first-page.pdf", altered.joined(altered.scan(texts), data), "reported", texts)
    yield Planted("scan-with-layer.pdf", altered.scan(texts, layer=True), "either", texts)
    yield Planted("portfolio.pdf", altered.portfolio(), "refused", (altered.PORTFOLIO,))
    yield Planted("xfa.pdf", altered.xfa(), "refused", (altered.XFA,))
    yield Planted("encrypted.pdf", altered.locked(data), "refused")
    yield Planted("truncated.pdf", data[: len(data) * 2 // 3], "either", texts)
    yield Planted("without-xref.pdf", data[: data.rindex(b"xref\n")], "either", texts)
    yield Planted("blank.pdf", altered.blank(), "refused")
    picture = altered.png(texts)
    noise = random.Random(7).randbytes(40_000)
    yield Planted("noise.pdf", b"%PDF-1.7\n" + noise, "refused")
    yield Planted("noise.docx", b"PK\x03\x04" + noise, "refused")
    yield Planted("noise.txt", noise, "refused")
    yield Planted("noise.rtf", b"{\\rtf1 \\bin40000 " + noise, "refused")
    yield Planted("old-word.doc", _OLE + noise, "refused")
    yield Planted("encrypted.docx", _OLE + noise + "EncryptedPackage".encode("utf-16-le"), "refused")
    yield Planted("picture.pdf", picture, "refused")
    yield Planted("half.docx", _half(folder, one), "refused")
    yield Planted("archive.docx", _zipped({"cv.pdf": data}), "refused")
    yield Planted("picture-only.rtf", b"{\\rtf1{\\pict\\pngblip " + picture.hex().encode() + b"}}", "refused")
    yield Planted("cut.rtf", _cut(folder, one), "either", texts)
    page = b"<!DOCTYPE html><html><body><script>render('cv')</script></body></html>"
    yield Planted("script-only.html", page, "refused")


def _pdf(folder: Path, script: str) -> tuple[Sheet, bytes]:
    """A sheet, and its PDF with one embedded font of numbered glyphs."""
    one = sheet("one-column", script, 99)
    path = folder / "planted.tmp"
    fpdf2(one, path, altered.font_file())
    data = path.read_bytes()
    path.unlink()
    return one, data


def _half(folder: Path, one: Sheet) -> bytes:
    """A DOCX whose upload broke off."""
    path = folder / "planted.tmp"
    docx(one, path)
    data = path.read_bytes()
    path.unlink()
    return data[: len(data) // 2]


def _cut(folder: Path, one: Sheet) -> bytes:
    """An RTF whose upload broke off."""
    path = folder / "planted.tmp"
    rtf(replace(one, hidden=()), path)
    data = path.read_bytes()
    path.unlink()
    return data[: len(data) * 2 // 3]


def _zipped(files: dict[str, bytes]) -> bytes:
    """An archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()
