"""Sheets by libraries that draw PDFs: reportlab and fpdf2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.documents.sheets import Dated, Heading, Item, Line, Part, Row, Sheet

_NOTO = Path("/usr/share/fonts/truetype/noto")
_FILES = {
    "thai": "NotoSansThai-Regular.ttf", "hebrew": "NotoSansHebrew-Regular.ttf", "arabic": "NotoSansArabic-Regular.ttf",
    "devanagari": "NotoSansDevanagari-Regular.ttf",
}  # fmt: skip
_BUILT_IN = {"chinese": "STSong-Light", "japanese": "HeiseiMin-W3", "hangul": "HYSMyeongJo-Medium"}
"""Fonts that viewers bring: nothing is embedded, and the letters are known by Adobe's collections alone."""


def reportlab(sheet: Sheet, path: Path) -> None:
    """Write one PDF by reportlab's page templates."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    flow = _Flow(sheet)
    document = SimpleDocTemplate(
        str(path), pagesize=A4, leftMargin=50, rightMargin=50, topMargin=55, bottomMargin=50, title=sheet.title,
        invariant=1,
    )  # fmt: skip
    story = flow.parts(sheet.top)
    if len(sheet.columns) > 1:
        widths = (140, 350) if sheet.layout == "sidebar" else (245, 245)
        story.append(flow.table([[flow.parts(column) for column in sheet.columns]], widths))
    else:
        story += flow.parts(sheet.columns[0])
    document.build(story, onFirstPage=flow.page, onLaterPages=flow.page)


class _Flow:
    """Parts as reportlab's flowables."""

    def __init__(self, sheet: Sheet) -> None:
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.cidfonts import UnicodeCIDFont
        from reportlab.pdfbase.ttfonts import TTFont

        self.sheet = sheet
        self.font = f"font-{sheet.script}"
        if sheet.script in _BUILT_IN:
            self.font = _BUILT_IN[sheet.script]
            pdfmetrics.registerFont(UnicodeCIDFont(self.font))
        else:
            pdfmetrics.registerFont(TTFont(self.font, font_file(sheet.script)))

    def parts(self, parts: Sequence[Part]) -> list[Any]:
        """Some parts."""
        return [self._part(part) for part in parts]

    def _part(self, part: Part) -> Any:
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.platypus import Paragraph

        size = 7.5 if self.sheet.layout == "tight" else 10
        style = ParagraphStyle(
            "body", fontName=self.font, fontSize=size, leading=size * (1.1 if size < 10 else 1.35),  # noqa: PLR2004 - the usual size
            wordWrap="CJK" if self.sheet.script in _BUILT_IN else None,
        )  # fmt: skip
        match part:
            case Heading(text, level):
                head = style.clone(
                    "head", fontSize=18 - 6 * level if size > 8 else 9, leading=24 - 6 * level, spaceBefore=6,  # noqa: PLR2004 - above tight
                    alignment=int(self.sheet.layout == "centred"),
                )  # fmt: skip
                return _spaced(text, head) if self.sheet.layout == "letter-spaced" else Paragraph(_escaped(text), head)
            case Item(text, mark):
                entry = style.clone("item", leftIndent=14, bulletIndent=2, bulletFontName=self.font)
                return Paragraph(_escaped(text), entry, bulletText=mark)
            case Dated(text, date):
                far = style.clone("far", alignment=2)
                widths = (200, 140) if self.sheet.layout == "sidebar" else (300, 190)
                return self.table([[Paragraph(_escaped(text), style), Paragraph(_escaped(date), far)]], widths)
            case Row(label, text):
                cells = [Paragraph(_escaped(label), style), Paragraph(_escaped(text), style)]
                return self.table([cells], (110, 380), lines=self.sheet.layout == "form")
            case Line(text):
                place = int(self.sheet.layout == "centred" and part in self.sheet.top)
                return Paragraph(_escaped(text), style.clone("line", alignment=place))

    def table(self, rows: list[list[Any]], widths: Sequence[float], *, lines: bool = False) -> Any:
        """A table without padding."""
        from reportlab.lib.colors import grey
        from reportlab.platypus import Table

        style: list[Any] = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]
        if lines:
            style.append(("GRID", (0, 0), (-1, -1), 0.5, grey))
        return Table(rows, colWidths=list(widths), style=style)

    def page(self, canvas: Any, document: Any) -> None:
        """What stands on every page, and what is hidden."""
        canvas.setFont(self.font, 8)
        if self.sheet.running:
            canvas.drawString(50, 810, self.sheet.running)
            canvas.drawCentredString(300, 25, str(document.page))
        for number, text in enumerate(self.sheet.hidden):
            canvas.saveState()  # how text is rendered outlives the text
            words = canvas.beginText(-2000 if number == 2 else 60, 40 + 8 * number)  # noqa: PLR2004 - the third way
            words.setFont(self.font, 1 if number == 1 else 8)
            words.setTextRenderMode(3 if number == 0 else 0)
            words.textLine(text)
            canvas.drawText(words)
            canvas.restoreState()


def _spaced(text: str, style: Any) -> Any:
    """A heading whose letters stand apart."""
    from reportlab.platypus import Flowable

    class Spaced(Flowable):  # type: ignore[misc] # the library has no types
        """One line of letters."""

        def wrap(self, width: float, height: float) -> tuple[float, float]:
            del height
            return width, style.leading + style.spaceBefore

        def draw(self) -> None:
            line = self.canv.beginText(0, 4)
            line.setFont(style.fontName, style.fontSize)
            line.setCharSpace(0.35 * style.fontSize)
            line.textLine(text)
            self.canv.drawText(line)

    return Spaced()


def _escaped(text: str) -> str:
    """Text without reportlab's markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def font_file(script: str) -> str:
    """A TrueType font that has a script's letters.

    Raises:
        FileNotFoundError: It is not installed.
    """
    path = _NOTO / _FILES.get(script, "NotoSans-Regular.ttf")
    if not path.exists():
        raise FileNotFoundError(f"{path}: apt-get install fonts-noto-core")
    return str(path)


def fpdf2(sheet: Sheet, path: Path, font: str = "") -> None:
    """Write one PDF by fpdf2's cells, top down; in a font of one's own where there is one."""
    import fpdf

    class Book(fpdf.FPDF):
        """A document with running heads."""

        def header(self) -> None:
            if sheet.running:
                self.set_font("body", size=8)
                self.cell(0, 5, sheet.running, new_x="LMARGIN", new_y="NEXT")

        def footer(self) -> None:
            if sheet.running:
                self.set_y(-12)
                self.set_font("body", size=8)
                self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="C")

    book = Book()
    book.add_font("body", "", font or font_file(sheet.script))
    if not font:
        book.add_font("latin", "", font_file("latin"))
        book.set_fallback_fonts(["latin"])
    book.set_text_shaping(sheet.script in _FILES)
    book.add_page()
    for part in (*sheet.top, *sheet.columns[0]):
        book.set_font("body", size={0: 18, 1: 13}.get(part.level, 10) if isinstance(part, Heading) else 10)
        _add(book, sheet, part)
    book.output(str(path))


def _add(book: Any, sheet: Sheet, part: Part) -> None:
    """Add one part to fpdf2's page."""
    side = "R" if sheet.rtl else "L"
    match part:
        case Item(text, mark):
            book.multi_cell(0, 5, f"{mark} {text}", align=side, new_x="LMARGIN", new_y="NEXT")
        case Dated(text, date):
            near, far = (date, text) if sheet.rtl else (text, date)
            book.cell(60 if sheet.rtl else 120, 5, near)
            book.cell(0, 5, far, align="R", new_x="LMARGIN", new_y="NEXT")
        case Row(label, text):
            left = book.l_margin + (0 if sheet.rtl else 50)
            book.set_x(book.l_margin + 140 if sheet.rtl else book.l_margin)
            book.cell(50, 5, label, border=1, align=side)
            book.set_x(left)
            book.multi_cell(140, 5, text, border=1, align=side, new_x="LMARGIN", new_y="NEXT")
        case Heading(text) | Line(text):
            place = "C" if sheet.layout == "centred" and (isinstance(part, Heading) or part in sheet.top) else side
            height = 7 if isinstance(part, Heading) else 5
            book.multi_cell(0, height, text, align=place, new_x="LMARGIN", new_y="NEXT")
