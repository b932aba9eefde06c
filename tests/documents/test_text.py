"""Text: normalisation and Markdown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.documents import markdown
from proseform.documents.normal import as_input, normalise
from proseform.input import Origin


@pytest.mark.parametrize(
    ("raw_text", "becomes"),
    [
        ("a\r\nb\rc\u2028d\fe", "a\nb\nc\nd\ne"),  # every newline there is
        ("e\u0301", "é"),  # NFC
        ("e\ufb03cient \ufb02ow", "efficient flow"),  # ligatures out of PDFs
        ("½ ² ①", "½ ² ①"),  # but NFKC would write 2 for a square: not done
        ("exam\u00ad\nple, so\u00adft", "example, soft"),  # soft hyphens, also at a line's end
        ("a\u00a0b\u2009c\u3000d\te  f", "a b c d e f"),  # blanks of all kinds and lengths
        ("\ufeffa\u200bb\u2060", "ab"),  # zero width
        ("pay\u202etxt\u202c", "paytxt"),  # bidi controls reverse what people see
        ("hi\U000e0041\U000e0042", "hi"),  # tag characters: text that only a model sees
        ("کتاب\u200cها", "کتاب\u200cها"),
        ("a\u200db", "ab"),  # between Latin letters it is noise
        ("  a  \n   \n\n\n b \n\n", "a\n\nb"),  # trailing blanks, runs of blank lines
        ("• a\n▪ b\n* c\n\u2013 d\n\uf0b7 e\n- f", "- a\n- b\n- c\n- d\n- e\n- f"),  # bullets of all shapes
        ("2019 \u2013 2023\n*\n**b**", "2019 \u2013 2023\n*\n**b**"),  # dashes and stars that are none
        ("a\x01b", "ab"),  # a stray control character
        ("\ud83d\ude00 \ud800", "😀 \ufffd"),  # surrogates out of broken PDFs
    ],
)
def test_text_is_normalised(raw_text: str, becomes: str) -> None:
    """One form whatever the program."""
    assert normalise(raw_text) == becomes


@given(st.text() | st.text("a \n\u00ad\u200b\u200c\u00a0e\u0301•*-\ufb01\u212a\u0647\r"))
def test_normalising_twice_changes_nothing(text: str) -> None:
    """Text that was read may be saved and read again."""
    once = normalise(text)
    assert normalise(once) == once


@given(st.text() | st.text("a \n\u00ad\u200b\u200c\u00a0e\u0301•*-\ufb01\u212a\u0647\r\x01\t", max_size=30))
def test_every_character_is_found_in_what_was_extracted(raw: str) -> None:
    """Places are in order, and what was not changed stands where it is said to stand."""
    value = as_input(raw, Origin("cv.pdf", "pdf"))
    assert value.text == normalise(raw)
    last = 0
    for position, character in enumerate(value.text):
        start, end = value.locate(position, position + 1)
        assert last <= start <= end <= len(raw)
        last = start
        if end - start == 1 and character.isascii() and character not in " \n-":
            assert character in unicodedata.normalize("NFKC", raw[start])


def test_a_quote_is_found_where_it_stood() -> None:
    """Blanks, ligatures and broken words count as a whole; the place is in code points of what was extracted."""
    raw = "Skills:\r\n\u2022\tO\ufb03ce  auto\u00ad\nmation,\u200b SQL"
    value = as_input(raw, Origin("cv.txt"))
    quote = "Office automation"
    start = value.text.index(quote)
    assert value.text == "Skills:\n- Office automation, SQL"
    assert raw[slice(*value.locate(start, start + len(quote)))] == "O\ufb03ce  auto\u00ad\nmation"
    assert [(one.kind, raw[one.start : one.end]) for one in value.findings] == [("invisible", "\u200b")]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("# A\ntext\n\nB\n===\ntext", "A\ntext\n\nB\ntext"),  # both kinds of headings; blank lines as written
        ("**a** *b* `c` ~~d~~ [e](https://x) ![f](y.png) <https://g.example>", "a b c d e f https://g.example"),
        ("one\ntwo  \nthree\\\nfour", "one\ntwo\nthree\nfour"),  # lines stay lines
        ("- a\n- b\n  - c\n\n3. d\n4) e", "- a\n- b\n- c\n\n3. d\n4. e"),
        ("| a | b |\n|---|---|\n| c | **d** |", "a | b\nc | d"),
        ("a\n\n---\n\nb", "a\n\nb"),  # a rule is a gap
        ("> quoted", "quoted"),
        ("```py\nx = 1\n```", "x = 1"),
        ("a<br>b <b>c</b> &amp; \\*d\\*", "a\nb c & *d*"),
        ("<div>\nboxed\n</div>\n\nafter", "boxed\n\nafter"),
        ("a <!-- hidden\nmore --> b", "a b"),  # what people do not see the model does not see
        ("5 < 6 <! x", "5 < 6 <! x"),
        ("C# and C++\n\n#hashtag", "C# and C++\n\n#hashtag"),
        ("snake_case_name 2*3*4", "snake_case_name 234"),  # CommonMark reads 2*3*4 so
    ],
)
def test_markdown_comes_down_to_its_lines(source: str, lines: str) -> None:
    """Markup goes, words and lines stay."""
    assert normalise(markdown.extract(source).raw) == lines


def test_hostile_markdown_takes_no_quadratic_time() -> None:
    """Unclosed comments took the parser minutes."""
    for piece in ("<!--", "<?", "<![CDATA[", "[", "<i>a", "</i>a", "<p hidden>"):
        normalise(markdown.extract(piece * 5_000).raw)
