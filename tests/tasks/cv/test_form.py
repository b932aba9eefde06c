"""The form: what is written is read back, and nothing else is read."""

from __future__ import annotations

import functools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import task, verify
from proseform.case import Case
from proseform.tasks.cv import form, judgement, source
from proseform.tasks.cv.judgement import Need, Shown
from proseform.verdict import Reason

CV = task.load("cv")
PROSE = next(
    case.prose for case in source.generate("starter", "valid", 11, 1000) if len(case.answer["requirements"]) == 4
)


@functools.cache
def gold(level: str) -> list[Case]:
    """A thousand cases; not made while tests are collected, which every worker does."""
    return list(source.generate(level, "valid", 11, 1000))


@pytest.mark.parametrize("level", CV.levels)
def test_gold_prose_reads_as_the_gold_answer(level: str) -> None:
    """A thousand cases of each level."""
    for case in gold(level):
        assert form.read(case.prose).value == case.answer


WORDS = (
    st.text("abcdefghijklmnopqrstuvwxyz+#. ", min_size=1, max_size=12)
    .map(str.strip)
    .filter(lambda word: word and not word.endswith("."))
)
SKILLS = st.lists(WORDS.filter(lambda word: word != "none"), min_size=1, max_size=12, unique=True)
_KINDS = ("skill", "degree", "language", "certificate", "permit")


@given(SKILLS, st.data())
def test_any_answer_of_the_rule_is_read_back(subjects: list[str], data: st.DataObject) -> None:
    """Words that were never in a data file go through the form too."""
    requirements = []
    for subject in subjects:
        kind = data.draw(st.sampled_from([*_KINDS]))
        needs = "" if kind == "permit" else data.draw(st.sampled_from(["", "much", "3 years"]))
        need = Need(kind, data.draw(st.sampled_from(["required", "preferred"])), subject, needs)
        quotes = tuple(f"{quote} {subject}" for quote in data.draw(st.lists(WORDS, max_size=4)))
        periods = tuple(data.draw(st.lists(WORDS, max_size=12))) if quotes else ()
        months = data.draw(st.integers(0, 700)) if periods else 0
        requirements.append((need, Shown(quotes, periods=periods, months=months)))
    months = data.draw(st.integers(0, 700))
    experience = Need("experience", "required", "", form.span(12 * data.draw(st.integers(1, 40))))
    requirements.append((experience, Shown(periods=(form.span(months),) if months else (), months=months)))
    answer = judgement.judge("Zoë de la Cruz", "Chef", requirements, data.draw(st.sampled_from(["", "May 2025"])))
    verdict = form.read(form.write(answer))
    assert verdict.ok, verdict
    assert CV.schema.fault(answer) is None
    assert verdict.value == answer


@given(st.text(max_size=300))
def test_the_reader_never_raises_on_any_text(text: str) -> None:
    assert form.read(text).ok is False
    form.scan(text)


@given(st.data())
def test_the_reader_never_raises_on_damaged_prose(data: st.DataObject) -> None:
    """Pieces of real evaluations cut, doubled and put together again reach deeper than chance text."""
    case = data.draw(st.sampled_from(gold("expert")[:50]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(case.prose)), min_size=2, max_size=4)))
    text = (
        case.prose[: cuts[0]] + data.draw(st.text(max_size=5)) + case.prose[cuts[0] : cuts[-1]] + case.prose[cuts[1] :]
    )
    verdict = verify.prose(text, CV, case.inputs)
    assert verdict.ok or verdict.reason in set(Reason)


def _without(start: str) -> str:
    return "\n".join(line for line in PROSE.split("\n") if not line.startswith(start))


LAST = PROSE.rsplit("\n", 1)[-1]
REFUSED: list[tuple[str, str, str]] = [
    ("chatter before", f"Sure, here it is:\n{PROSE}", "line 1"),
    ("chatter behind", f"{PROSE}\nI hope this helps", "line 9"),
    ("no header", PROSE.split("\n", 1)[1], "header"),
    ("no gaps", _without("Gaps"), "gaps"),
    ("no strengths", _without("Strengths"), "strengths"),
    ("no closing line", PROSE.rsplit("\n", 1)[0], "met"),
    ("cut in the last word", PROSE[:-3], "line 8"),
    ("gaps twice", f"{PROSE}\nGaps: none.", "gaps"),
    ("two recommendations", f"{PROSE} Recommendation: interview.", "recommendation"),
    ("a requirement twice", PROSE.replace("\n", f"\n{PROSE.split(chr(10))[1]}\n", 1), "line 3"),
    (
        "periods without their sum",
        PROSE.replace(PROSE.split("\n")[1], 'Requires 1 year skill SQL: "SQL" from "2019 to 2021", met.'),
        "line 2",
    ),
    (
        "a quote as the time",
        PROSE.replace(PROSE.split("\n")[1], 'Requires 1 year experience: "long" from "2019", 1 year, met.'),
        "line 2",
    ),
    ("out of order", "\n".join([*PROSE.split("\n")[1:], PROSE.split("\n")[0]]), "layout"),
    ("the closing on three lines", PROSE.replace(". Score", ".\nScore"), "layout"),
    ("a blank line within", PROSE.replace("\n", "\n\n", 1), "layout"),
    ("leading zeros", PROSE.replace("Score: ", "Score: 0"), "layout"),
    ("lower case", PROSE.replace("Gaps", "gaps"), "line 7"),
    ("too long to be one", PROSE + "\n" * form.LONGEST + "x", "line 1"),
]


@pytest.mark.parametrize(
    ("text", "where"), [(text, where) for _, text, where in REFUSED], ids=[name for name, _, _ in REFUSED]
)
def test_what_is_not_the_form_is_refused_with_the_place(text: str, where: str) -> None:
    verdict = form.read(text)
    assert (verdict.reason, verdict.where) == (Reason.FORM, where), str(verdict)
    assert verdict.detail


def test_white_space_around_is_no_fault() -> None:
    assert form.read(f"\n {PROSE} \n").ok


def test_the_reader_says_what_the_prose_says_not_what_is_true() -> None:
    wrong = PROSE.replace(LAST, "Met 9 and partly 0 of 9. Score: 1. Recommendation: interview.")
    value: Any = form.read(wrong).value
    assert (value["required"]["met"], value["score"], value["recommendation"]) == (9, 1, "interview")


def test_what_lies_beyond_the_schema_is_refused_by_the_verifier() -> None:
    beyond = PROSE.replace(LAST, "Met 1 and partly 0 of 4. Score: 101. Recommendation: reject.")
    assert verify.prose(beyond, CV, {"cv": "", "job": ""}).reason is Reason.SCHEMA


@pytest.mark.timeout(300)
def test_no_pattern_backtracks_its_way_to_a_stall() -> None:
    """Milliseconds each; what backtracks takes hours."""
    rng = random.Random(0)
    hostile = [
        "for " * 4000,
        "Requires 1 year experience: " + '"a" and ' * 2000,
        "Requires skill a: " + '"a" from ' * 2000,
        "Strengths: " + "a, " * 6000,
        "x" * 19_999,
        '"' * 19_000,
    ]
    hostile.append("".join(rng.choice('Requires for ":,.1\n') for _ in range(19_000)))
    for text in hostile:
        form.scan(text)
