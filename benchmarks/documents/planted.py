"""Documents that no reader can read, or not wholly: each has to be refused, or read with a finding that says so."""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.documents.people import sheet
from benchmarks.documents.record import Expected, Record
from benchmarks.documents.sheets import Sheet
from benchmarks.documents.writers.drawn import fpdf2
from benchmarks.documents.writers.marked import rtf
from benchmarks.documents.writers.word import docx

_PORTFOLIO = "For the best experience, open this PDF portfolio in a newer viewer."
_XFA = "Please wait... If this message is not eventually replaced by the contents, your viewer cannot show this form."
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
    for script in ("latin", "cyrillic"):
        _, data = _pdf(folder, script)
        yield Planted(f"no-tounicode-{script}.pdf", _mapped(data, None), "refused", script=script)
    one, data = _pdf(folder, "latin")
    texts = tuple(text for block in one.blocks for text in block)
    yield Planted("tounicode-private.pdf", _mapped(data, lambda code: 0xE000 + code % 4000), "refused")
    yield Planted("tounicode-replacement.pdf", _mapped(data, lambda _: 0xFFFD), "refused")
    yield Planted("tounicode-zero.pdf", _mapped(data, lambda _: 0), "refused")
    yield Planted("tounicode-shifted.pdf", _mapped(data, lambda code: code + 7), "refused")
    yield Planted("type3-numbered-glyphs.pdf", _type3(texts), "refused")
    yield Planted("outlines.pdf", _outlines(texts), "refused")
    yield Planted("scan.pdf", _scan(texts), "refused")
    yield Planted("scan-with-footer.pdf", _scan(texts, footer="1 / 1"), "refused", ("1 / 1",))
    yield Planted("scan-with-stamp.pdf", _scan(texts, footer=_STAMP), "reported", (_STAMP,))
    yield Planted("scan-first-page.pdf", _joined(_scan(texts), data), "reported", texts)
    yield Planted("scan-with-layer.pdf", _scan(texts, layer=True), "either", texts)
    yield Planted("portfolio.pdf", _portfolio(), "refused", (_PORTFOLIO,))
    yield Planted("xfa.pdf", _xfa(), "refused", (_XFA,))
    yield Planted("encrypted.pdf", _locked(data), "refused")
    yield Planted("truncated.pdf", data[: len(data) * 2 // 3], "either", texts)
    yield Planted("without-xref.pdf", data[: data.rindex(b"xref\n")], "either", texts)
    yield Planted("blank.pdf", _blank(), "refused")
    noise = random.Random(7).randbytes(40_000)
    yield Planted("noise.pdf", b"%PDF-1.7\n" + noise, "refused")
    yield Planted("noise.docx", b"PK\x03\x04" + noise, "refused")
    yield Planted("noise.txt", noise, "refused")
    yield Planted("noise.rtf", b"{\\rtf1 \\bin40000 " + noise, "refused")
    yield Planted("old-word.doc", _OLE + noise, "refused")
    yield Planted("encrypted.docx", _OLE + noise + "EncryptedPackage".encode("utf-16-le"), "refused")
    yield Planted("picture.pdf", _png(texts), "refused")
    yield Planted("half.docx", _half(folder, one), "refused")
    yield Planted("archive.docx", _zipped({"cv.pdf": data}), "refused")
    yield Planted("picture-only.rtf", b"{\\rtf1{\\pict\\pngblip " + _png(texts).hex().encode() + b"}}", "refused")
    yield Planted("cut.rtf", _cut(folder, one), "either", texts)
    page = b"<!DOCTYPE html><html><body><script>render('cv')</script></body></html>"
    yield Planted("script-only.html", page, "refused")


def _pdf(folder: Path, script: str) -> tuple[Sheet, bytes]:
    """A sheet, and its PDF with one embedded font of numbered glyphs."""
    one = sheet("one-column", script, 99)
    path = folder / "planted.tmp"
    fpdf2(one, path, _font())
    data = path.read_bytes()
    path.unlink()
    return one, data


def _font() -> str:
    """The font that comes with matplotlib."""
    import matplotlib as mpl

    return str(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))


def _fonts(writer: Any) -> Iterator[Any]:
    """The fonts of every page."""
    for page in writer.pages:
        for font in page["/Resources"]["/Font"].values():
            yield font.get_object()


def _mapped(data: bytes, letter: Callable[[int], int] | None) -> bytes:
    """A PDF whose fonts map to other letters, or say nothing of letters."""
    from pypdf import PdfWriter
    from pypdf.generic import NameObject, StreamObject

    writer = PdfWriter(clone_from=io.BytesIO(data))
    for font in _fonts(writer):
        table = font.pop("/ToUnicode").get_object().get_data()
        if letter is not None:
            stream = StreamObject()
            stream.set_data(re.sub(rb"(?<=> )<([0-9A-Fa-f]{4})>(?=\n)", _letters(letter), table))
            font[NameObject("/ToUnicode")] = writer._add_object(stream)  # noqa: SLF001 - pypdf adds objects so
    return _saved(writer)


def _letters(letter: Callable[[int], int]) -> Callable[[re.Match[bytes]], bytes]:
    """What replaces an entry of the table."""
    return lambda match: b"<%04X>" % letter(int(match[1], 16))


def _saved(writer: Any) -> bytes:
    """A PDF's bytes."""
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _type3(texts: tuple[str, ...]) -> bytes:
    """Glyphs drawn by procedures that are named by number."""
    from pypdf import PdfWriter
    from pypdf.generic import NameObject

    writer = PdfWriter(clone_from=io.BytesIO(_figure(texts, outlines=False)))
    for font in _fonts(writer):
        glyphs = font["/CharProcs"].get_object()
        names = {name: NameObject(f"/g{number}") for number, name in enumerate(list(glyphs))}
        for old, new in names.items():
            glyphs[new] = glyphs.raw_get(old)
            del glyphs[old]
        differences = font["/Encoding"]["/Differences"]
        for place, entry in enumerate(differences):
            differences[place] = names.get(entry, entry)
    return _saved(writer)


def _outlines(texts: tuple[str, ...]) -> bytes:
    """Text as curves."""
    return _figure(texts, outlines=True)


def _figure(texts: tuple[str, ...], *, outlines: bool) -> bytes:
    """Text that matplotlib draws, as outlines or with fonts of type 3."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath

    figure = Figure(figsize=(8.3, 11.7))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, 600), ylim=(0, 840))
    axes.axis("off")
    out = io.BytesIO()
    with mpl.rc_context({"pdf.fonttype": 3}):
        for number, text in enumerate(texts[:40]):
            place = (40.0, 800.0 - 18 * number)
            if outlines:
                axes.add_patch(PathPatch(TextPath(place, text[:80], size=10)))
            else:
                axes.text(*place, text[:80].replace("$", ""), fontsize=10)
        figure.savefig(out, format="pdf", metadata={"CreationDate": None})
    return out.getvalue()


def _picture(texts: tuple[str, ...]) -> Any:
    """A page as a scanner sees it."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("L", (1240, 1754), 245)
    pen, font = ImageDraw.Draw(page), ImageFont.truetype(_font(), 24)
    for number, text in enumerate(texts[:40]):
        pen.text((100, 100 + 38 * number), text[:80], 20, font=font)
    return page


def _png(texts: tuple[str, ...]) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    _picture(texts).save(out, "PNG")
    return out.getvalue()


def _scan(texts: tuple[str, ...], *, footer: str = "", layer: bool = False) -> bytes:
    """A PDF of one picture, with a line of text below or with the text of an OCR behind it."""
    import fpdf

    book = fpdf.FPDF()
    book.set_auto_page_break(auto=False)
    book.add_font("body", "", _font())
    book.add_page()
    book.set_font("body", size=8)
    if layer:
        book.text_mode = fpdf.enums.TextMode.INVISIBLE
        for number, text in enumerate(texts):
            book.text(17, 17 + 6.4 * number, text)
    book.image(_picture(texts), 0, 0, 210, 297)
    if footer:
        book.text(20, 290, footer)
    return bytes(book.output())


def _blank() -> bytes:
    """Two empty pages."""
    from pypdf import PdfWriter

    writer = PdfWriter()
    for _ in range(2):
        writer.add_blank_page(595, 842)
    return _saved(writer)


def _joined(*parts: bytes) -> bytes:
    """Several PDFs as one."""
    from pypdf import PdfWriter

    writer = PdfWriter()
    for part in parts:
        writer.append(io.BytesIO(part))
    return _saved(writer)


def _cover(text: str) -> Any:
    """A PDF with one line, open for more."""
    import fpdf
    from pypdf import PdfWriter

    book = fpdf.FPDF()
    book.add_page()
    book.set_font("helvetica", size=11)
    book.multi_cell(0, 6, text)
    return PdfWriter(clone_from=io.BytesIO(bytes(book.output())))


def _portfolio() -> bytes:
    """A cover with the document attached."""
    from pypdf.generic import DictionaryObject, NameObject

    writer = _cover(_PORTFOLIO)
    writer.add_attachment("cv.txt", b"Everything that matters.")
    writer.root_object[NameObject("/Collection")] = DictionaryObject({NameObject("/Type"): NameObject("/Collection")})
    return _saved(writer)


def _xfa() -> bytes:
    """A form whose content stands in XML beside a page that asks for another viewer."""
    from pypdf.generic import ArrayObject, DictionaryObject, NameObject, StreamObject, TextStringObject

    writer = _cover(_XFA)
    stream = StreamObject()
    stream.set_data(b'<xdp:xdp xmlns:xdp="http://ns.adobe.com/xdp/"><template/></xdp:xdp>')
    parts = ArrayObject([TextStringObject("template"), writer._add_object(stream)])  # noqa: SLF001 - pypdf adds objects so
    form = DictionaryObject({NameObject("/XFA"): parts, NameObject("/Fields"): ArrayObject()})
    writer.root_object[NameObject("/AcroForm")] = form
    return _saved(writer)


def _locked(data: bytes) -> bytes:
    """A PDF behind a password."""
    from pypdf import PdfWriter

    writer = PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt("secret", algorithm="AES-256")
    return _saved(writer)


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
