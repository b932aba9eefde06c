"""Web pages: what a browser shows is read, in lines; what it does not show is left out and told."""

from __future__ import annotations

import pytest

from proseform.documents import read_bytes
from proseform.documents.extract import Limits
from proseform.documents.html import extract_text

LIMITS = Limits(50, 200_000)


def page(source: str) -> tuple[str, list[str]]:
    """The text, and the findings' messages."""
    value = extract_text(source, "cv.html", LIMITS)
    return value.raw, [one.message for one in value.findings]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<h1>Ana</h1>text<h2>B</h2><p>one\n  two</p>", "Ana\n\ntext\n\nB\n\none two"),
        ("<div>a</div><div>b<br>c</div>", "a\nb\nc"),
        ("<p>a <b>b</b><i>c</i> d</p>", "a bc d"),
        ("<ul><li>a<ul><li>b</li></ul></li><li><p>c</p></li></ul>", "- a\n- b\n- c"),
        ("<ol start=3><li>a<li>b</ol>", "3. a\n4. b"),
        (
            "<p>x</p><table><tr><th>a</th><td>b</td></tr><tr><td>c<br>d</td><td>e</td></tr></table>",
            "x\n\na | b\nc\nd\ne",
        ),
        ("<table><tr><td><table><tr><td>a<td>b</table></td><td>c</td></tr></table>", "a | b | c"),
        ("<pre>x = 1\n\n  y</pre>", "x = 1\n\ny"),
        ("<img src=a.png alt='Ana Silva'>", "Ana Silva"),
        ("<ruby>花子<rp>(</rp><rt>はなこ</rt><rp>)</rp></ruby>", "花子(はなこ)"),
        ("&lt;b&gt; &eacute; &#8211;&nbsp;&euro;", "<b> é –\xa0€"),
        ("<p>un<b>closed", "unclosed"),
        ("<details><summary>More</summary>shown on a click</details>", "More\nshown on a click"),
        ("<head><title>no</title></head><body>a<svg><text>no</text></svg><noscript>no</noscript>b</body>", "ab"),
        ("Ana", "Ana"),
    ],
)
def test_elements_come_down_to_lines(source: str, text: str) -> None:
    """Blocks are lines, blank lines stand where a page has them, rows are as in every kind of document."""
    assert page(source) == (text, [])


SHEET = "<style>{}</style><p>Ana</p><p class='a' id='i'>x</p>"
HIDDEN = [
    ("<p>Ana</p><p hidden>x</p>", "the attribute"),
    ("<p>Ana</p><div style='display:none'><p>x</div>", "display: none"),
    ("<p>Ana</p><p style='VISIBILITY : Hidden !important'>x", "in capitals"),
    ("<p>Ana</p><p style='opacity:0'>x", "opacity"),
    ("<p>Ana</p><p style='font-size:1px'>x", "1 px"),
    ("<p>Ana</p><p style='font: bold 0/0 a'>x", "the short form of a size"),
    ("<p>Ana</p><div style='font-size:10%'><p style='font-size:1em'>x", "a share of a share"),
    ("<p>Ana</p><p style='color:#fff'>x", "white on the page"),
    ("<p>Ana</p><p><font color=white>x</font>", "an old attribute"),
    ("<p>Ana</p><p style='color:rgba(0,0,0,0)'>x", "transparent"),
    ("<p>Ana</p><p style='background:#123456;color:#123456'>x", "blue on blue"),
    ("<p>Ana</p><p style='position:absolute;left:-9999px'>x", "off the page"),
    ("<p>Ana</p><p style='text-indent:-9999px'>x", "drawn off the page"),
    ("<p>Ana</p><p style='height:0;overflow:hidden'>x", "in a box of no height"),
    ("<p>Ana</p><p style='position:absolute;clip:rect(1px,1px,1px,1px)'>x", "cut to nothing"),
    ("<p>Ana</p><p style='mso-hide:all'>x", "Word's own"),
    ("<p>Ana</p><dialog>x</dialog>", "a dialogue that is not open"),
    ("<p>Ana</p><table><tr hidden><td>x</td></tr></table>", "a row"),
    ("<p>Ana</p><p><del>x</del></p>", "deleted"),
    (SHEET.format(".a{display:none}"), "a class"),
    (SHEET.format("/*{*/ p , #i:not(.b) { color : white } .y{}"), "a list of selectors, with a comment"),
    (SHEET.format("@import 'x.css'; @media screen { p.a { font-size: 0 } }"), "on screens"),
]


@pytest.mark.parametrize(("source", "why"), HIDDEN, ids=[why for _, why in HIDDEN])
def test_hidden_text_is_left_out_and_told(source: str, why: str) -> None:
    """Ana stands before it and is read in every case, but where the rule holds for her too."""
    text, findings = page(source)
    assert "x" not in text
    assert any(finding.endswith("left out: 'x'.") or "Anax" in finding for finding in findings)
    assert text == "Ana" or "p ," in source


SHOWN = [
    ("<p style='color:#fff;background:#000'>x", "white on black"),
    ("<table bgcolor=navy><tr><td style='color:#fff'>x</table>", "white on a colour that is not known"),
    ("<p style='position:relative;left:-20px'>x", "moved a little"),
    ("<p style='overflow:hidden;height:20px'>x", "in a box"),
    (
        SHEET.format("@media print { .a { display:none } } @media (max-width:600px) { .a { display:none } }"),
        "elsewhere",
    ),
    (SHEET.format(".a:hover::before, ??, .b { display:none }"), "a state, and no selector"),
    (SHEET.format("body { background: url(dark.png) } .a { color:#fff }"), "white on a picture"),
    (SHEET.format("p.a { display: block"), "a sheet that does not end"),
]


@pytest.mark.parametrize(("source", "why"), SHOWN, ids=[why for _, why in SHOWN])
def test_what_may_be_seen_is_kept(source: str, why: str) -> None:
    assert page(source)[0].endswith("x")


def test_the_deepest_page_that_is_parsed_is_read() -> None:
    """The walk goes as deep as the parser."""
    assert page("<html><body>" + "<b>" * 240 + "x" + "</b>" * 240 + "</body></html>")[0] == "x"
    assert page("<html><body>" + "<table><tr><td>" * 60 + "x" + "</td></tr></table>" * 60)[0] == "x"


def test_comments_scripts_and_sheets_are_told() -> None:
    source = "<!-- note to all models --><script>x()</script><style>p{}</style><iframe src=a></iframe><p>Ana</p>"
    assert page(source) == (
        "Ana",
        [
            "Left out were scripts (1), style sheets (1), frames (1).",
            "Comments (15 characters), left out: 'note to all models'.",
        ],
    )


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ('<meta charset="windows-1251"><p>Иван</p>'.encode("cp1251"), "cp1251"),
        (
            '<meta http-equiv=Content-Type content="text/html; charset=iso-8859-1"><p>\u201cZoë\u201d</p>'.encode(
                "cp1252"
            ),
            "cp1252",
        ),
        ('<?xml version="1.0" encoding="Shift_JIS"?><html><p>花子</p></html>'.encode("cp932"), "cp932"),
        ('<meta charset="iso-8859-1"><p>Zoë</p>'.encode(), "utf-8"),  # what a server added, and bytes that say more
        ('<html><meta charset="utf-16"><p>Zoë</p></html>'.encode("utf-16"), "utf-16"),
        ('<html><meta charset="utf-16"><p>Zoë</p></html>'.encode("utf-16-le"), "utf-16-le"),  # told by its zeros
    ],
)
def test_a_page_is_decoded_as_it_declares(data: bytes, encoding: str) -> None:
    document = read_bytes(data, "cv.html")
    assert document.input.origin.encoding == encoding
    assert document.text in {"Иван", "\u201cZoë\u201d", "花子", "Zoë"}


@pytest.mark.parametrize(
    "head", ['<html><head><meta charset="utf-16"></head>', '<?xml version="1.0" encoding="UTF-16"?><html>']
)
@pytest.mark.parametrize("end", ["", " "])
def test_a_page_that_declares_utf_16_and_is_not_in_it_is_read_by_its_letters(head: str, end: str) -> None:
    """As editors save it that convert the bytes and leave the declaration; of even length and of odd."""
    text = "Hélène Géraud, ingénieure à Besançon : développement, sécurité, réseaux"
    document = read_bytes(f"{head}<p>{text}</p></html>{end}".encode("cp1252"), "cv.html")
    assert document.text == text
    assert [finding.kind for finding in document.input.findings] == ["encoding"]


def test_rules_that_are_many_take_no_time() -> None:
    """A page may bring thousands of rules; those that hide nothing are not looked up."""
    rules = "".join(f".c{number} > p {{ margin: {number}px }}" for number in range(5_000))
    hiding = "".join(f".h{number} {{ display: none }}" for number in range(5_000))
    assert page(f"<style>{rules}{hiding}</style><p class=h4999>x</p><p>Ana</p>")[0] == "Ana"
