"""The example in examples/cv: the committed files read as the held-out case that they show."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from proseform.documents import read, read_bytes

FOLDER = Path(__file__).parents[2] / "examples" / "cv"


@pytest.fixture(scope="module")
def make() -> Any:
    spec = importlib.util.spec_from_file_location("make_example", FOLDER / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_example_reads_as_its_case(make: Any) -> None:
    """Fails when the generator's wording has changed: run `python examples/cv/make.py`."""
    case = make.choose()
    cvs = sorted([*FOLDER.glob("*.pdf"), *FOLDER.glob("*.docx")])
    assert [path.suffix for path in cvs] == [".docx", ".pdf"]
    assert [read(path).text for path in cvs] == [case.inputs["cv"]] * 2
    assert read(FOLDER / "job.md").text == case.inputs["job"]


def test_the_example_is_held_out_and_interesting(make: Any) -> None:
    """One skill met, one below, one missing; never trained on."""
    case = make.choose()
    assert case.split == "test"
    assert {item["verdict"] for item in case.answer["requirements"]} == {"met", "partly", "missing"}


def test_the_example_is_made_the_same_twice(make: Any, tmp_path: Path) -> None:
    """No clock and no random order in it; an earlier case's files go."""
    (tmp_path / "old.pdf").write_bytes(b"")
    make.main(tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    make.main(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    assert "old.pdf" not in first


def test_a_text_with_blank_lines_and_bullets_survives_as_well(make: Any) -> None:
    """The form of the higher levels."""
    text = (
        "Ana Silva\nData Engineer\n\nA summary.\n\nExperience\n2015-03 to 2018-02, Lume\n\n"
        "Skills:\n- basic Python\n- advanced SQL"
    )
    assert read_bytes(make.pdf(text), "cv.pdf").text == text
    assert read_bytes(make.docx(text), "cv.docx").text == text
    assert read_bytes(make.job(text), "job.md").text == text
