"""Who writes documents here, what of, and what each needs to be installed.

A writer takes layouts and scripts in turn, so that every layout meets every script at some writer without the product
of all three.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.documents.people import scripts, sheet
from benchmarks.documents.sheets import LAYOUTS, Sheet
from benchmarks.documents.writers import drawn, marked, office, tex, typeset, web, word

Jobs = Sequence[tuple[Sheet, Path]]

_SIMPLE = ("one-column", "centred", "bullets", "form", "table")
_TYPED = ("one-column", "bullets", "form", "table", "pages")
_LEFT_TO_RIGHT = tuple(script for script in scripts() if script not in {"hebrew", "arabic"})
_UNSHAPED = ("latin", "cyrillic", "greek", "chinese", "japanese", "hangul")


@dataclass(frozen=True, slots=True)
class Writer:
    """One program or library that writes documents.

    Attributes:
        name: Its name in the tables.
        suffix: Of its files.
        write: Writes many documents at once.
        programs: What it needs on the path.
        packages: What Python has to import for it.
        install: How to get what it needs.
        layouts: What it can lay out.
        scripts: What it can write.
        each: Scripts that every layout is written in.
        codec: Only words that this encoding has.
    """

    name: str
    suffix: str
    write: Callable[[Jobs], None]
    programs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    install: str = ""
    layouts: tuple[str, ...] = LAYOUTS
    scripts: tuple[str, ...] = scripts()
    each: int = 1
    codec: str = "utf-8"

    @property
    def stem(self) -> str:
        """What its files begin with."""
        return f"{self.name}-{self.codec}" if self.name == "text" else self.name

    def missing(self) -> list[str]:
        """Programs and packages that are not installed."""
        return [
            *(program for program in self.programs if shutil.which(program) is None),
            *(package for package in self.packages if importlib.util.find_spec(package) is None),
        ]

    def sheets(self) -> Iterable[tuple[str, Sheet]]:
        """What it writes, and under which stem; which scripts a layout gets depends on the writer's name."""
        number = sum(self.name.encode())
        for place, layout in enumerate(self.layouts):
            for turn in range(self.each):
                script = self.scripts[(number + place + turn * 3) % len(self.scripts)]
                yield f"{self.stem}-{layout}-{script}", sheet(layout, script, number, codec=self.codec)


def _one_by_one(write: Callable[[Sheet, Path], None]) -> Callable[[Jobs], None]:
    """A writer of one document, for many."""

    def many(jobs: Jobs) -> None:
        for one, path in jobs:
            write(one, path)

    return many


def _codecs() -> Iterable[Writer]:
    """A writer for each encoding of plain text."""
    for script, codecs in marked.CODECS.items():
        for codec in codecs:
            write = _one_by_one(marked.encoded(codec))
            yield Writer("text", "txt", write, layouts=("one-column",), scripts=(script,), codec=codec)


_TEX = "apt-get install --no-install-recommends texlive-xetex texlive-latex-recommended lmodern"
_LIBREOFFICE = "apt-get install libreoffice-writer-nogui"
_NEW_PAGES = tuple(layout for layout in LAYOUTS if layout not in {"pages", "hidden"})

WRITERS: tuple[Writer, ...] = (
    Writer("chromium", "pdf", _one_by_one(web.chromium), ("chromium",), (), "apt-get install chromium", each=3),
    Writer("weasyprint", "pdf", _one_by_one(web.weasyprint), (), ("weasyprint",), "uv pip install weasyprint", each=2),
    Writer(
        "libreoffice-pdf", "pdf", office.libreoffice("pdf"), ("soffice",), ("docx",), _LIBREOFFICE, each=3
    ),
    Writer("typst", "pdf", _one_by_one(typeset.typst), (), ("typst",), "uv pip install typst", each=2),
    Writer(
        "xelatex", "pdf", _one_by_one(tex.xelatex), ("xelatex",), (), _TEX, scripts=_LEFT_TO_RIGHT, each=2,
    ),
    Writer(
        "pdflatex-lmodern", "pdf", _one_by_one(tex.latin_modern), ("pdflatex",), (), _TEX, scripts=("latin",),
        codec="cp1250",
    ),
    Writer(
        "pdflatex-cm", "pdf", _one_by_one(tex.computer_modern), ("pdflatex",), (), _TEX, scripts=("latin",),
        codec="mac_roman",
    ),
    Writer(
        "reportlab", "pdf", _one_by_one(drawn.reportlab), (), ("reportlab",), "uv pip install reportlab",
        tuple(layout for layout in LAYOUTS if layout != "small-caps"), _UNSHAPED, each=2,
    ),
    Writer(
        "fpdf2", "pdf", _one_by_one(drawn.fpdf2), (), ("fpdf", "uharfbuzz"), "uv pip install fpdf2 uharfbuzz",
        (*_SIMPLE, "pages"), tuple(s for s in scripts() if s not in {"chinese", "japanese", "hangul"}),
    ),
    Writer(
        "wkhtmltopdf", "pdf", _one_by_one(web.wkhtmltopdf), ("wkhtmltopdf",), (), "apt-get install wkhtmltopdf",
        _NEW_PAGES, _LEFT_TO_RIGHT,
    ),
    Writer(
        "ghostscript", "pdf", _one_by_one(web.ghostscript), ("gs",), ("weasyprint",), "apt-get install ghostscript",
    ),
    Writer("python-docx", "docx", _one_by_one(word.docx), (), ("docx",), each=2),
    Writer("libreoffice-docx", "docx", office.libreoffice("docx"), ("soffice",), ("docx",), _LIBREOFFICE),
    Writer("libreoffice-odt", "odt", office.libreoffice("odt"), ("soffice",), ("docx",), _LIBREOFFICE),
    Writer("libreoffice-rtf", "rtf", office.libreoffice("rtf"), ("soffice",), ("docx",), _LIBREOFFICE),
    Writer("libreoffice-html", "html", office.libreoffice("html"), ("soffice",), ("docx",), _LIBREOFFICE, _NEW_PAGES),
    *(
        Writer(
            f"pandoc-{suffix}", suffix, _one_by_one(marked.pandoc), ("pandoc",), (), "apt-get install pandoc", _TYPED,
        )
        for suffix in ("docx", "odt", "rtf", "html")
    ),
    Writer("odfpy", "odt", _one_by_one(marked.odf), (), ("odf",), "uv pip install odfpy", _TYPED),
    Writer("rtf-by-hand", "rtf", _one_by_one(marked.rtf), layouts=(*_TYPED, "hidden")),
    Writer("html-by-hand", "html", _one_by_one(web.file)),
    Writer("markdown", "md", _one_by_one(marked.markdown_file), layouts=_TYPED),
    *_codecs(),
)  # fmt: skip
