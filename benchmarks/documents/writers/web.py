"""Sheets as HTML, and what prints HTML: Chromium, WeasyPrint, wkhtmltopdf, and Ghostscript, which writes PDFs anew."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from html import escape
from itertools import groupby
from pathlib import Path

from benchmarks.documents.sheets import Dated, Heading, Item, Part, Row, Sheet

_STYLE = """
@page { size: A4; margin: 18mm 16mm }
body { font: 10pt "Noto Sans", "Noto Sans CJK SC", sans-serif; margin: 0 }
h1 { font-size: 20pt; margin: 0 0 4pt } h2 { font-size: 12pt; margin: 10pt 0 3pt } p { margin: 2pt 0 }
ul { margin: 2pt 0; padding-inline-start: 14pt }
.dated { display: flex; justify-content: space-between }
.columns { display: flex; gap: 8mm } .columns > div { flex: 1 }
table { border-collapse: collapse; width: 100% } td { vertical-align: top; padding: 1pt 4pt }
td:first-child { width: 32mm }
"""
_STYLES = {
    "sidebar": ".columns > div:first-child { flex: 0 0 48mm; background: #234; color: #fff; padding: 4mm }",
    "centred": "h1, h2, .top p { text-align: center }",
    "tight": "body { font-size: 7.5pt; line-height: 1.05; letter-spacing: -.02em; text-align: justify; hyphens: auto }"
    " h1 { font-size: 11pt } h2 { font-size: 8pt; margin: 2pt 0 } p, ul { margin: 0 }",
    "letter-spaced": "h1, h2 { letter-spacing: .35em; font-weight: 300 }",
    "small-caps": "h1, h2 { font-variant: small-caps } .top p { font-variant-caps: small-caps }",
    "form": "td { border: .5pt solid #888 }",
    "two-columns": "body { font-size: 9pt }",
}
_HIDING = (
    "color: #fff", "font-size: 1px", "position: absolute; left: -3000px; width: 2000px",
)  # fmt: skip


def html(sheet: Sheet, *, screen: bool = False) -> str:
    """A sheet as one HTML page; for a screen the hidden texts are not displayed at all."""
    running = (
        f"@page {{ @top-left {{ content: '{sheet.running}'; font-size: 8pt }}"
        " @bottom-center { content: counter(page) ' / ' counter(pages); font-size: 8pt } }"
        if sheet.running
        else ""
    )
    columns = "".join(f"<div>{_parts(column)}</div>\n" for column in sheet.columns)
    hiding = ("display: none", *_HIDING[1:]) if screen else _HIDING
    hidden = "".join(f'<p style="{style}">{text}</p>\n' for style, text in zip(hiding, sheet.hidden, strict=False))
    return (
        f'<!DOCTYPE html>\n<html lang="{sheet.language}" dir="{"rtl" if sheet.rtl else "ltr"}">\n<head>'
        f'<meta charset="utf-8"><title>{escape(sheet.title)}</title>\n'
        f"<style>{_STYLE}{_STYLES.get(sheet.layout, '')}{running}</style></head>\n<body>\n"
        f'<div class="top">{_parts(sheet.top)}</div>\n<div class="columns">{columns}</div>\n{hidden}</body>\n</html>\n'
    )


def _parts(parts: Iterable[Part]) -> str:
    """Parts as HTML, runs of list entries and of rows as one list or table."""
    pieces = []
    for kind, run in groupby(parts, type):
        inside = "\n".join(_part(part) for part in run)
        pieces.append({Item: f"<ul>{inside}</ul>", Row: f"<table>{inside}</table>"}.get(kind, inside))
    return "\n".join(pieces)


def _part(part: Part) -> str:
    """One part as HTML."""
    match part:
        case Heading(text, level):
            return f"<h{level + 1}>{escape(text)}</h{level + 1}>"
        case Item(text, mark):
            return f"<li style=\"list-style-type: '{mark} '\">{escape(text)}</li>"
        case Dated(text, date):
            return f'<p class="dated"><span>{escape(text)}</span> <span>{escape(date)}</span></p>'
        case Row(label, text):
            return f"<tr><td>{escape(label)}</td><td>{escape(text)}</td></tr>"
        case _:
            return f"<p>{escape(part.text)}</p>"


def file(sheet: Sheet, path: Path) -> None:
    """The page itself."""
    path.write_text(html(sheet, screen=True), encoding="utf-8")


def chromium(sheet: Sheet, path: Path) -> None:
    """The page as Chromium prints it."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        page.write_text(html(sheet), encoding="utf-8")
        subprocess.run(
            [
                "chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile",
                "--no-pdf-header-footer", f"--print-to-pdf={path}", page.as_uri(),
            ],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip


def weasyprint(sheet: Sheet, path: Path) -> None:
    """The page as WeasyPrint prints it."""
    import weasyprint as library  # what is not installed is named by the command

    library.HTML(string=html(sheet)).write_pdf(str(path))


def wkhtmltopdf(sheet: Sheet, path: Path) -> None:
    """The page as the WebKit of Qt prints it, which knows no flexible boxes: columns become cells of a table.

    Text from right to left comes out cut and on top of itself, for people too.
    """
    columns = "".join(f"<td>{_parts(column)}</td>" for column in sheet.columns)
    head, _, rest = html(sheet).partition('<div class="columns">')
    tail = rest[rest.rindex("</div>") + len("</div>") :]
    page = f'{head}<table class="grid"><tr>{columns}</tr></table>{tail}'
    page = page.replace("</style>", ".dated span + span { float: right } .grid td { width: auto }</style>")
    subprocess.run(
        ["wkhtmltopdf", "--quiet", "-", str(path)], input=page.encode(), check=True, capture_output=True, timeout=120,
        env={"QT_QPA_PLATFORM": "offscreen", "PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": tempfile.gettempdir()},
    )  # fmt: skip


def ghostscript(sheet: Sheet, path: Path) -> None:
    """WeasyPrint's PDF as Ghostscript writes it anew, as "print to PDF" and compressors of the web do."""
    with tempfile.TemporaryDirectory() as folder:
        printed = Path(folder, "printed.pdf")
        weasyprint(sheet, printed)
        command = ["gs", "-q", "-dNOPAUSE", "-dBATCH", "-dSAFER", "-sDEVICE=pdfwrite", f"-sOutputFile={path}"]
        subprocess.run([*command, str(printed)], check=True, capture_output=True, timeout=120)
