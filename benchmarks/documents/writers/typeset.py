"""Sheets by Typst."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from benchmarks.documents.sheets import Dated, Heading, Item, Part, Row, Sheet

_FONTS = '("Noto Sans", "Noto Sans Hebrew", "Noto Sans Arabic", "Noto Sans Devanagari", "Noto Sans Thai", "{cjk}")'
_CJK = {"japanese": "Noto Sans CJK JP", "hangul": "Noto Sans CJK KR"}
_STYLES = {
    "centred": "#show heading: set align(center)",
    "tight": "#set text(size: 7.5pt, tracking: -0.02em, hyphenate: true)\n#set par(justify: true, leading: 0.3em)\n"
    "#set block(spacing: 0.35em)",
    "letter-spaced": "#show heading: set text(tracking: 0.35em)",
    "small-caps": "#show heading: smallcaps",
}


def typst(sheet: Sheet, path: Path) -> None:
    """Write one PDF."""
    import typst as library  # what is not installed is named by the command

    library.compile(source(sheet).encode(), output=str(path), font_paths=["/usr/share/fonts"])


def source(sheet: Sheet) -> str:
    """A sheet in Typst's markup; all texts stand in strings, so that nothing in them is markup."""
    lines = [
        '#set page(paper: "a4", margin: 1.8cm' + (
            f', header: {_text(sheet.running)}, footer: context counter(page).display("1 / 1", both: true)'
            if sheet.running else ""
        ) + ")",
        f"#set text(size: 10pt, lang: \"{sheet.language}\", dir: {'rtl' if sheet.rtl else 'ltr'}, "
        f"font: {_FONTS.format(cjk=_CJK.get(sheet.script, 'Noto Sans CJK SC'))})",
        _STYLES.get(sheet.layout, ""),
        _parts(sheet.top),
    ]  # fmt: skip
    if len(sheet.columns) > 1:
        widths = "(4.5cm, 1fr)" if sheet.layout == "sidebar" else "(1fr, 1fr)"
        cells = ", ".join(f"[\n{_parts(column)}\n]" for column in sheet.columns)
        lines.append(f"#grid(columns: {widths}, gutter: 8mm, {cells})")
    else:
        lines.append(_parts(sheet.columns[0]))
    for way, text in zip(("text(fill: white)", "text(size: 1pt)", "place(dx: -2000pt)"), sheet.hidden, strict=False):
        lines.append(f"#{way}[#{_text(text)}]")
    return "\n".join(lines)


def _parts(parts: Iterable[Part]) -> str:
    """Parts as markup, runs of rows as one table."""
    pieces = []
    for kind, run in groupby(parts, type):
        inside = [_part(part) for part in run]
        pieces.append(
            f"#table(columns: (3.6cm, 1fr), stroke: none, {', '.join(inside)})" if kind is Row else "\n\n".join(inside)
        )
    return "\n\n".join(pieces)


def _part(part: Part) -> str:
    """One part as markup."""
    match part:
        case Heading(text, level):
            return f"#heading(level: {level + 1})[#{_text(text)}]"
        case Item(text, mark):
            return f"#list(marker: [#{_text(mark)}], [#{_text(text)}])"
        case Dated(text, date):
            return f"#block(width: 100%)[#{_text(text)} #h(1fr) #{_text(date)}]"
        case Row(label, text):
            return f"[#{_text(label)}], [#{_text(text)}]"
        case _:
            return f"#{_text(part.text)}"


def _text(text: str) -> str:
    """A string of Typst."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
