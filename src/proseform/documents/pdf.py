"""PDF to lines, by pypdf.

pypdf gives the text in the order of the content stream, which in ordinary documents is the reading order, two columns
included. It gives no blank lines: a PDF has none, only distances. A line that is further from the one above than
usual on its page gets a blank line before it.

Knowingly left out: OCR, and joining lines that were wrapped when the PDF was made.
"""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from proseform.documents.extract import Extract, Limits, reason, too_long
from proseform.errors import DocumentError

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

MAX_SECONDS = 20.0
"""Longest time for one document; a page takes about 0.02 s."""
# pypdf's own guards against hostile files, set for documents of text; pictures are never decoded here.
_GUARDS: dict[str, Any] = {
    "zlib_maximum_output_length": 20_000_000,
    "lzw_maximum_output_length": 20_000_000,
    "run_length_maximum_output_length": 20_000_000,
    "array_based_stream_maximum_output_length": 20_000_000,
    "stream_parsing_work_maximum_count": 500_000,
    "page_tree_maximum_entries": 10_000,
}
_SCANNED_CHARS = 25  # letters and digits a page; a scanner's stamp has no more, a page of text has
_GAP = 1.35  # of the page's usual distance: looser than the spread within a block, tighter than a blank line
_LOOSE = 1.8  # letter sizes: where the usual distance is larger than in a loosely set text, it is the blank lines' own

logging.getLogger("pypdf").addHandler(
    logging.NullHandler()
)  # else its warnings reach stderr where nobody has set up logging


@dataclass(slots=True)
class _Lines:
    """Lines of one page, collected by pypdf's visitor.

    Attributes:
        texts: The text of each line.
        places: Its baseline and letter size in points; None where it does not run from left to right.
    """

    texts: list[str] = field(default_factory=lambda: [""])
    places: list[tuple[float, float] | None] = field(default_factory=lambda: [None])

    def add(self, piece: str, cm: list[float], tm: list[float], font: object, size: float) -> None:
        """A piece of text that begins at the origin of tm by cm."""
        del font
        for number, part in enumerate(piece.split("\n")):
            if number:
                self.texts.append("")
                self.places.append(None)
            if part.strip() and self.places[-1] is None:
                self.places[-1] = _place(cm, tm, size)
            self.texts[-1] += part

    def __iter__(self) -> Iterator[str]:
        """The lines, with an empty one where the distance says so."""
        lines = [(text, place) for text, place in zip(self.texts, self.places, strict=True) if text.strip()]
        gaps = [above[1][0] - below[1][0] if above[1] and below[1] else 0.0 for above, below in pairwise(lines)]
        down = sorted(gap for gap in gaps if gap > 1.0)
        usual = down[len(down) // 4] if down else 0.0  # a low quartile: in a short paper blank lines are many
        for number, (text, place) in enumerate(lines):
            if number and place is not None:
                small, large = sorted((place[1], (lines[number - 1][1] or place)[1]))
                if (
                    gaps[number - 1] > _GAP * max(large, min(usual, _LOOSE * small)) or gaps[number - 1] < -2 * large
                ):  # up: the next column
                    yield ""
            yield text


def _place(cm: list[float], tm: list[float], size: float) -> tuple[float, float] | None:
    """Baseline and letter size of a piece on the page, in points; None where it does not run from left to right."""
    right = tm[0] * cm[0] + tm[1] * cm[2], tm[0] * cm[1] + tm[1] * cm[3]
    up = tm[2] * cm[1] + tm[3] * cm[3]
    if abs(right[1]) > 0.01 * abs(right[0]):
        return None
    return tm[4] * cm[1] + tm[5] * cm[3] + cm[5], abs(size * up)


def extract(data: bytes, where: str, limits: Limits) -> Extract:
    """The text of a PDF, one line a line.

    Raises:
        DocumentError: Encrypted, too many pages, too much text, scanned, without text, corrupt, or not read within
            ``MAX_SECONDS``.
    """
    from pypdf import PdfReader, apply_configuration  # see the package's head
    from pypdf.errors import DependencyError, FileNotDecryptedError

    locked = DocumentError(
        f"{where} is encrypted.", hint="Open it with its password, save a copy without one and give that."
    )
    try:
        with apply_configuration(**_GUARDS):
            reader = PdfReader(io.BytesIO(data), strict=False)
            # A PDF that anyone may open, but not edit, opens with the empty password.
            if reader.is_encrypted and not reader.decrypt(""):
                raise locked  # noqa: TRY301 - the one place that knows
            return _extract(reader, where, limits)
    except DocumentError:
        raise
    except (DependencyError, FileNotDecryptedError) as error:
        raise locked from error
    except Exception as error:  # "broken PDF files might cause other Exceptions", says pypdf
        hint = "Open it in a viewer and print it to PDF, or export it again."
        raise DocumentError(f"{where} is a damaged PDF: {reason(error)}.", hint=hint) from error


def _extract(reader: PdfReader, where: str, limits: Limits) -> Extract:
    """As :func:`extract`, from an open reader."""
    count = len(reader.pages)
    if count > limits.pages:
        raise DocumentError(
            f"{where} has {count} pages, at most {limits.pages} are read.", hint="Give the pages that matter."
        )
    if not count:
        raise DocumentError(f"{where} has no pages.", hint="Export it again.")
    deadline = time.monotonic() + MAX_SECONDS
    pages: list[str] = []
    for page in reader.pages:
        pages.append("\n".join(_lines(page, where, deadline)))
        if sum(map(len, pages)) > 4 * limits.chars:  # normalisation only shrinks it, though not by much
            raise too_long(where, limits.chars)
    text = "\n".join(pages)
    words = sum(c.isalnum() for c in text)
    if words < _SCANNED_CHARS * count and any(map(_has_picture, reader.pages)):
        raise DocumentError(
            f"{where} is scanned: its pages are pictures without text.",
            hint="Run OCR first, for example: ocrmypdf in.pdf out.pdf.",
        )
    if not words:
        raise DocumentError(
            f"{where} holds no text: its pages are blank or drawn.",
            hint="Export it again with text, or run OCR (ocrmypdf).",
        )
    if sum(c == "\ufffd" or "\ue000" <= c <= "\uf8ff" for c in text) > words:
        raise DocumentError(
            f"{where} has fonts that do not say which letters they show.",
            hint="Run OCR on it: ocrmypdf --force-ocr in.pdf out.pdf.",
        )
    return Extract(text, pages=count)


def _lines(page: PageObject, where: str, deadline: float) -> _Lines:
    """The lines of one page, or an error when time is up."""

    def watch(operator: Any, operands: Any, cm: Any, tm: Any) -> None:
        del operator, operands, cm, tm
        if time.monotonic() > deadline:  # raised again at the next operator should pypdf catch it within a form
            raise DocumentError(
                f"{where} takes too long to read (over {MAX_SECONDS:.0f} s).",
                hint="Print it to PDF again, without drawings.",
            )

    lines = _Lines()
    page.extract_text(visitor_operand_before=watch, visitor_text=lines.add)
    return lines


def _has_picture(page: PageObject) -> bool:
    """Whether a page shows a picture, directly or within one form; it is not decoded."""
    direct = _objects(page)
    if any(
        item.get("/Subtype") == "/Image" for item in [*direct, *(deep for form in direct for deep in _objects(form))]
    ):
        return True
    contents = page.get_contents()  # small pictures stand in the stream itself: BI … ID … EI
    return contents is not None and re.search(rb"\sID\s", contents.get_data()) is not None


def _objects(owner: Any) -> list[Any]:
    """The external objects that a page or form names: pictures and forms."""
    resources = owner.get("/Resources")
    named = resources.get_object().get("/XObject") if resources is not None else None
    return [item.get_object() for item in named.get_object().values()] if named is not None else []
