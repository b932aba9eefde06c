"""Sheets by LaTeX: XeTeX with the system's fonts, and pdfTeX with its own."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from benchmarks.documents.sheets import Dated, Heading, Item, Part, Row, Sheet

_FONTS = {
    "chinese": "Noto Sans CJK SC", "japanese": "Noto Sans CJK JP", "hangul": "Noto Sans CJK KR",
    "devanagari": "Noto Sans Devanagari", "thai": "Noto Sans Thai",
}  # fmt: skip
_LATIN_TOO = {"devanagari", "thai"}
"""Scripts whose fonts have no Latin letters."""
_ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "$": r"\$",
    "^": r"\^{}", "~": r"\~{}", "'": r"\textquotesingle{}",
}  # fmt: skip
_SYMBOLS = {
    "•": r"$\bullet$", "◦": r"$\circ$", "▪": r"$\cdot$", "►": r"$\triangleright$", "✓": r"$\surd$", "→": r"$\to$",
}  # fmt: skip


def xelatex(sheet: Sheet, path: Path) -> None:
    """Write one PDF by XeTeX."""
    font = _FONTS.get(sheet.script, "Noto Sans")
    spacing = "[LetterSpace=35]" if sheet.layout == "letter-spaced" else ""
    setup = [rf"\usepackage{{fontspec}}\setmainfont{{{font}}}\newfontfamily\headfont{{{font}}}{spacing}"]
    if sheet.script in {"chinese", "japanese", "thai"}:
        setup.append(rf'\XeTeXlinebreaklocale "{sheet.language}"\XeTeXlinebreakskip=0pt plus 1pt')
    if sheet.script in _LATIN_TOO:  # every run of other letters in its own font
        setup.append(
            r"\newfontfamily\latinfont{Noto Sans}\XeTeXinterchartokenstate=1\newXeTeXintercharclass\Latin"
            r"\count255=33 \loop\XeTeXcharclass\count255=\Latin\ifnum\count255<126 \advance\count255 by 1 \repeat"
            "\\XeTeXcharclass`\u2013=\\Latin"
            r"\XeTeXcharclass`→=\Latin\XeTeXcharclass`•=\Latin"
            r"\XeTeXinterchartoks 0 \Latin={\begingroup\latinfont}"
            r"\XeTeXinterchartoks 4095 \Latin={\begingroup\latinfont}"
            r"\XeTeXinterchartoks \Latin 0={\endgroup}\XeTeXinterchartoks \Latin 4095={\endgroup}"
        )
    _run("xelatex", sheet, setup, path)


def latin_modern(sheet: Sheet, path: Path) -> None:
    """Write one PDF by pdfTeX in Latin Modern, whose fonts have letters with accents."""
    _pdflatex(sheet, path, r"\usepackage[T1]{fontenc}\usepackage{lmodern}")


def computer_modern(sheet: Sheet, path: Path) -> None:
    """Write one PDF by pdfTeX in Computer Modern, where an accent is a glyph of its own above the letter."""
    _pdflatex(sheet, path, "")


def _pdflatex(sheet: Sheet, path: Path, fonts: str) -> None:
    """Write one PDF by pdfTeX."""
    setup = [fonts + r"\newcommand\headfont{}"]
    if sheet.layout == "letter-spaced":
        setup.append(r"\usepackage[letterspace=300,expansion=false]{microtype}\renewcommand\headfont{\lsstyle}")
    _run("pdflatex", sheet, setup, path)


def _run(program: str, sheet: Sheet, setup: list[str], path: Path) -> None:
    """Typeset twice, for the number of pages."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "sheet.tex").write_text(_source(sheet, setup), encoding="utf-8")
        for _ in range(2 if sheet.running else 1):
            done = subprocess.run(
                [program, "-interaction=nonstopmode", "-halt-on-error", "sheet.tex"],
                cwd=folder, capture_output=True, timeout=180, check=False,
            )  # fmt: skip
            if done.returncode:
                raise RuntimeError(done.stdout.decode(errors="replace")[-800:])
        path.write_bytes(Path(folder, "sheet.pdf").read_bytes())


def _source(sheet: Sheet, setup: list[str]) -> str:
    """A sheet in LaTeX."""
    size = r"\fontsize{7.5}{8}\selectfont" if sheet.layout == "tight" else ""
    head = [
        r"\documentclass[10pt,a4paper]{article}", r"\usepackage[margin=18mm]{geometry}\usepackage{xcolor,graphicx}",
        *setup, r"\setlength\parindent{0pt}\setlength\parskip{2pt}\pagestyle{empty}",
    ]  # fmt: skip
    if sheet.running:
        head.append(
            r"\usepackage{fancyhdr,lastpage}\pagestyle{fancy}\fancyhf{}"
            rf"\lhead{{{_text(sheet.running)}}}\cfoot{{\thepage{{}} / \pageref{{LastPage}}}}"
        )
    body = [size, _parts(sheet, sheet.top)]
    if len(sheet.columns) > 1:
        widths = (0.28, 0.66) if sheet.layout == "sidebar" else (0.47, 0.47)
        body.append(
            r"\hfill ".join(
                rf"\begin{{minipage}}[t]{{{width}\textwidth}}\raggedright {_parts(sheet, column)}\end{{minipage}}"
                for width, column in zip(widths, sheet.columns, strict=True)
            )
        )
    else:
        body.append(_parts(sheet, sheet.columns[0]))
    ways = (r"{{\color{{white}}{}}}", r"\scalebox{{0.1}}{{{}}}", r"\hbox to 0pt{{\hskip-2000pt {}\hss}}")
    body += [way.format(text) + r"\par" for way, text in zip(ways, sheet.hidden, strict=False)]
    return "\n".join([*head, r"\begin{document}", *body, r"\end{document}"])


def _parts(sheet: Sheet, parts: Iterable[Part]) -> str:
    """Parts as LaTeX, runs of list entries and rows as one list or table."""
    pieces = []
    for kind, run in groupby(parts, type):
        inside = "\n".join(_part(sheet, part) for part in run)
        if kind is Item:
            inside = rf"\begin{{itemize}}\itemsep0pt\parskip0pt {inside}\end{{itemize}}"
        elif kind is Row:
            inside = rf"\begin{{tabular}}{{p{{32mm}}p{{115mm}}}}{inside}\end{{tabular}}\par"
        pieces.append(inside)
    return "\n".join(pieces)


def _part(sheet: Sheet, part: Part) -> str:
    """One part as LaTeX."""
    match part:
        case Heading(text, level):
            shape = rf"\textsc{{{_text(text)}}}" if sheet.layout == "small-caps" else _text(text)
            place = r"\centering" if sheet.layout == "centred" else ""
            size = r"\large" if level else r"\Large"
            return rf"{{{place}\headfont{size} {shape}\par}}\medskip"
        case Item(text, mark):
            return rf"\item[{_SYMBOLS.get(mark) or _text(mark)}] {_text(text)}"
        case Dated(text, date):
            return rf"{_text(text)} \hfill {_text(date)}\par"
        case Row(label, text):
            return rf"\raggedright {_text(label)} & {_text(text)}\\"
        case _:
            return rf"{_text(part.text)}\par"


def _text(text: str) -> str:
    """Text with what LaTeX reads as commands escaped."""
    return "".join(_ESCAPES.get(character) or (_SYMBOLS["→"] if character == "→" else character) for character in text)
