"""Sheets as DOCX by python-docx, with what Word has for each layout: sections, tables, tab stops, fields."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.documents.sheets import Dated, Heading, Item, Line, Part, Row, Sheet


def docx(sheet: Sheet, path: Path) -> None:
    """Write one document."""
    import docx as library

    document = library.Document()
    writer = _Writer(document, sheet)
    writer.parts(document, sheet.top)
    if sheet.layout == "sidebar":
        table = document.add_table(rows=1, cols=2)
        writer.direct(table)
        cells = table.rows[0].cells
        for place, (cell, column, width) in enumerate(zip(cells, sheet.columns, (4.5, 11), strict=True)):
            table.columns[place].width = cell.width = library.shared.Cm(width)
            writer.parts(cell, column)
            cell._element.remove(cell.paragraphs[0]._element)  # noqa: SLF001 - the empty one that a cell begins with
    elif sheet.layout == "two-columns":
        writer.flow(sheet.columns)
    else:
        writer.parts(document, sheet.columns[0])
    writer.running()
    writer.hidden()
    document.save(str(path))


class _Writer:
    """A document that is being written."""

    def __init__(self, document: Any, sheet: Sheet) -> None:
        self.document = document
        self.sheet = sheet

    def parts(self, owner: Any, parts: Sequence[Part]) -> None:
        """Add parts to the document or to a cell."""
        table = None
        for part in parts:
            if not isinstance(part, Row):
                table = None
                self._part(owner, part)
                continue
            if table is None:
                table = owner.add_table(rows=0, cols=2)
                self.direct(table)
                table.style = "Table Grid" if self.sheet.layout == "form" else None
            for cell, text in zip(table.add_row().cells, (part.label, part.text), strict=True):
                self._run(cell.paragraphs[0], text)

    def direct(self, table: Any) -> None:
        """Let the first column stand where its script begins."""
        if self.sheet.rtl:
            flag = _element("w:bidiVisual")
            table._tbl.tblPr.insert_element_before(flag, "w:tblW", "w:tblLook")  # noqa: SLF001 - as below

    def _part(self, owner: Any, part: Part) -> None:
        """Add one part that is no row."""
        from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_TAB_ALIGNMENT
        from docx.shared import Cm, Pt

        paragraph = owner.add_paragraph()
        tight = self.sheet.layout == "tight"
        paragraph.paragraph_format.space_after = Pt(0 if tight else 4)
        paragraph.paragraph_format.line_spacing = 0.9 if tight else 1.0
        match part:
            case Heading(text, level):
                paragraph.style = f"Heading {level + 1}"
                run = self._run(paragraph, text)
                run.font.small_caps = self.sheet.layout == "small-caps"
                if self.sheet.layout == "letter-spaced":
                    _property(run, "w:spacing", "100")  # twentieths of a point
            case Item(text, "•"):
                paragraph.style = "List Bullet"
                self._run(paragraph, text)
            case Item(text, mark):
                self._run(paragraph, f"{mark}\t{text}")
            case Dated(text, date):
                paragraph.paragraph_format.tab_stops.add_tab_stop(
                    Cm(10 if self.sheet.layout == "sidebar" else 15), WD_TAB_ALIGNMENT.RIGHT
                )
                self._run(paragraph, f"{text}\t{date}")
            case Line(text):
                self._run(paragraph, text)
        if self.sheet.layout == "centred" and (part in self.sheet.top or isinstance(part, Heading)):
            paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        if self.sheet.rtl:
            paragraph._p.get_or_add_pPr().insert_element_before(_element("w:bidi"), "w:spacing", "w:ind", "w:jc")  # noqa: SLF001 - the library has no word for it

    def _run(self, paragraph: Any, text: str) -> Any:
        """Add text, from right to left where the script is."""
        from docx.shared import Pt

        run = paragraph.add_run(text)
        if self.sheet.layout == "tight":
            run.font.size = Pt(7.5)
        run.font.rtl = self.sheet.rtl or None
        return run

    def flow(self, columns: Sequence[Sequence[Part]]) -> None:
        """Two newspaper columns with a break between."""
        from docx.enum.section import WD_SECTION
        from docx.enum.text import WD_BREAK

        section = self.document.add_section(WD_SECTION.CONTINUOUS)
        section._sectPr.append(_element("w:cols", num="2", space="500"))  # noqa: SLF001 - the library has no columns
        for stale in section._sectPr.xpath("./w:cols")[:-1]:  # noqa: SLF001 - as above
            section._sectPr.remove(stale)  # noqa: SLF001 - as above
        self.parts(self.document, columns[0])
        self.document.paragraphs[-1].add_run().add_break(WD_BREAK.COLUMN)
        self.parts(self.document, columns[1])

    def running(self) -> None:
        """The head of every page, and its number below."""
        if not self.sheet.running:
            return
        section = self.document.sections[0]
        section.header.paragraphs[0].text = self.sheet.running
        foot = section.footer.paragraphs[0]
        for name, text in (("PAGE", " / "), ("NUMPAGES", "")):
            field = _element("w:fldSimple", instr=name)
            foot._p.append(field)  # noqa: SLF001 - the library has no fields
            foot.add_run(text)

    def hidden(self) -> None:
        """Hidden, white and tiny text."""
        from docx.shared import Pt, RGBColor

        for number, text in enumerate(self.sheet.hidden):
            run = self.document.add_paragraph().add_run(text)
            if number == 0:
                run.font.hidden = True
            elif number == 1:
                run.font.color.rgb = RGBColor(255, 255, 255)
            else:
                run.font.size = Pt(1)


def _property(run: Any, name: str, value: str) -> None:
    """Set a run's property that the library has no word for."""
    run._r.get_or_add_rPr().append(_element(name, val=value))  # noqa: SLF001 - see above


def _element(name: str, **attributes: str) -> Any:
    """An element of WordprocessingML."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    element = OxmlElement(name)
    for key, value in attributes.items():
        element.set(qn(f"w:{key}"), value)
    return element
