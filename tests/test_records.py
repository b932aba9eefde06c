"""Records in Parquet: they come back as they were, and a user's own texts lie apart."""

import datetime as dt
import stat

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proseform import records
from proseform.errors import RowError, StoreError
from proseform.outcome import Outcome
from tests.suites.measured import outcomes, study
from tests.test_outcome import OUTCOMES

UNTIL = "2027-01-31"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(st.lists(OUTCOMES, max_size=5))
def test_records_come_back_from_parquet(tmp_path, rows):
    path = tmp_path / records.RECORDS
    records.write(path, rows)
    assert records.read(path) == rows


def test_equal_records_give_equal_bytes(tmp_path):
    rows = outcomes(study(cases=3))
    for name in ("a", "b"):
        records.write(tmp_path / name, rows)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_others_can_read_the_file_without_us(tmp_path):
    rows = outcomes(study(cases=3))
    records.write(tmp_path / "r", rows)
    table = pq.read_table(tmp_path / "r")
    assert table.num_rows == len(rows)
    assert table.column("subject").to_pylist() == [row.subject for row in rows]


def test_a_lone_surrogate_is_refused_by_name(tmp_path):
    with pytest.raises(RowError, match="lone surrogate"):
        records.write(tmp_path / "r", [Outcome("a", "b", "c", "d", texts={"text": "\ud800"})])


def test_what_holds_no_records_is_refused(tmp_path):
    with pytest.raises(StoreError, match="no records can be read"):
        records.read(tmp_path / "nowhere")
    (tmp_path / "text").write_text("suite,subject")
    with pytest.raises(StoreError, match="no records can be read"):
        records.read(tmp_path / "text")
    pq.write_table(pa.table({"suite": ["a"]}), tmp_path / "other")
    with pytest.raises(StoreError, match="other columns"):
        records.read(tmp_path / "other")


def test_texts_lie_apart_for_their_owner_alone_and_state_when_they_go(tmp_path):
    rows = outcomes(study(cases=3))
    path = tmp_path / records.TEXTS
    records.write_texts(path, rows, UNTIL)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert records.delete_after(path) == dt.date(2027, 1, 31)
    sealed = [row.sealed() for row in rows]
    assert sealed != rows
    assert [row.texts for row in records.with_texts(sealed, path)] == [row.texts for row in rows]


def test_a_file_that_others_could_read_is_closed_to_them_before_a_text_is_written(tmp_path):
    path = tmp_path / records.TEXTS
    path.touch(mode=0o644)
    records.write_texts(path, [], UNTIL)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
