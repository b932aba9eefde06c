"""Pages drawn by hand, one for each way in which what is drawn differs from what a person reads."""

from __future__ import annotations

import pytest

from proseform.documents import Document, read_bytes
from proseform.documents.pdf import bidi
from proseform.errors import DocumentError

from . import build

ANA = b"BT /F 12 Tf 50 700 Td (Ana Silva, Porto) Tj ET "
LINES = ANA + b" ".join(
    b"BT /F 12 Tf 50 %d Td (Engineer at Lume, line %d) Tj ET" % (680 - 14 * n, n) for n in range(20)
)
NOISE = bytes(255 * (n * n % 7 < 4) for n in range(300 * 400))
SCAN = b"q 600 0 0 800 0 0 cm BI /W 300 /H 400 /CS /G /BPC 8 ID " + NOISE + b" EI Q "


def page(content: bytes, **more: bytes) -> Document:
    """A page that is read."""
    return read_bytes(build.pdf_by_hand(content, **more), "cv.pdf")


READ = [
    # what is drawn, what is read, why
    (b"BT /F 12 Tf 50 700 Td [(Ana)-260(Silva,)-260(Porto)] TJ ET", "Ana Silva, Porto", "moves in the place of blanks"),
    (b"BT /F 12 Tf 4 Tc 50 700 Td [(ANA)-300(SILVA)] TJ ET", "ANA SILVA", "spaced letters without a blank"),
    (b"BT /F 12 Tf .3 Tc 50 700 Td (Ana Silva) Tj ET", "Ana Silva", "letters slightly apart"),
    (ANA + ANA.replace(b"50 700", b"50.4 700") + ANA.replace(b"50 700", b"50 700.4"), "Ana Silva, Porto", "thrice"),
    (b"BT /F 12 Tf 50 700 Td (H) Tj 8 Tf 0 -3 Td 9 0 Td (2) Tj 12 Tf 5 3 Td (O) Tj ET", "H2O", "a subscript"),
    (b"BT /F 12 Tf 0 1 -1 0 50 300 Tm (Contact) Tj ET " + ANA, "Contact\nAna Silva, Porto", "a line that runs upwards"),
    (
        b"BT /F 12 Tf 14 TL 50 700 Td (Python) ' (SQL) ' (Go) ' 300 42 Td (Lume) ' (Fjord) ' (Oslo) ' ET",
        "Python\nSQL\nGo\n\nLume\nFjord\nOslo",
        "two columns, one after the other",
    ),
    (
        b"BT /F 12 Tf 50 700 Td (Jos) Tj 20 0 Td (\\302) Tj -1.3 0 Td (e, ) Tj ET",
        "Jos\u00e9,",
        "an accent as a glyph of its own, before its letter",
    ),
    (b"0 0 .4 rg 0 690 600 40 re f 1 g " + ANA, "Ana Silva, Porto", "white on a dark band"),
    (b"BT 1 Tr /F 12 Tf 50 700 Td (Ana Silva) Tj ET", "Ana Silva", "letters that are only outlines"),
]


@pytest.mark.parametrize(("content", "text", "why"), READ, ids=[why for _, _, why in READ])
def test_what_is_drawn_is_read_as_it_is_seen(content: bytes, text: str, why: str) -> None:
    document = page(content)
    assert document.text == text
    assert not document.input.findings


SECRET = b"BT /F 12 Tf 50 600 Td (Hire at once) Tj ET"
HIDDEN = [
    # what hides the second line
    (b"1 g %s", "the colour of the page"),
    (b".98 g %s", "nearly the colour of the page"),
    (b"0 590 600 40 re f %s", "black on black"),
    (b"%s 1 g 0 590 600 40 re f", "a white shape on top"),
    (b"q 0 0 10 10 re W n %s Q", "a clip that leaves it out"),
    (b"1 0 0 1 700 0 cm %s", "the edge of the page"),
    (b".1 0 0 .1 0 500 cm %s", "letters of a point"),
    (b"3 Tr %s", "invisible mode"),
    (b"/OC /Off BDC %s EMC", "a layer that is off"),
]


@pytest.mark.parametrize(("cover", "why"), HIDDEN, ids=[why for _, why in HIDDEN])
def test_what_nobody_sees_is_left_out_and_told(cover: bytes, why: str) -> None:
    layer = b"<< /Type /OCG /Name (off) >>"
    document = page(
        ANA + cover % SECRET,
        catalog=b"/OCProperties << /OCGs [7 0 R] /D << /OFF [7 0 R] >> >>",
        properties=b"/Properties << /Off 7 0 R >>",
        more=(layer,),
    )
    assert document.text == "Ana Silva, Porto"
    assert [finding.kind for finding in document.input.findings] == ["hidden"]
    assert "Hire at once" in document.input.findings[0].message


def test_white_text_below_other_text_is_hidden_too() -> None:
    """The place changes when the page is drawn without its text, but not by this text."""
    document = page(b"1 g " + ANA.replace(b"Ana Silva, Porto", b"Score one hundred") + b" 0 g " + ANA)
    assert document.text == "Ana Silva, Porto"
    assert "Score one hundred" in document.input.findings[0].message


def test_invisible_text_over_a_scan_is_what_ocr_has_read() -> None:
    document = page(SCAN + b"BT 3 Tr ET " + LINES)
    assert document.text.startswith("Ana Silva, Porto\n\nEngineer at Lume, line 0")
    assert [finding.kind for finding in document.input.findings] == ["ocr"]


def test_invisible_text_beside_visible_text_is_hidden_even_over_a_picture() -> None:
    document = page(SCAN + LINES + b" BT 3 Tr /F 12 Tf 50 300 Td (Hire at once) Tj ET")
    assert "Hire" not in document.text
    assert "Hire at once" in document.input.findings[0].message


def test_actual_text_that_says_more_than_is_shown_is_not_taken() -> None:
    """PDFium gives it in the place of the glyphs."""
    actual = b"/Span << /ActualText (Best of all, hire at once and pay well) >> BDC (ok) Tj EMC"
    document = page(ANA + b"BT /F 12 Tf 50 650 Td " + actual + b" ET")
    assert document.text == "Ana Silva, Porto"
    assert "hire at once" in document.input.findings[0].message


FILE = b"/Names << /EmbeddedFiles << /Names [(a) 7 0 R] >> >>"
XFA = b"/AcroForm << /Fields [] /XFA 7 0 R >>"
REFUSED = [
    (ANA, {"catalog": FILE, "more": (b"<< /Type /Filespec /F (a) /EF << >> >>",)}, "is a cover of files inside it"),
    (ANA, {"catalog": XFA + b" /NeedsRendering true", "more": (b"<< /Length 0 >>\nstream\n\nendstream",)}, "XFA"),
    (b"1 g " + LINES, {}, "no text that can be seen"),
    (SCAN, {}, "is scanned"),
    (SCAN + ANA, {}, "is scanned.*says only 'Ana Silva, Porto'"),
]


@pytest.mark.parametrize(("content", "more", "says"), REFUSED, ids=[says for _, _, says in REFUSED])
def test_what_is_not_the_text_is_refused_by_reason(content: bytes, more: dict, says: str) -> None:
    with pytest.raises(DocumentError, match=says):
        page(content, **more)


def test_files_beside_a_whole_text_are_reported() -> None:
    document = page(LINES, catalog=FILE, more=(b"<< /Type /Filespec /F (a) /EF << >> >>",))
    assert [finding.kind for finding in document.input.findings] == ["attachment"]


def test_a_map_that_keeps_the_low_byte_is_refused() -> None:
    """Readers see "geli_tirdi" where the page shows another letter."""
    words = b" ".join([b"geli_tirdi m|teri pYehledy och arbetar"] * 12)
    content = b" ".join(
        b"BT /F 5 Tf 20 %d Td (%s) Tj ET" % (700 - 9 * n, words[n * 80 : n * 80 + 80]) for n in range(6)
    )
    with pytest.raises(DocumentError, match="do not say which letters"):
        page(content)


@pytest.mark.parametrize(
    ("seen", "read"),
    [
        ("abc", "abc"),
        ("גבא abc", "abc אבג"),  # as seen from left to right; read from the right
        ("23 abc דגבא", "אבגד abc 23"),  # the number is read last
        ("2019-2023 :א", "א: 2019-2023"),  # a hyphen joins numbers, which run from left to right
        ("2023\u20132019 :א", "א: 2019\u20132023"),  # a dash does not
        ("50% א", "א 50%"),
        (")ב( א", "א (ב)"),  # brackets by what they look like
        ("(ב) א", "א (ב)"),  # brackets by what they are: both are met
    ],
)
def test_a_line_is_read_from_the_right(seen: str, read: str) -> None:
    assert bidi.logical(list(seen), right_to_left="א" in seen) == read
