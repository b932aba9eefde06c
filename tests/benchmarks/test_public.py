"""What an answer says of a document, as it is looked up beside the product's own code."""

from __future__ import annotations

from benchmarks.public import folded, named
from proseform import task


def test_every_quote_of_a_right_answer_stands_in_its_cv_and_another_name_does_not() -> None:
    cv = task.load("cv")
    for level in cv.levels:
        for case in cv.generate(level, "test", 0, 20):
            text = folded(case.inputs["cv"])
            assert all(folded(said) in text for said in named(case.answer))
            assert not all(folded(said) in text for said in named({**case.answer, "candidate": "Nobody Atall"}))


def test_case_white_space_and_forms_of_unicode_do_not_matter() -> None:
    assert folded("Zoë  \n ﬁeld") == folded("zoe\u0308 FIELD")
