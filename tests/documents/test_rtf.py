r"""RTF: code pages, Unicode, what a page shows in its order, and what it does not show."""

from __future__ import annotations

import pytest

from proseform.documents.extract import Limits
from proseform.documents.readers import extract

LIMITS = Limits(50, 200_000)
FONTS = (
    r"{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}{\f2\fcharset128 MS Mincho;}{\f3\fcharset2 Symbol;}"
    r"{\f4\cpg1250 Arial CE;}{\f5 Any;}}{\colortbl;\red255\green255\blue255;\red31\green56\blue100;}"
)


def lines(source: str) -> tuple[list[str], list[str]]:
    """The lines that hold text, and the findings' messages, of RTF within a document with fonts and colours."""
    value = extract((r"{\rtf1\ansi\ansicpg1253\deff5 " + FONTS + source + "}").encode("latin-1"), "", "cv.rtf", LIMITS)[
        1
    ]
    return [line for line in value.raw.split("\n") if line.strip()], [one.message for one in value.findings]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"\f0 Zo\'eb \'80 30", "Zoë € 30"),
        (r"\f1\'c8\'e2\'e0\'ed", "Иван"),
        (r"\f2\'89\'d4\'8eq", "花子"),  # the second byte of a letter may stand as ASCII
        (r"\f4\'8a\'edr", "Šír"),
        (r"{\f1\'c8}{\f0\'eb}", "Иë"),  # a font ends with its group
        (r"\f5\'c5\'eb", "Ελ"),  # the document's code page where a font states none
        (r"\u1048?\u-10179?\u-8704?", "И\ud83d\ude00"),  # halves of a pair, which every text has joined
        (r"{\revised\revdttm1736509440 x}", "x"),  # a number of ten digits
        (r"\uc2\u233\'c3\'a9tat\uc0\u233\u233", "étatéé"),
        (r"a\~b\_c\-d\endash\lquote e\rquote\emdash\tab f\{g\}\\", "a\xa0b\u2011c\xadd–‘e’—\tf{g}\\"),
        ("a\nb\r\nc", "abc"),  # line ends of the source are none of the text
        (r"{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}", "link"),
        (r"{\object{\*\objdata 0f}{\result shown}}", "shown"),
        (r"{\pict\wmetafile8 0102ab}{\*\unknown gone}a{\info{\title no}}", "a"),
        (r"a{\pict\bin5 }}{{\}b", "ab"),  # bytes that are none of the markup
    ],
)
def test_letters_are_decoded(source: str, text: str) -> None:
    assert lines(source) == ([text], [])


SEEN = [
    (r"{\v x}", False, "hidden"),
    (r"\v x\v0", False, "hidden until it is not"),
    (r"{\v0 x}", True, "not hidden"),
    (r"{\v\plain x}", True, "plain again"),
    (r"{\fs2 x}", False, "1 pt"),
    (r"{\cf1 x}", False, "white on the page"),
    (r"{\cf1\highlight2 x}", True, "white on a ground"),
    (r"{\cf2\chcbpat2 x}", False, "blue on blue"),
    (r"\pard\cbpat2{\cf1 x}", True, "white in a paragraph with a ground"),
    (r"\trowd\clcbpat2\cellx1\intbl{\cf1 x}\cell\row", True, "white in a shaded cell"),
    (r"\trowd\cellx1\intbl{\cf1 x}\cell\row", False, "white in a cell"),
    (r"{\shp{\*\shpinst\shpfblwtxt0{\shptxt\cf1 x}}}", True, "white in a box"),
    (r"{\shp{\*\shpinst\shpfblwtxt1{\sp{\sn a}{\sv b}}}}{\cf1 x}", True, "white over a shape"),
    (r"{\shp{\*\shpinst\shpfblwtxt0{\sp{\sn a}{\sv b}}}}{\cf1 x}", False, "white beside a shape"),
    (r"{\deleted x}", False, "deleted"),
    (r"{\*\annotation x}", False, "a comment"),
    (r"{\revised x}", True, "inserted"),
]


@pytest.mark.parametrize(("source", "seen", "why"), SEEN, ids=[why for *_, why in SEEN])
def test_what_people_cannot_see_is_left_out_and_told(source: str, seen: bool, why: str) -> None:
    """Ana stands around it and is read in every case."""
    text, findings = lines(rf"Ana\par {source}\par")
    assert text == (["Ana", "x"] if seen else ["Ana"])
    assert len(findings) == (not seen)
    assert all(finding.endswith("(1 characters), left out: 'x'.") for finding in findings)


def test_headers_boxes_notes_lists_and_tables_are_read_in_their_places() -> None:
    source = (
        r"{\stylesheet{\s0 Normal;}{\s3 heading 1;}}{\header header\par}{\headerf header\par}{\footer foot\par}"
        r"\pard\s3 Title\par\pard anchor{\shp{\*\shpinst{\sp{\sn gtextUNICODE}{\sv drawn}}{\sp{\sn name}{\sv no}}"
        r"{\shptxt boxed\par}}{\shprslt{\*\do\dptxbxtext again}}} goes on{\super\chftn{\footnote note\par}}\par"
        r"{\listtext\f3\'b7\tab}one\par{\listtext 2.\tab}two\par"
        r"\trowd\intbl German\cell native\cell\row\trowd\intbl 2019\cell a\par\intbl b\cell\row last"
    )
    assert lines(source) == (
        ["header", "Title", "anchor goes on", "drawn", "boxed", "- one", "2. two", "German | native", "2019", "a", "b",
         "last", "note", "foot"],
        [],
    )  # fmt: skip


def test_a_heading_has_a_blank_line_before_it() -> None:
    source = rb"{\rtf1{\stylesheet{\s3 heading 1;}}Ana\par\pard\s3 Skills\par\pard\outlinelevel0 Work\par}"
    assert extract(source, "", "cv.rtf", LIMITS)[1].raw == "Ana\n\nSkills\n\nWork"


def test_what_follows_the_document_is_none_of_it_and_a_cut_is_told() -> None:
    """Mail gateways append zeros; a download that was cut off may lack its end."""
    assert extract(b"{\\rtf1 Ana}\0\0{more}", "", "cv.rtf", LIMITS)[1].raw == "Ana"
    cut = extract(b"{\\rtf1 Ana {\\b Sil", "", "cv.rtf", LIMITS)[1]
    assert (cut.raw, cut.findings[0].kind) == ("Ana Sil", "damaged")
    assert extract(b"{\\pard a\\par}}{\\pard b\\par}", "", "cv.rtf", LIMITS)[1].raw == "a\nb"
