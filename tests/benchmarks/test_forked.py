"""Legs side by side in processes of their own."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.forked import side_by_side


def test_legs_are_worked_off_and_those_that_fail_are_named_with_their_words(tmp_path: Path) -> None:
    ended: dict[int, bool] = {}
    at_once: set[int] = set()

    def work(leg: int) -> None:
        if leg == 2:
            raise ValueError("leg two is broken")
        (tmp_path / str(leg)).write_text(str(os.getpid()))

    failed = side_by_side(
        range(5), work, lambda leg: tmp_path / f"{leg}.log", workers=2, look=lambda running: at_once.add(len(running)),
        ended=ended.__setitem__,
    )  # fmt: skip
    assert failed == [2]
    assert ended == {0: False, 1: False, 2: True, 3: False, 4: False}
    assert "leg two is broken" in (tmp_path / "2.log").read_text()
    assert os.getpid() not in {int((tmp_path / str(leg)).read_text()) for leg in (0, 1, 3, 4)}
    assert max(at_once) == 2


def test_a_leg_whose_words_cannot_be_kept_has_failed_and_the_others_go_on(tmp_path: Path) -> None:
    failed = side_by_side(
        [1, 2], lambda leg: None, lambda leg: tmp_path / ("none/log" if leg == 1 else "log"), workers=2
    )
    assert failed == [1]


def test_no_leg_begins_after_the_end(tmp_path: Path) -> None:
    failed = side_by_side(
        [1], lambda _: (tmp_path / "ran").touch(), lambda _: tmp_path / "log", workers=1, ends=time.monotonic()
    )
    assert failed == []
    assert not (tmp_path / "ran").exists()
