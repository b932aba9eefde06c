"""PDFs that say little or nothing of their text, or lie about it: made of a good one, or of pictures and curves."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PORTFOLIO = "For the best experience, open this PDF portfolio in a newer viewer."
XFA = "Please wait... If this message is not eventually replaced by the contents, your viewer cannot show this form."


def font_file() -> str:
    """The font that comes with matplotlib."""
    import matplotlib as mpl

    return str(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))


def _fonts(writer: Any) -> Iterator[Any]:
    """The fonts of every page."""
    for page in writer.pages:
        for font in page["/Resources"]["/Font"].values():
            yield font.get_object()


def mapped(data: bytes, letter: Callable[[int], int] | None) -> bytes:
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


def type3(texts: tuple[str, ...]) -> bytes:
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


def outlines(texts: tuple[str, ...]) -> bytes:
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
    pen, font = ImageDraw.Draw(page), ImageFont.truetype(font_file(), 24)
    for number, text in enumerate(texts[:40]):
        pen.text((100, 100 + 38 * number), text[:80], 20, font=font)
    return page


def png(texts: tuple[str, ...]) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    _picture(texts).save(out, "PNG")
    return out.getvalue()


def scan(texts: tuple[str, ...], *, footer: str = "", layer: bool = False) -> bytes:
    """A PDF of one picture, with a line of text below or with the text of an OCR behind it."""
    import fpdf

    book = fpdf.FPDF()
    book.set_auto_page_break(auto=False)
    book.add_font("body", "", font_file())
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


def blank() -> bytes:
    """Two empty pages."""
    from pypdf import PdfWriter

    writer = PdfWriter()
    for _ in range(2):
        writer.add_blank_page(595, 842)
    return _saved(writer)


def joined(*parts: bytes) -> bytes:
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


def portfolio() -> bytes:
    """A cover with the document attached."""
    from pypdf.generic import DictionaryObject, NameObject

    writer = _cover(PORTFOLIO)
    writer.add_attachment("cv.txt", b"Everything that matters.")
    writer.root_object[NameObject("/Collection")] = DictionaryObject({NameObject("/Type"): NameObject("/Collection")})
    return _saved(writer)


def xfa() -> bytes:
    """A form whose content stands in XML beside a page that asks for another viewer."""
    from pypdf.generic import ArrayObject, DictionaryObject, NameObject, StreamObject, TextStringObject

    writer = _cover(XFA)
    stream = StreamObject()
    stream.set_data(b'<xdp:xdp xmlns:xdp="http://ns.adobe.com/xdp/"><template/></xdp:xdp>')
    parts = ArrayObject([TextStringObject("template"), writer._add_object(stream)])  # noqa: SLF001 - pypdf adds objects so
    form = DictionaryObject({NameObject("/XFA"): parts, NameObject("/Fields"): ArrayObject()})
    writer.root_object[NameObject("/AcroForm")] = form
    return _saved(writer)


def locked(data: bytes) -> bytes:
    """A PDF behind a password."""
    from pypdf import PdfWriter

    writer = PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt("secret", algorithm="AES-256")
    return _saved(writer)
