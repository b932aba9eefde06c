"""PDFs that were read wrongly once, each with its right value."""

from __future__ import annotations

from pathlib import Path

import pytest

from proseform.documents import Document, read
from proseform.errors import DocumentError

CASES = Path(__file__).parent / "cases"
PERSON = """Lena Abt
Developer, Fjord Ltd, 03/2019 - 12/2023
Python and PostgreSQL services for forty offices
Tester, Bergen AG, 01/2016 - 02/2019
lena.abt@mail.example"""

READ = [
    # file, text, why it was wrong
    ("gap-200", "Lena Abt\nDeveloper at Fjord Ltd since 2019", "TeX moves on instead of drawing a blank"),
    ("chr-smallcaps", "Lena Abt, Developer 2019", "small capitals: two sizes, glyphs of Type 3"),
    ("same-baseline-left", "Skills Developer, Fjord Ltd\nLena Abt", "drawn right before left, and once more as bold"),
    (
        "gdocs-words",
        "Lena Abt\nDeveloper, Fjord Ltd 2019 - 2023\nPython and PostgreSQL",
        "each word apart, upside down",
    ),
    ("glyph-names", "2010\nLENA\noffice, fluid", "characters that only the names of glyphs tell"),
    ("actualtext-ff", "Most effective staff lead", "characters that only ActualText tells"),
    ("soft-hyphen", "Sep. 2019 - Mar. 2023\nT-SQL, open-source, phone 555-0100", "hyphens mapped to soft ones"),
    ("p-fakebold", PERSON, "bold by drawing twice"),
    ("chr-letterspacing", "LENA ABT\n\nEXPERIENCE\nDeveloper, Fjord Ltd, lena.abt@mail.example", "spaced letters"),
    (
        "chr-hebrew",
        "דנה לוי\n\nמפתחת תוכנה בחברת אורן, 2019\u20132023, ניסיון ב-Python וב-PostgreSQL.",
        "from right to left, with numbers and Latin words",
    ),
    ("draw2m", "Lena Abt, Python developer since 2019 at Fjord Ltd", "150,000 strokes of no meaning"),
]


@pytest.mark.parametrize(("name", "text", "why"), READ, ids=[f"{name}: {why}" for name, _, why in READ])
def test_words_are_those_that_a_person_reads(name: str, text: str, why: str) -> None:
    document = read(CASES / f"{name}.pdf")
    assert document.text == text
    assert not document.input.findings


REFUSED = [
    ("p-notounicode", "no readable text.*do not say which letters"),
    ("adobe-japan1-no-tounicode", "no readable text.*do not say which letters"),
    ("p-scan-footer", "scanned.*says only 'Scanned with CamScanner"),
    ("p-portfolio", "portfolio.*files inside"),
]


@pytest.mark.parametrize(("name", "says"), REFUSED)
def test_what_is_not_the_text_is_refused(name: str, says: str) -> None:
    with pytest.raises(DocumentError, match=says) as raised:
        read(CASES / f"{name}.pdf")
    assert raised.value.hint


@pytest.mark.parametrize("name", ["p-invisible", "chr-hidden"])
def test_hidden_text_is_left_out_and_reported(name: str) -> None:
    """In invisible mode, white, transparent, tiny, or outside of the page."""
    document = read(CASES / f"{name}.pdf")
    assert document.text == "Lena Abt, Python"
    assert [finding.kind for finding in document.input.findings] == ["hidden"]
    assert "WHITEWORD" in document.input.findings[0].message


def test_a_page_that_is_a_picture_is_reported() -> None:
    document = read(CASES / "p-page1scan.pdf")
    assert document.text.startswith("Certificates and references follow")
    assert findings(document) == {"picture": "Page 1 is a picture; what it shows was not read."}


def test_form_fields_stand_beside_their_labels() -> None:
    document = read(CASES / "p-form.pdf")
    lines = [line for line in document.text.split("\n") if line]
    assert lines == [
        "Name Lena Abt",
        "Occupation Backend developer",
        "Skills Python PostgreSQL Docker",
        "Driving licence [x]",
    ]
    assert "4" in findings(document)["form_field"]


def test_notes_on_a_page_are_read() -> None:
    document = read(CASES / "p-freetext.pdf")
    assert document.text == f"{PERSON}\n\nADDED LATER: Docker, Kubernetes"
    assert "ADDED LATER" in findings(document)["note"]


def findings(document: Document) -> dict[str, str]:
    """Messages of a document's findings by kind, one of each."""
    assert len({finding.kind for finding in document.input.findings}) == len(document.input.findings)
    return {finding.kind: finding.message for finding in document.input.findings}
