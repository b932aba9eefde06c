"""Write this folder's example: one held-out case as people would have it.

    python examples/cv/make.py [FOLDER]

writes ``<first>-<last>.pdf`` and ``.docx`` (the same CV twice) and ``job.md``, into this folder unless another is
named. The case comes from the cv task's generator: level ``starter``, split ``test``, so that no training has seen
the person or the job, and a seed that no report uses. It is the first case with one skill met, one shown in part and
one missing, enough years, and an answer that is neither a clear yes nor a clear no.

Every file is read back with :mod:`proseform.documents` and compared with the case's input, to the character; where they
differ nothing is written. The same versions of fpdf2 and python-docx give the same bytes. Run it again whenever the
generator's wording changes.

Left out: JSON Resume. The task writes it in the dated form of its higher levels, which a starter model has not learned.
"""

from __future__ import annotations

import datetime as dt
import io
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import docx as python_docx
from docx.shared import Pt, RGBColor
from fpdf import FPDF

from proseform.documents import read_bytes
from proseform.tasks.cv import source

if TYPE_CHECKING:
    from proseform.case import Case

SEED = 2026
CREATED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LEVELS = ("basic", "intermediate", "advanced")
INK, ACCENT, GREY = (33, 37, 41), (28, 78, 122), (206, 214, 222)


def choose() -> Case:
    """The case; the same at every call."""
    for case in source.generate("starter", "test", SEED, 1000):
        verdicts = {item["verdict"] for item in case.answer["requirements"]}
        *_, experience = case.answer["requirements"]
        balanced = case.answer["recommendation"] == "consider" and experience["verdict"] == "met"
        if balanced and verdicts == {"met", "partly", "missing"}:
            return case
    raise SystemExit("No case of the starter level has one skill met, one shown in part and one missing.")


def pdf(text: str) -> bytes:
    """The CV on one A5 page: its name in a band, then its lines; a dot for each step of a skill's level.

    Distances between lines stay below what :mod:`proseform.documents.pdf` reads as a blank line, except where the
    text has one.
    """
    name, title, *lines = text.split("\n")
    page = FPDF(format=(148, 210))
    page.set_creation_date(CREATED)
    page.set_title(f"CV of {name}")
    page.set_margin(18)
    page.add_page()
    page.set_fill_color(*ACCENT)
    page.rect(0, 0, page.w, 36, style="F")
    page.set_y(22)
    _line(page, name, 28, "B", (255, 255, 255), 12)
    page.set_y(37)
    _line(page, title, 15, "", ACCENT, 10)
    for line in lines:
        if not line:
            page.ln(9)
        elif line.endswith(":"):
            _line(page, line, 13, "B", ACCENT, 10)
            page.set_draw_color(*GREY)
            page.line(18, page.get_y() - 1, page.w - 18, page.get_y() - 1)
        else:
            top = page.get_y()
            _line(page, line, 13, "", INK, 10)
            _dots(page, line, top + 5)
    return bytes(page.output())


def _line(page: FPDF, text: str, size: int, style: str, colour: tuple[int, int, int], height: float) -> None:
    """One line of text; the size in points, the height in mm."""
    page.set_font("helvetica", style, size)
    page.set_text_color(*colour)
    page.cell(0, height, text, new_x="LMARGIN", new_y="NEXT")


def _dots(page: FPDF, line: str, middle: float) -> None:
    """Three dots at the right, as many filled as the level has steps; none where the line states no level."""
    level = line.split(" ", maxsplit=1)[0]
    for step in range(len(LEVELS) if level in LEVELS else 0):
        page.set_fill_color(*(ACCENT if step <= LEVELS.index(level) else GREY))
        page.circle(page.w - 30 + 5 * step, middle, 1.6, style="F")


def docx(text: str) -> bytes:
    """The CV as a Word document."""
    document = python_docx.Document()
    document.core_properties.author = text.partition("\n")[0]
    for number, line in enumerate(text.split("\n")):
        paragraph = document.add_paragraph(style={0: "Title", 1: "Subtitle"}.get(number))
        paragraph.paragraph_format.space_after = Pt(4)
        run = paragraph.add_run(line)
        if line.endswith(":"):  # not a heading: a heading would set itself off with a blank line
            run.bold, run.font.color.rgb = True, RGBColor(*ACCENT)
    saved, fixed = io.BytesIO(), io.BytesIO()
    document.save(saved)
    with zipfile.ZipFile(saved) as parts, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as out:
        for name in sorted(parts.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            out.writestr(
                zipfile.ZipInfo(name, CREATED.timetuple()[:6]), parts.read(name), zipfile.ZIP_DEFLATED
            )  # else the clock is in it
    return fixed.getvalue()


def job(text: str) -> bytes:
    """The job as Markdown: its first line the title, its headings bold, its lines kept by hard breaks."""
    role, *lines = text.split("\n")
    shown = [f"**{line}**" if line.endswith(":") else line for line in lines]
    broken = [
        f"{line}\\" if line and after and not after.startswith("- ") else line
        for line, after in zip(shown, [*shown[1:], ""], strict=True)
    ]
    return "\n".join([f"# {role}", *broken, ""]).encode()


def files(case: Case) -> dict[str, bytes]:
    """The example's files by name, each verified to read as the case's input."""
    stem = case.inputs["cv"].partition("\n")[0].lower().replace(" ", "-")
    contents = {
        f"{stem}.pdf": pdf(case.inputs["cv"]),
        f"{stem}.docx": docx(case.inputs["cv"]),
        "job.md": job(case.inputs["job"]),
    }
    for name, data in contents.items():
        expected, text = case.inputs["job" if name == "job.md" else "cv"], read_bytes(data, name).text
        if text != expected:
            raise SystemExit(f"{name} does not read as the case's input:\n{text!r}\n{expected!r}")
    return contents


def main(folder: Path) -> None:
    """Write the files; those of an earlier case go."""
    contents = files(choose())
    for old in (*folder.glob("*.pdf"), *folder.glob("*.docx")):
        old.unlink()
    for name, data in contents.items():
        (folder / name).write_bytes(data)
        print(f"{name}: {len(data)} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
