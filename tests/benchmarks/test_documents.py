"""The benchmark of documents: its metric, its records, and two writers that are pure Python."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.documents.__main__ import main
from benchmarks.documents.people import scripts, sheet
from benchmarks.documents.planted import plant
from benchmarks.documents.readers import Reading, reading
from benchmarks.documents.record import Record, records
from benchmarks.documents.scores import score
from benchmarks.documents.sheets import LAYOUTS
from benchmarks.documents.tables import comparison, page
from benchmarks.documents.words import common, foreign, words
from benchmarks.documents.writers import WRITERS

_FEW = st.lists(st.sampled_from("abcd"), max_size=12)


def by_definition(source, read):
    """The textbook's table of the longest common subsequence."""
    rows = [[0] * (len(read) + 1)]
    for word in source:
        row = [0]
        for place, other in enumerate(read):
            row.append(rows[-1][place] + 1 if word == other else max(rows[-1][place + 1], row[-1]))
        rows.append(row)
    return rows[-1][-1]


@given(_FEW, _FEW)
def test_words_in_order_are_the_longest_common_subsequence(source, read):
    assert common(source, read) == by_definition(source, read)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ana  Silva,\nPorto.", ["Ana", "Silva", "Porto"]),
        ("e\u0301te\u0301", ["été"]),  # NFC
        ("fi\u00adance full-\n stack", ["fiance", "fullstack"]),  # hyphens at a line's end
        ("2019 \u2013 2021", ["2019", "2021"]),  # a dash that stands alone is no word
        ("C++ (C)", ["C++", "C"]),
        ("効率を 上げ", ["効", "率", "を", "上", "げ"]),
        ("น้ำดื่ม", ["น้ำ", "ดื่", "ม"]),
        ("2021년", ["2021", "년"]),
        ("नीलगाँव शिक्षा", ["नीलगाँव", "शिक्षा"]),
    ],
)
def test_what_a_word_is(text, expected):
    assert words(text) == expected


def test_foreign_words_are_counted_as_often_as_they_are_too_many():
    assert foreign(["a", "a", "b", "x"], ["a", "b"], ["b"]) == 2


@pytest.fixture
def known():
    """A document of two blocks in either order, with a list mark and a hidden text."""
    blocks, orders = [["Ana Silva"], ["Python and SQL"], ["at Lume since May"]], [[0, 1, 2], [0, 2, 1]]
    return Record("a.pdf", "toy", "sidebar", "latin", blocks, orders, ["1."], ["zor vax"])


def test_either_order_of_a_sidebar_is_right(known):
    assert score(known, Reading("Ana Silva\nat Lume since May\n1. Python and SQL")).right


@pytest.mark.parametrize(
    ("got", "fault"),
    [
        (Reading("Ana Silva Python and SQL at Lume"), "words are missing"),
        (Reading("Ana Silva Python and SQL at Lume since May vax"), "a hidden word came out"),
        (Reading("Ana Silva Python and SQL at Lume since May q w e r t"), "a third of it stands nowhere"),
        (Reading(refused="a.pdf is empty."), "it can be read"),
    ],
)
def test_a_document_is_not_right_where(known, got, fault):
    assert not score(known, got).right, fault


def test_what_has_to_be_refused_is_not_right_when_it_is_read(known):
    text = "Ana Silva Python and SQL at Lume since May"
    must = replace(known, expected="refused", hidden=[])
    assert not score(must, Reading(text)).right
    assert score(must, Reading(refused="No.")).right
    assert score(replace(must, expected="reported"), Reading(text, findings=("pages",))).right
    assert not score(replace(must, expected="reported"), Reading(text)).right


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("script", scripts())
def test_sheets_are_the_same_for_a_seed_and_differ_by_it(layout, script):
    one = sheet(layout, script, 1)
    assert one == sheet(layout, script, 1) != sheet(layout, script, 2)
    assert (len(one.columns) == 2) == (layout in {"sidebar", "two-columns"})
    assert sum(len(words("\n".join(block))) for block in one.blocks) > 80


def test_every_layout_and_script_is_written_by_some_writer():
    pairs = {(one.layout, one.script) for writer in WRITERS for _, one in writer.sheets()}
    assert {layout for layout, _ in pairs} == set(LAYOUTS)
    assert {script for _, script in pairs} == set(scripts())


@pytest.mark.parametrize("name", ["python-docx", "html-by-hand", "rtf-by-hand"])
def test_a_writer_writes_what_its_record_says(tmp_path, name):
    """The source's words stand in the file that is written; python-docx's is read back by this project's reader."""
    writer = next(writer for writer in WRITERS if writer.name == name)
    one = sheet("one-column", "greek", 3)
    path = tmp_path / f"one.{writer.suffix}"
    writer.write([(one, path)])
    record = Record.of(one, path.name, name)
    record.write(tmp_path)
    assert list(records(tmp_path)) == [record]
    if name == "python-docx":
        assert score(record, reading("ours", path)).share == 1.0
    else:
        assert path.stat().st_size > 500


def test_planted_documents_are_right_where_they_are_refused_and_garbage_where_foreign_text_comes_out(tmp_path):
    planted = list(plant(tmp_path))
    assert len(planted) >= 20
    assert all((tmp_path / record.file).stat().st_size for record in planted)
    refused = [score(record, Reading(refused="No.")) for record in planted]
    assert all(one.right for one in refused)
    taken = [score(record, Reading("zor vax qim")) for record in planted]
    assert not any(one.right for one in taken)
    assert f"| garbage taken, planted ones included | {len(planted)} |" in list(page("ours", taken))
    row = next(line for line in comparison({"ours": taken}) if line.startswith("| ours"))
    assert row == f"| ours | 0 | 0 | 0 | 0 | none | {len(planted)} | 0 | 0 of {len(planted)} |"


def test_writers_that_are_missing_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", ["documents", "write", str(tmp_path), "--writers", "chromium", "markdown"])
    main()
    printed = capsys.readouterr().out
    assert "chromium: left out, there is no chromium; apt-get install chromium" in printed
    assert "markdown: 5 documents" in printed
    assert len(list(tmp_path.glob("*.md"))) == 5
