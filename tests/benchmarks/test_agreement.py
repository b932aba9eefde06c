"""How far two measurements agree: what is compared, and what is counted apart."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from benchmarks import agreement
from proseform import records
from proseform.errors import InputError
from tests.suites.measured import outcomes, study


def test_greedy_texts_are_compared_one_by_one_and_those_on_other_prose_apart(tmp_path, monkeypatch, capsys):
    ones = outcomes(study(cases=4))
    sampled = [row for row in ones if row.decoding == "sampled"]
    gold = next(row for row in ones if row.suite == "formatter" and row.variant == "gold")
    answer = next(row for row in ones if row.suite == "answers")
    altered = [
        *(replace(row, texts={"text": "drawn anew"}) for row in sampled),
        replace(gold, texts={**gold.texts, "text": gold.text[:5] + "~"}),
        replace(answer, texts={"given": "other", "text": "other"}),
    ]
    others = {row.id: row for row in ones} | {row.id: row for row in altered}
    for name, rows in (("one", ones), ("other", others.values())):
        (tmp_path / name).mkdir()
        records.write(tmp_path / name / records.RECORDS, rows)
    monkeypatch.setattr(sys, "argv", ["agreement", str(tmp_path / "one"), str(tmp_path / "other")])
    agreement.main()
    *_, all_of_them, place = capsys.readouterr().out.splitlines()
    count = len(ones) - len(sampled)
    assert all_of_them.split() == ["all", str(count - 2), "of", str(count), "equal,", "1", "of", "other", "prose"]
    assert place.startswith(f"{gold.id} at 5: ")


def test_measurements_of_other_asks_and_texts_that_are_sealed_are_not_compared():
    rows = {row.id: row for row in outcomes(study(cases=2))}
    with pytest.raises(InputError, match="did not ask the same"):
        agreement.compare(rows, dict(list(rows.items())[1:]))
    sealed = {name: row.sealed() for name, row in rows.items()}
    with pytest.raises(InputError, match="digests"):
        agreement.compare(sealed, sealed)
