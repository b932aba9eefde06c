"""Sheets as Markdown, and what pandoc makes of them; plain text in the encodings of its age; RTF and ODT by hand."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.documents.sheets import Dated, Heading, Item, Part, Row, Sheet

CODECS = {
    "latin": ("cp1252", "cp1250", "cp1254", "iso8859_2", "mac_roman", "utf_16"),
    "cyrillic": ("cp1251", "koi8_r", "iso8859_5", "cp866"),
    "greek": ("cp1253", "iso8859_7"),
    "hebrew": ("cp1255",),
    "arabic": ("cp1256",),
    "chinese": ("gb18030", "utf_16"),
    "japanese": ("shift_jis", "euc_jp", "iso2022_jp"),
    "thai": ("tis_620",),
    "hangul": ("euc_kr",),
    "devanagari": ("utf_8_sig",),
}
"""Encodings in which people keep old texts, by script."""


def _parts(sheet: Sheet) -> Iterator[Part]:
    """All parts from the top."""
    yield from sheet.top
    for column in sheet.columns:
        yield from column


def markdown(sheet: Sheet) -> str:
    """A sheet in Markdown; marks of lists are the format's own."""
    lines = []
    for part in _parts(sheet):
        match part:
            case Heading(text, level):
                lines.append(f"\n{'#' * (level + 1)} {_escaped(text)}\n")
            case Item(text):
                lines.append(f"- {_escaped(text)}")
            case Dated(text, date):
                lines.append(f"\n**{_escaped(text)}** {_escaped(date)}\n")
            case Row(label, text):
                lines.append(f"\n{_escaped(label)}: {_escaped(text)}\n")
            case _:
                lines.append(f"\n{_escaped(part.text)}\n")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """Text without Markdown's markup."""
    return re.sub(r"([\\`*_{}\[\]<>()#+.!|~^$@-])", r"\\\1", text)


def pandoc(sheet: Sheet, path: Path) -> None:
    """What pandoc makes of a sheet's Markdown; the suffix says which kind of file."""
    command = ["pandoc", "--from", "markdown-smart", "--standalone", "--metadata", "title=CV", "--output"]
    source = markdown(sheet).encode()
    subprocess.run([*command, str(path)], input=source, check=True, capture_output=True, timeout=60)


def markdown_file(sheet: Sheet, path: Path) -> None:
    """Markdown as it is."""
    path.write_text(markdown(sheet), encoding="utf-8")


def plain(sheet: Sheet) -> str:
    """A sheet as people type it."""
    lines = []
    for part in _parts(sheet):
        match part:
            case Heading(text):
                lines += ["", text, ""]
            case Item(text):
                lines.append(f"- {text}")
            case Dated(text, date):
                lines.append(f"{text}    {date}")
            case Row(label, text):
                lines.append(f"{label}: {text}")
            case _:
                lines.append(part.text)
    return "\r\n".join(lines)


def encoded(codec: str) -> Callable[[Sheet, Path], None]:
    """What writes plain text in an encoding."""

    def write(sheet: Sheet, path: Path) -> None:
        text = plain(sheet).replace("\u2013", "-")  # not every encoding has the dash between dates
        path.write_bytes(text.encode(codec))

    return write


def rtf(sheet: Sheet, path: Path) -> None:
    r"""RTF as small programs write it: every letter beyond ASCII as ``\uN?``, tables as rows of cells."""
    pieces = []
    for part in _parts(sheet):
        match part:
            case Heading(text):
                pieces.append(rf"{{\pard\b\fs28 {_coded(text)}\par}}")
            case Item(text, mark):
                pieces.append(rf"{{\pard\li360\fi-360 {_coded(mark)}\tab {_coded(text)}\par}}")
            case Dated(text, date):
                pieces.append(rf"{{\pard\tqr\tx9000 {_coded(text)}\tab {_coded(date)}\par}}")
            case Row(label, text):
                pieces.append(
                    rf"\trowd\cellx2000\cellx9000\pard\intbl {_coded(label)}\cell\pard\intbl {_coded(text)}\cell\row"
                )
            case _:
                pieces.append(rf"{{\pard {_coded(part.text)}\par}}")
    pieces += [rf"{{\pard\v {text}\par}}" for text in sheet.hidden[:1]]
    head = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Noto Sans;}}{\info{\title CV}{\author Nobody}}"
    path.write_bytes((head + "\n" + "\n".join(pieces) + "}").encode("ascii"))


def _coded(text: str) -> str:
    """Text in RTF, by UTF-16 units as signed numbers."""
    units = memoryview(text.encode("utf-16-le")).cast("h")
    return "".join(
        (f"\\{chr(unit)}" if chr(unit) in "\\{}" else chr(unit)) if 0 <= unit < 128 else f"\\u{unit}?"  # noqa: PLR2004 - ASCII
        for unit in units
    )


def odf(sheet: Sheet, path: Path) -> None:
    """ODT by odfpy: paragraphs, lists, tables, tabs."""
    from odf import table, text
    from odf.opendocument import OpenDocumentText

    document = OpenDocumentText()
    for part in _parts(sheet):
        match part:
            case Heading(words, level):
                document.text.addElement(text.H(outlinelevel=level + 1, text=words))
            case Item(words):
                entries, entry = text.List(), text.ListItem()
                entry.addElement(text.P(text=words))
                entries.addElement(entry)
                document.text.addElement(entries)
            case Dated(words, date):
                line = text.P(text=words)
                line.addElement(text.Tab())
                line.addText(date)
                document.text.addElement(line)
            case Row(label, words):
                grid, row = table.Table(), table.TableRow()
                grid.addElement(table.TableColumn(numbercolumnsrepeated=2))
                for cell_text in (label, words):
                    cell = table.TableCell()
                    cell.addElement(text.P(text=cell_text))
                    row.addElement(cell)
                grid.addElement(row)
                document.text.addElement(grid)
            case _:
                document.text.addElement(text.P(text=part.text))
    document.save(str(path))
