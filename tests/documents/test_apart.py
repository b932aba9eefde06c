"""Documents that take too much, or end the process that reads them, cost their caller an error and nobody else more."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator

import pytest

from proseform.confined import Confined
from proseform.documents import apart, read_bytes
from proseform.errors import DocumentError, Refusal

from . import build

PDF = build.pdf("Ana Silva")


def strokes() -> bytes:
    """A page of 600 KB whose lines need gigabytes."""
    packer = zlib.compressobj(9)
    part = b"0 0 m 1 1 l S " * 75_000
    packed = b"".join(packer.compress(part) for _ in range(300)) + packer.flush()
    return build.pdf_by_hand(packed, extra=b"/Filter /FlateDecode")


def weave() -> bytes:
    """A page filled with a pattern of tiles too small to be seen, and too many to be drawn."""
    tile = b"<< /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep 0.01 /YStep 0.01 /Length 20 >>"
    page = b"/Pattern cs /P scn 0 0 600 800 re f BT /F 10 Tf 50 700 Td (Ana) Tj ET"
    return build.pdf_by_hand(page, pattern=tile + b"\nstream\n0 0 0.001 0.001 re f\nendstream")


@pytest.fixture(scope="module", autouse=True)
def confined() -> Iterator[None]:
    """Processes with a second for a document."""
    running = Confined("proseform.documents.inside:answer", memory=apart.MEMORY, seconds=1.0, processes=2, idle=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apart, "_CONFINED", running)
        yield
    running.close()


@pytest.mark.parametrize(("data", "says"), [(strokes(), "too large"), (weave(), "takes too long")])
def test_a_document_that_takes_too_much_is_refused_and_the_next_is_read(data: bytes, says: str) -> None:
    with pytest.raises(DocumentError, match=says) as raised:
        read_bytes(data, "cv.pdf")
    assert raised.value.hint
    assert read_bytes(PDF, "cv.pdf").text == "Ana Silva"


def test_time_that_is_up_is_a_refusal() -> None:
    """Not an error of the document."""
    with pytest.raises(Refusal, match="Time was up") as raised:
        read_bytes(PDF, "cv.pdf", deadline=time.monotonic())
    assert raised.value.reason == "deadline"


@pytest.mark.parametrize(
    ("data", "suffix", "plain"),
    [
        (b"Ana Silva", ".txt", True),
        ("Ana Silva, Køge".encode(), ".txt", True),
        ("Ana Silva, Køge".encode("latin-1"), ".txt", False),  # which encoding, a library guesses
        (b"Ana Silva", ".md", False),
        (b"<b>Ana</b>", ".txt", False),
        (b"{\\rtf1 Ana}", ".txt", False),
        (PDF, ".txt", False),
        (build.docx(), ".txt", False),
        (b"Ana\0", ".txt", False),
        (b"a" * 2_000_000, ".txt", False),
        (b" " * 1100 + b"<html><p>Ana</p>", ".txt", False),  # markup behind what the beginning shows
        (b"\xef\xbb\xbf" + b"\n" * 1100 + b"<html><p>Ana</p>", ".txt", False),
        (b"\n" * 1100 + b"{\\rtf1 Ana}", ".txt", False),
        (b"MIME-Version: 1.0\nContent-Type: text/html\nX: " + b"a" * 1100 + b"\n\n<p>Ana", ".txt", False),
        (b"\n" * 1100 + b"a < b", ".txt", True),
    ],
)
def test_only_plain_text_is_read_in_the_callers_process(data: bytes, suffix: str, plain: bool) -> None:
    assert apart.is_plain(data, suffix) is plain
