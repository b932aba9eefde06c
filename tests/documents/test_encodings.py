"""The encoding of a text: by its mark, as it declares, or as its letters tell; refused where they do not tell."""

from __future__ import annotations

import encodings
import pkgutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.documents import read_bytes
from proseform.documents.encodings import declared, decode, known
from proseform.errors import DocumentError

GERMAN = "Jörg Größl\nIngenieur für Maschinenbau, Düsseldorf\nErfahrung: Prüfstände, Qualität, Führung von fünf\n"
FRENCH = "Hélène Géraud\nIngénieure à Besançon\nExpérience : développement, sécurité, réseaux à l\u2019échelle\n"
POLISH = "Zbigniew Gąsior\nInżynier, Łódź\nDoświadczenie: pięć lat, usługi, zarządzanie, księgowość, sieć łączności\n"
CZECH = "Květa Růžičková\nVývojářka, Plzeň\nZkušenosti: čtyři roky, účetnictví, řízení, překlady, údržba sítě\n"
TURKISH = "Gülşen Çağlar\nMühendis, Eskişehir\nDeneyim: beş yıl, müşteri ilişkileri, yazılım geliştirme, bütçe\n"
RUSSIAN = "Вера Зимина\nИнженер-строитель, Пермь\nОпыт: шесть лет, сметы, чертежи, надзор\n"
UKRAINIAN = "Оксана Гай\nІнженерка, Львів\nДосвід: шість років, кошториси, креслення, нагляд\n"
GREEK = "Θάλεια Ρήγα\nΜηχανικός, Βόλος\nΕμπειρία: έξι χρόνια, σχέδια, επίβλεψη έργων\n"
HEBREW = "יעל ברק\nמהנדסת, חיפה\nניסיון: שש שנים, תכנון ופיקוח\n"
ARABIC = "سلمى نجار\nمهندسة، صيدا\nالخبرة: ست سنوات في التصميم والإشراف\n"
THAI = "มาลี สุขใจ\nวิศวกร เชียงใหม่\nประสบการณ์ หกปี งานออกแบบและควบคุม\n"
JAPANESE = "鈴木陽子\nシステム開発の仕事を五年、名古屋で担当しました\n"
CHINESE = "李明华\n软件工程师，五年经验，负责数据库和网络服务\n"
TAIWANESE = "陳美惠\n軟體工程師，五年經驗，負責資料庫與網路服務\n"
KOREAN = "박지우\n소프트웨어 개발자, 다섯 해 동안 서비스를 만들었습니다\n"
ENGLISH = "Built data pipelines for a bank; led a team of four people. Wrote tests and documents. " * 6

GUESSED = [
    (GERMAN, "cp1252"), (FRENCH, "cp1252"), (POLISH, "cp1250"), (POLISH, "iso8859-2"), (CZECH, "cp1250"),
    (TURKISH, "cp1254"), (RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r"), (RUSSIAN, "cp866"), (RUSSIAN, "iso8859-5"),
    (UKRAINIAN, "cp1251"), (UKRAINIAN, "koi8-u"), (GREEK, "cp1253"), (HEBREW, "cp1255"), (ARABIC, "cp1256"),
    (THAI, "cp874"), (JAPANESE, "cp932"), (JAPANESE, "euc-jp"), (JAPANESE, "iso2022_jp"), (CHINESE, "gb18030"),
    (TAIWANESE, "big5"), (KOREAN, "cp949"), (ENGLISH + RUSSIAN, "cp1251"),
    (ENGLISH + "\u201cbest\u201d \u2013 5", "cp1252"),
    (ENGLISH + FRENCH, "cp1252"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "encoding"), GUESSED, ids=[f"{text[-200:][:20]!r} {name}" for text, name in GUESSED])
def test_an_encoding_is_told_by_the_letters_and_shown(text: str, encoding: str) -> None:
    """Also where an English text stands around a few words in another script."""
    read, used, findings = decode(text.encode(encoding), "cv.txt")
    assert read == text
    assert [finding.kind for finding in findings] == ["encoding"]
    assert used in findings[0].message


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("text", [ENGLISH, RUSSIAN, JAPANESE], ids=["English", "Russian", "Japanese"])
def test_unicode_is_read_with_its_mark_and_without(text: str, encoding: str) -> None:
    read, used, findings = decode(text.encode(encoding), "cv.txt")
    assert read == text
    assert used.startswith(encoding.partition("-sig")[0][:6])
    assert not findings


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("Zoë".encode("cp1252"), "one letter"),
        ("Jiří Dvořák".encode("cp1250"), "a name that many encodings read as some name"),
        ((ENGLISH + "Łódź").encode("cp1250"), "one word in a long text"),
        ("佐藤花子".encode("euc-jp"), "four letters, which are others in China"),
        ("Müller, Köln".encode()[:-1] + b"\xff", "UTF-8 with a broken letter"),
    ],
)
def test_where_the_letters_do_not_tell_the_encoding_is_asked_for(data: bytes, why: str) -> None:
    with pytest.raises(DocumentError, match="its encoding cannot be told") as raised:
        decode(data, "cv.txt")
    assert raised.value.hint == "Save it as UTF-8 text."


@given(st.binary(max_size=300))
def test_any_bytes_give_a_text_that_encodes_to_them_or_a_refusal(data: bytes) -> None:
    """A text without a mark is never another one than the bytes hold in the encoding that is shown."""
    try:
        text, encoding, findings = decode(data, "cv.txt")
    except DocumentError:
        return
    assert len(findings) == (not encoding.startswith("utf"))
    if encoding == "utf-8":
        assert text == data.decode("utf-8-sig")


NOT_HONOURED = [
    ("utf-16", "ASCII bytes are not in UTF-16; browsers read it as UTF-8"),
    ("UTF-16LE", "likewise"),
    ("utf_16_be", "likewise, in Python's words"),
    ("utf-32", "likewise"),
    ("utf-7", "hides markup in ASCII"),
    ("unicode-escape", "Python's, for its own source"),
    ("raw_unicode_escape", "likewise"),
    ("idna", "of host names"),
    ("punycode", "likewise"),
    ("rot13", "text to text"),
    ("hex", "bytes to bytes"),
    ("undefined", "raises, whatever it is given"),
    ("cp037", "EBCDIC"),
    ("ibm1140", "likewise"),
    ("hz", "escapes in ASCII; browsers refuse it"),
    ("no-such", "no encoding"),
]


@pytest.mark.parametrize(("label", "why"), NOT_HONOURED, ids=[label for label, _ in NOT_HONOURED])
@pytest.mark.parametrize("head", ['<meta charset="{}">', '<?xml version="1.0" encoding="{}"?>'], ids=["HTML", "XML"])
@pytest.mark.parametrize("odd", ["", " "], ids=["even", "odd"])
def test_a_declaration_that_cannot_be_true_is_none(label: str, head: str, odd: str, why: str) -> None:
    """Of even length too, where any bytes are UTF-16."""
    page = f"{head.format(label)}<p>{GERMAN}</p>"
    page += " " * (len(page) % 2) + odd
    for encoding in ("cp1252", "utf-8"):
        data = page.encode(encoding)
        read, used, findings = decode(data, "cv.html", declared(data))
        assert (read, used) == (page, encoding)
        assert len(findings) == (encoding == "cp1252")


def test_a_label_that_is_no_text_is_none() -> None:
    """Web archives state what they like."""
    assert [known(label) for label in ("", "a\0b", "\udc80", "é")] == ["", "", "", ""]


CODECS = sorted(module.name for module in pkgutil.iter_modules(encodings.__path__))


@given(st.sampled_from(CODECS), st.text(st.characters(codec="cp1252", exclude_categories=["Cc"]), max_size=40))
def test_no_declaration_changes_the_markup_around_it(label: str, text: str) -> None:
    """Any of Python's codecs, a text in cp1252: the text may be read otherwise, the ASCII before it may not."""
    head = f"<html><meta charset='{label}'><p>"
    data = (head + text).encode("cp1252")
    try:
        read, _, _ = decode(data, "cv.html", declared(data))
    except DocumentError:
        return
    assert read.startswith(head)


def test_a_document_shows_its_encoding() -> None:
    """In its origin, for programs, and as a finding, for people."""
    document = read_bytes(GERMAN.encode("cp1252"), "cv.md")
    assert document.kind == "markdown"
    assert document.input.origin.encoding == "cp1252"
    assert "read as cp1252, which is a guess" in document.input.findings[0].message
