"""Word's documents: what a page shows is read, in its order; what it does not show is left out and told."""

from __future__ import annotations

import pytest

from proseform.documents import read_bytes
from proseform.documents.extract import Limits
from proseform.documents.readers import extract
from proseform.errors import DocumentError

from . import build

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
NAMESPACES = (
    f'xmlns:w="{W}" xmlns:r="{R}" xmlns:mc="mc" xmlns:wp="wp" xmlns:wps="wps" xmlns:a="a" xmlns:v="urn:v" '
    'xmlns:dgm="dgm" xmlns:m="m" xmlns:w14="w14"'
)
LIMITS = Limits(50, 200_000)


def word(body: str, parts: dict[str, str] | None = None, related: dict[str, tuple[str, str]] | None = None) -> bytes:
    """A DOCX of the smallest kind.

    Args:
        body: WordprocessingML of the body.
        parts: Names of further parts with their XML; ``NS`` in it becomes the namespaces.
        related: Relation ids of the text part with kind and target.
    """
    relations = "".join(
        f'<Relationship Id="{key}" Type="{R}/{kind}" Target="{target}"/>'
        for key, (kind, target) in (related or {}).items()
    )
    whole = {
        "_rels/.rels": f'<Relationships><Relationship Id="a" Type="{R}/officeDocument" Target="word/document.xml"/>'
        "</Relationships>",
        "word/document.xml": f"<w:document NS>{body if '<w:body' in body else f'<w:body>{body}</w:body>'}</w:document>",
        "word/_rels/document.xml.rels": f"<Relationships>{relations}</Relationships>",
        **(parts or {}),
    }
    return build.archive({name: xml.replace("NS", NAMESPACES, 1).encode() for name, xml in whole.items()})


def p(text: str, run: str = "", paragraph: str = "") -> str:
    """A paragraph of one run."""
    return f"<w:p><w:pPr>{paragraph}</w:pPr><w:r><w:rPr>{run}</w:rPr><w:t>{text}</w:t></w:r></w:p>"


def lines(data: bytes) -> tuple[list[str], list[str]]:
    """The lines that hold text, and the findings' messages, read in this process."""
    value = extract(data, ".docx", "cv.docx", LIMITS)[1]
    return [line for line in value.raw.split("\n") if line.strip()], [one.message for one in value.findings]


WHITE = '<w:color w:val="FFFFFF"/>'
BLUE = '<w:shd w:val="clear" w:fill="1F3864"/>'

SEEN = [
    (p("x", WHITE), False, "white on the page"),
    (p("x", '<w:color w:val="FEFEFE"/>'), False, "all but white"),
    (p("x", '<w:color w:val="BFBFBF"/>'), True, "light grey"),
    (p("x", WHITE + BLUE), True, "white on a shaded run"),
    (p("x", WHITE, BLUE), True, "white in a shaded paragraph"),
    (p("x", WHITE + '<w:highlight w:val="black"/>'), True, "white on a highlight"),
    (p("x", '<w:color w:val="1F3864"/>' + BLUE), False, "blue on blue"),
    (
        f"<w:tbl><w:tr><w:tc><w:tcPr>{BLUE}</w:tcPr>{p('x', WHITE)}</w:tc></w:tr></w:tbl>",
        True,
        "white in a shaded cell",
    ),
    (f"<w:tbl><w:tr><w:tc>{p('x', WHITE)}</w:tc></w:tr></w:tbl>", False, "white in a cell"),
    (p("x", "<w:vanish/>"), False, "hidden"),
    (p("x", '<w:vanish w:val="0"/>'), True, "not hidden"),
    (p("x", '<w:rStyle w:val="Ghost"/>'), False, "hidden by its style"),
    (p("x", "", '<w:pStyle w:val="Child"/>'), False, "hidden by a style that its own is based on"),
    (p("x", '<w:vanish w:val="false"/>', '<w:pStyle w:val="Child"/>'), True, "shown in spite of its style"),
    (p("x", '<w:sz w:val="2"/>'), False, "1 pt"),
    (p("x", '<w:sz w:val="12"/>'), True, "6 pt"),
    (p("x", '<w:sz w:val="2"/><w:szCs w:val="24"/><w:rtl/>'), True, "1 pt for Latin letters, in Hebrew"),
    (p("x", '<w:color w:val="auto"/>'), True, "the reader's own colour"),
    (p("x", "<w14:textFill><w14:noFill/></w14:textFill>"), False, "letters without a filling"),
    ("<w:p><w:del><w:r><w:delText>x</w:delText></w:r></w:del></w:p>", False, "deleted"),
    ("<w:p><w:moveFrom><w:r><w:t>x</w:t></w:r></w:moveFrom></w:p>", False, "moved away"),
    ("<w:p><w:ins><w:r><w:t>x</w:t></w:r></w:ins></w:p>", True, "inserted"),
    (f"<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc>{p('x')}</w:tc></w:tr></w:tbl>", False, "a deleted row"),
]
STYLES = """<w:styles NS>
<w:style w:type="character" w:styleId="Ghost"><w:rPr><w:vanish/></w:rPr></w:style>
<w:style w:type="paragraph" w:styleId="Parent"><w:basedOn w:val="Child"/><w:rPr><w:vanish/></w:rPr></w:style>
<w:style w:type="paragraph" w:styleId="Child"><w:basedOn w:val="Parent"/></w:style>
</w:styles>"""


@pytest.mark.parametrize(("xml", "seen", "why"), SEEN, ids=[why for *_, why in SEEN])
def test_what_people_cannot_see_is_left_out_and_told(xml: str, seen: bool, why: str) -> None:
    """Ana stands around it and is read in every case."""
    text, findings = lines(word(p("Ana") + xml, {"word/styles.xml": STYLES}, {"s": ("styles", "styles.xml")}))
    assert text == (["Ana", "x"] if seen else ["Ana"])
    assert len(findings) == (not seen)
    assert all(finding.endswith("(1 characters), left out: 'x'.") for finding in findings)


BEHIND = '<w:p><w:r><w:drawing><wp:anchor behindDoc="1"/></w:drawing></w:r></w:p>'
GRADIENT = "<w:p><w:r><w:drawing><wps:wsp><wps:spPr><a:gradFill/></wps:spPr>BOX</wps:wsp></w:drawing></w:r></w:p>"
BOX = "<wps:txbx><w:txbxContent>" + p("x", WHITE) + "</w:txbxContent></wps:txbx>"
FILLED = "<wps:spPr><a:solidFill><a:srgbClr val='1F3864'/></a:solidFill></wps:spPr>"


@pytest.mark.parametrize(
    ("body", "kept", "doubt"),
    [
        (BEHIND + p("x", WHITE), True, True),
        (GRADIENT.replace("BOX", BOX), True, True),
        (f"<w:p><w:r><wps:wsp>{FILLED}{BOX}</wps:wsp></w:r></w:p>", True, False),
        (f"<w:p><w:r><wps:wsp><wps:spPr><a:noFill/></wps:spPr>{BOX}</wps:wsp></w:r></w:p>", False, False),
        (f'<w:background w:color="000000"/><w:body>{p("x", WHITE)}</w:body>', True, False),
    ],
    ids=["a drawing behind the text", "a box with a gradient", "a blue box", "a box without filling", "a black page"],
)
def test_white_text_counts_as_seen_where_something_may_lie_behind_it(body: str, kept: bool, doubt: bool) -> None:
    text, findings = lines(word(body))
    assert text == ["x"] * kept
    assert ("White text was kept; what stands behind it is not known." in findings) == doubt


def test_headers_notes_boxes_and_diagrams_are_read_in_their_places() -> None:
    """A header that repeats comes once; one of first pages only where the section has it."""
    body = (
        p("body")
        + "<w:p><w:r><w:t>with a note</w:t><w:footnoteReference/></w:r></w:p>"
        + '<w:p><w:r><w:t>anchor</w:t><w:drawing><dgm:relIds r:dm="d"/></w:drawing></w:r></w:p>'
        + '<w:p><w:r><w:pict><v:shape><v:textpath string="drawn"/></v:shape></w:pict></w:r></w:p>'
        + '<w:sectPr><w:headerReference r:id="h"/><w:headerReference w:type="even" r:id="e"/>'
        + '<w:headerReference w:type="first" r:id="f"/><w:footerReference r:id="g"/><w:titlePg/></w:sectPr>'
    )
    note = '<w:footnotes NS><w:footnote w:type="separator">{}</w:footnote><w:footnote>{}</w:footnote></w:footnotes>'
    text, findings = lines(
        word(
            body,
            {
                "word/h.xml": f"<w:hdr NS>{p('header')}</w:hdr>",
                "word/e.xml": f"<w:hdr NS>{p('even')}</w:hdr>",
                "word/f.xml": f"<w:hdr NS>{p('first')}</w:hdr>",
                "word/g.xml": f"<w:ftr NS>{p('footer')}</w:ftr>",
                "word/n.xml": note.format(p("rule"), p("note")),
                "word/d.xml": "<dgm:dataModel NS><a:p><a:r><a:t>dia</a:t></a:r><a:r><a:t>gram</a:t></a:r></a:p>"
                "</dgm:dataModel>",
                "word/c.xml": f"<w:comments NS><w:comment>{p('too long?')}</w:comment></w:comments>",
            },
            {
                "h": ("header", "h.xml"),
                "e": ("header", "e.xml"),
                "f": ("header", "f.xml"),
                "g": ("footer", "/word/g.xml"),
                "n": ("footnotes", "n.xml"),
                "d": ("diagramData", "d.xml"),
                "c": ("comments", "c.xml"),
            },
        )
    )
    assert text == ["first", "header", "body", "with a note", "anchor", "diagram", "drawn", "note", "footer"]
    assert findings == ["Comments (8 characters), left out: 'too long?'."]


def test_a_header_of_many_sections_is_read_once() -> None:
    """Each section refers to it; 40,000 sections took 14 s."""
    section = '<w:p><w:pPr><w:sectPr><w:headerReference r:id="h"/></w:sectPr></w:pPr></w:p>'
    header = f"<w:hdr NS>{p('x') * 5}</w:hdr>"
    assert lines(word(section * 3, {"word/h.xml": header}, {"h": ("header", "h.xml")})) == (["x"] * 5, [])


def test_formulas_symbols_and_readings_are_text() -> None:
    """A reading above Japanese letters stands behind them, as it would on a typewriter."""
    ruby = (
        "<w:p><w:r><w:ruby><w:rt><w:r><w:t>はなこ</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>花子</w:t></w:r></w:rubyBase>"
        "</w:ruby></w:r></w:p>"
    )
    formula = "<w:p><m:oMath><m:r><m:t>a+b</m:t></m:r></m:oMath></w:p>"
    symbols = '<w:p><w:r><w:sym w:char="2713"/><w:sym w:char="F028"/><w:t> done</w:t></w:r></w:p>'
    assert lines(word(ruby + formula + symbols)) == (["花子(はなこ)", "a+b", "\u2713 done"], [])


CHUNK = '<w:altChunk r:id="c"/>' + p("after")


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.html", b"<p>Zo\xc3\xab</p>", "Zoë"),
        ("a.rtf", rb"{\rtf1\ansi Zo\'eb\par}", "Zoë"),
        ("a.txt", b"Zo\xc3\xab", "Zoë"),
        ("a.docx", word(p("Zoë")), "Zoë"),
    ],
)
def test_embedded_documents_are_read_in_their_place(name: str, data: bytes, text: str) -> None:
    whole = build.unpacked(word(CHUNK, None, {"c": ("aFChunk", name)})) | {f"word/{name}": data}
    assert lines(build.archive(whole))[0] == [text, "after"]


def test_an_embedded_document_that_cannot_be_read_is_told() -> None:
    """Neither a picture, nor one that is not there, nor one within an embedded one."""
    for data, why in (
        (b"\x89PNG\r\n\x1a\n\0", "word/a.bin is a PNG picture: it holds no text"),
        (None, "it is not there"),
        (word(CHUNK, {"word/b.txt": "x"}, {"c": ("aFChunk", "b.txt")}), "it lies within an embedded document"),
    ):
        whole = build.unpacked(word(CHUNK, None, {"c": ("aFChunk", "a.bin")}))
        text, findings = lines(build.archive(whole | ({"word/a.bin": data} if data else {})))
        assert text[-1] == "after"
        assert findings == [f"An embedded document was left out: {why}."]


def test_macros_and_embedded_files_are_told() -> None:
    parts = {"word/vbaProject.bin": "x", "word/embeddings/costs.xlsx": "x", "word/embeddings/oleObject1.bin": "x"}
    assert lines(word(p("Ana"), parts)) == (
        ["Ana"],
        ["Macros were left out; none was run.", "Embedded files were left out (2): costs.xlsx, oleobject1.bin."],
    )


def test_a_document_of_pictures_alone_is_refused() -> None:
    """A scan in a DOCX, with a stamp."""
    with pytest.raises(DocumentError, match="holds pictures and no text") as raised:
        read_bytes(word(p("page 1"), {"word/media/image1.png": "x"}), "cv.docx")
    assert "ocrmypdf" in raised.value.hint


def test_names_of_parts_are_found_in_any_case_and_with_any_slash() -> None:
    """Some programs write backslashes, and other capitals than they refer to."""
    parts = build.unpacked(word(p("Ana")))
    parts["WORD\\Document.xml"] = parts.pop("word/document.xml")
    assert lines(build.archive(parts)) == (["Ana"], [])


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        ("<w:document NS/>", "its text part is <document>"),
        ("<w:glossary NS/>", "its text part is <glossary>"),
        ("<w:document NS><w:body>" + "<w:sdt>" * 240 + "</w:sdt>" * 240 + "</w:body></w:document>", ""),
        ("<w:document NS><w:body>" + "<w:sdt>" * 300 + "</w:sdt>" * 300 + "</w:body></w:document>", "depth"),
    ],
)
def test_broken_text_parts_are_damage(xml: str, says: str) -> None:
    """Or hold no text: no tree is so deep that its walk fails."""
    with pytest.raises(DocumentError, match=says or "holds no text") as raised:
        read_bytes(word("", {"word/document.xml": xml}), "cv.docx")
    assert ("damaged DOCX" in raised.value.message) == bool(says)
