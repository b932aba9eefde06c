"""OpenDocument text: what a page shows is read, in its order; what it does not show is left out and told."""

from __future__ import annotations

import pytest

from proseform.documents.extract import Limits
from proseform.documents.readers import extract

from . import build

LIMITS = Limits(50, 200_000)


def lines(data: bytes) -> tuple[list[str], list[str]]:
    """The lines that hold text, and the findings' messages, read in this process."""
    value = extract(data, ".odt", "cv.odt", LIMITS)[1]
    return [line for line in value.raw.split("\n") if line.strip()], [one.message for one in value.findings]


def style(name: str, properties: str, family: str = "text", parent: str = "") -> str:
    """A style."""
    head = f'style:name="{name}" style:family="{family}" style:parent-style-name="{parent}"'
    return f"<style:style {head}>{properties}</style:style>"


def letters(properties: str) -> str:
    """Properties of letters."""
    return f"<style:text-properties {properties}/>"


SPAN = '<text:p>Ana</text:p><text:p><text:span text:style-name="S">x</text:span></text:p>'
CELL = (
    '<text:p>Ana</text:p><table:table><table:table-row><table:table-cell table:style-name="C"><text:p>'
    '<text:span text:style-name="S">x</text:span></text:p></table:table-cell></table:table-row></table:table>'
)
WHITE = style("S", letters('fo:color="#ffffff"'))

SEEN = [
    (SPAN, WHITE, False, "white on the page"),
    (SPAN, style("S", letters('fo:color="#ffffff" fo:background-color="#1f3864"')), True, "white on a ground"),
    (SPAN, style("S", letters('fo:color="#ffffff" style:use-window-font-color="true"')), True, "the reader's colour"),
    (SPAN, style("S", letters('text:display="none"')), False, "hidden"),
    (SPAN, style("S", "", parent="T") + style("T", letters('text:display="none"'), parent="S"), False, "by its parent"),
    (SPAN, style("S", letters('fo:font-size="1pt"')), False, "1 pt"),
    (SPAN, style("S", letters('fo:font-size="0.2cm"')), True, "5.7 pt"),
    (SPAN, style("S", letters('fo:font-size="58%"')), True, "a share of what is around"),
    (
        CELL,
        WHITE + style("C", '<style:table-cell-properties fo:background-color="#1f3864"/>', "table-cell"),
        True,
        "cell",
    ),
    (CELL, WHITE, False, "white in a plain cell"),
    ('<text:p>Ana</text:p><text:section text:display="none"><text:p>x</text:p></text:section>', "", False, "a section"),
    ('<text:p>Ana</text:p><text:p>x<text:hidden-paragraph text:is-hidden="true"/></text:p>', "", False, "a paragraph"),
    (
        '<text:p>Ana</text:p><text:p><text:hidden-text text:is-hidden="true">x</text:hidden-text></text:p>',
        "",
        False,
        "field",
    ),
    (
        """<text:tracked-changes><text:changed-region><text:deletion><text:p>x</text:p></text:deletion>
</text:changed-region></text:tracked-changes><text:p>Ana</text:p>""",
        "",
        False,
        "deleted",
    ),
    (
        """<text:tracked-changes><text:changed-region text:id="c"><text:deletion><office:change-info>Bo
</office:change-info></text:deletion></text:changed-region></text:tracked-changes>
<text:p>Ana<text:change-start text:change-id="c"/>x</text:p><text:p><text:change-end text:change-id="c"/></text:p>""",
        "",
        False,
        "deleted in its place",
    ),
    ("<text:p>Ana<office:annotation><text:p>x</text:p></office:annotation></text:p>", "", False, "a comment"),
]


@pytest.mark.parametrize(("body", "styles", "seen", "why"), SEEN, ids=[why for *_, why in SEEN])
def test_what_people_cannot_see_is_left_out_and_told(body: str, styles: str, seen: bool, why: str) -> None:
    """Ana stands around it and is read in every case."""
    text, findings = lines(build.odt(body, styles))
    assert text == (["Ana", "x"] if seen else ["Ana"])
    assert len(findings) == (not seen)
    assert all(finding.endswith("(1 characters), left out: 'x'.") for finding in findings)


def test_headers_notes_frames_and_readings_are_read_in_their_places() -> None:
    """A header that repeats comes once; automatic styles hold within their part only."""
    page = (
        "<style:master-page><style:header><text:p text:style-name='P1'>{}</text:p></style:header><style:footer>"
        "<text:p>{}</text:p></style:footer></style:master-page>"
    )
    parts = {
        "styles.xml": (
            f"<office:document-styles {build.ODF}><office:automatic-styles>"
            + style("P1", "", "paragraph")
            + f"</office:automatic-styles><office:master-styles>{page.format('header', 'footer') * 2}"
            "</office:master-styles></office:document-styles>"
        ).encode(),
        "Basic/Standard/Module1.xml": b"<x/>",
    }
    body = """<text:p>with a
 note<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>note</text:p></text:note-body></text:note>
</text:p><text:p>anchor<draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box></draw:frame> goes on</text:p>
<draw:frame><draw:text-box><text:p>on the page</text:p></draw:text-box></draw:frame>
<text:p><text:ruby><text:ruby-base>花子</text:ruby-base><text:ruby-text>はなこ</text:ruby-text></text:ruby></text:p>"""
    text, findings = lines(build.odt(body, style("P1", letters('text:display="none"'), "paragraph"), parts))
    assert text == [
        "header", "with a  note ", "anchor goes on", "boxed", "on the page", "花子(はなこ)", "note", "footer",
    ]  # fmt: skip
    assert findings == ["Macros were left out; none was run."]


def test_lists_and_tables_come_as_in_every_kind() -> None:
    body = """<text:list><text:list-item><text:p>one</text:p><text:p>goes on</text:p><text:list><text:list-item>
<text:p>two</text:p></text:list-item></text:list></text:list-item></text:list>
<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>German</text:p></table:table-cell>
<table:covered-table-cell/><table:table-cell><text:p>native</text:p></table:table-cell></table:table-row>
</table:table-header-rows><table:table-row><table:table-cell><text:p>2019</text:p></table:table-cell><table:table-cell>
<table:table><table:table-row><table:table-cell><text:p>in</text:p></table:table-cell></table:table-row></table:table>
<text:p>out</text:p></table:table-cell></table:table-row></table:table>"""
    assert lines(build.odt(body))[0] == ["- one", "goes on", "- two", "German | native", "2019", "in", "out"]
