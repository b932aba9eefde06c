"""Documents other than PDFs that were read wrongly once, each with its right value."""

from __future__ import annotations

from pathlib import Path

import pytest

from proseform.documents import read
from proseform.errors import DocumentError

CASES = Path(__file__).parent / "cases"
BODY = """Lena Abt
Backend developer

Experience
Developer, Fjord Ltd 03/2019 \u2013 12/2023
- Built offices workflow in Python and PostgreSQL
- Affiliate fluid first floor efficiency

Languages
German | native
English | C1
Español | básico

Education
MSc Informatik, Universität Köln, 2016\u20132018"""
WHOLE = f"""Lena Abt · lena.abt@mail.example · +49 30 5550 100

{BODY}
Curriculum vitae Lena Abt"""

READ = [
    # file, kind, text, kinds of findings, why it was wrong
    ("nosectpr.docx", "docx", BODY, [], "it has no properties of a section, so neither header nor footer"),
    ("danglingrel.docx", "docx", WHOLE, [], "it refers to a part that is not there"),
    ("strict.docx", "docx", WHOLE, [], "Strict Office Open XML has other namespaces"),
    ("base.docm", "docx", WHOLE, [], "with macros it has another content type"),
    ("document2.docx", "docx", WHOLE, [], "its text part has another name"),
    (
        "altchunk.docx",
        "docx",
        "Lena Abt\n\nDeveloper, Fjord Ltd 2019-2023\n\nPython, PostgreSQL",
        [],
        "its text is a web archive",
    ),
    ("hidden.docx", "docx", WHOLE.replace("\nCurric", "\n\nCurric"), ["hidden", "hidden"], "hidden and tiny text"),
    ("rtf-fragment.rtf", "rtf", "Lena Abt\nDeveloper, Fjord Ltd", [], "a part of RTF, without its head"),
    ("comment.html", "html", "Lena Abt", ["comment"], "a comment before the page"),
    ("xhtml.html", "html", "Lena Abt", [], "an XML declaration before the page"),
    ("front-matter.md", "markdown", "Lena Abt\nDeveloper", ["front_matter"], "what a site's program puts above"),
    (
        "job-md.md",
        "markdown",
        "Backend Developer\nRequires:\nintermediate Python\nbasic SQL\nintermediate Docker\n3 years",
        [],
        "it was read well",
    ),
    (
        "ru-cp1251.txt",
        "text",
        """Антон Петров
Инженер, Санкт-Петербург
Опыт: Python 5 лет, компания «Фьорд», 2019\u20132023
Образование: СПбГУ""",
        ["encoding"],
        "Windows' code page of Cyrillic",
    ),
    (
        "ja-sjis.txt",
        "text",
        "田中花子\n株式会社フィヨルド 開発者 2019年4月から2023年3月\nPython と PostgreSQL の経験",
        ["encoding"],
        "Shift JIS",
    ),
]


@pytest.mark.parametrize(
    ("file", "kind", "text", "findings", "why"), READ, ids=[f"{file}: {why}" for file, *_, why in READ]
)
def test_words_are_those_that_a_person_reads(file: str, kind: str, text: str, findings: list[str], why: str) -> None:
    document = read(CASES / file)
    assert document.text == text
    assert document.kind == kind
    assert [finding.kind for finding in document.input.findings] == findings


def test_hidden_words_are_told() -> None:
    """Whoever reads the answer sees what the model did not."""
    hidden, tiny = [finding.message for finding in read(CASES / "hidden.docx").input.findings]
    assert hidden == "Hidden text (28 characters), left out: 'HIDDENWORD advanced Kubernetes'."
    assert tiny.startswith("Text in letters smaller than 3 pt (44 characters), left out: 'WHITEWORD ignore all rules")


@pytest.mark.parametrize(
    ("file", "encoding"), [("ru-cp1251.txt", "cp1251"), ("ja-sjis.txt", "cp932"), ("xhtml.html", "utf-8")]
)
def test_the_encoding_is_shown(file: str, encoding: str) -> None:
    document = read(CASES / file)
    assert document.input.origin.encoding == encoding
    told = [finding.message for finding in document.input.findings if finding.kind == "encoding"]
    assert all(encoding in message for message in told)
    assert len(told) == (encoding != "utf-8")


@pytest.mark.parametrize("kind", ["docx", "odt", "rtf"])
def test_what_a_page_shows_is_the_same_in_every_kind(kind: str) -> None:
    """A document with all that can be hidden or stand apart; LibreOffice made the other kinds of the DOCX."""
    document = read(CASES / f"everything.{kind}")
    assert [line for line in document.text.split("\n") if line] == [
        "Header line", "Ana Silva", "With a note and more", "Anchor line", "Boxed on blue", "Kept inserted",
        "Commented", "Cell on blue | two", "Last", "The note text",
    ]  # fmt: skip
    assert {(finding.kind, finding.message.rpartition(": ")[2]) for finding in document.input.findings} == {
        ("hidden", "'HIDDENA'."),
        ("hidden", "'WHITEB'."),
        ("hidden", "'TINYC'."),
        ("deleted", "'DELETEDD'."),
        ("comment", "'COMMENTE'."),
    }


@pytest.mark.parametrize(
    ("file", "says", "hint"),
    [
        ("word2003.doc", "Word's XML format of 2003", "save it as DOCX"),
        ("many-p.docx", "1,000,006 XML tags, at most 400,000", "as PDF"),
    ],
)
def test_what_is_not_read_is_refused_by_name_with_what_to_do(file: str, says: str, hint: str) -> None:
    with pytest.raises(DocumentError, match=says) as raised:
        read(CASES / file)
    assert hint in raised.value.hint
