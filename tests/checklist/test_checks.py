"""The checks: each holds for a sound reward, and each way of spoiling one fails its row, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proseform import hostile, reward, task, verify
from proseform.checklist import by_function, by_task, contract, payment
from proseform.checklist.gold_rows import Row
from proseform.rubric import Rubric
from proseform.task import Task
from proseform.task.planted import Planted
from proseform.testing import toy_task

TOY = toy_task()
SOUND = by_task.subject(TOY, TOY.rubric())
ROWS = {
    "signature": contract.signature,
    "laws": contract.laws,
    "corpus": contract.corpus,
    "batch": contract.batch,
    "gold": payment.gold,
    "meaning": payment.meaning,
    "separates": payment.separates,
    "exploits": payment.planted,
}


def spoilt(**terms) -> Task:
    """The toy task with other terms."""
    return replace(TOY, terms={**TOY.terms, **terms})


def right(text, case):
    """The sound term."""
    return TOY.terms["right"](text, case)


def calls(_text, _case, seen=[]):  # noqa: B006 - the point is that it remembers
    """A score that depends on what was scored before."""
    seen.append(1)
    return 1 / (1 + len(seen) % 7)


def keywords(text, _case):
    """Paid for each word of the schema."""
    return sum(word in text for word in ("verdict", "grams", "note", "send", "refuse")) / 5


SPOILT = [
    ("signature", spoilt(right=lambda text: 1.0), "right(prose, case): too many positional arguments", "one argument"),
    ("laws", replace(TOY, gold=()), "cases.jsonl is empty", "a task without gold cases"),
    (
        "corpus",
        spoilt(right=lambda text, case: None if "{" in text else right(text, case)),
        "term 'right' gave None",
        "None where the text is JSON",
    ),
    (
        "corpus",
        spoilt(right=lambda text, case: len(text.encode()) * 0.0),
        "for a lone surrogate (encode() raises on it) it fails: UnicodeEncodeError",
        "an exception",
    ),
    ("corpus", spoilt(right=lambda text, case: -1.0), "gave -1, expected a number in [0, 1]", "a penalty"),
    ("batch", spoilt(right=calls), "together, ", "a memory of what was scored before"),
    ("gold", spoilt(right=lambda text, case: 0.9), "gold earns 0.7937, expected 1", "gold that is not paid in full"),
    (
        "meaning",
        spoilt(right=lambda text, case: right(text, case) * (1 - text.count("\n") / 99)),
        "with a line feed behind it earns",
        "a length that counts what is stripped",
    ),
    ("separates", spoilt(form=lambda _text, _case: 1.0), "'form' never varies: it gives 1 to every text", "a constant"),
    (
        "exploits",
        spoilt(right=lambda text, case: max(right(text, case), float("every point" in text))),
        "'a word to the grader behind it' earns",
        "a judge that believes what it reads",
    ),
]


@pytest.mark.parametrize("name", ROWS)
def test_a_sound_reward_keeps_every_check(name: str) -> None:
    row = ROWS[name](SOUND)
    assert (row.check, row.result) == (name, "holds"), row.reason


@pytest.mark.parametrize(("name", "task_", "words"), [row[:3] for row in SPOILT], ids=[row[3] for row in SPOILT])
def test_a_spoilt_reward_fails_its_check_in_words(name: str, task_: Task, words: str) -> None:
    row = ROWS[name](by_task.subject(task_, TOY.rubric()))
    assert row.result == "fails"
    assert words in row.reason


def test_keywords_that_are_paid_are_an_exploit_that_pays() -> None:
    subject = by_task.subject(spoilt(right=keywords), Rubric({"right": 1}, {}))
    assert "'keywords' earns 1.000: names and choices of the schema are counted" in payment.planted(subject).reason


def test_more_is_never_better_than_honest_mediocrity() -> None:
    """A term that pays for length pays for additions, which are planted beside the mediocre text."""
    subject = by_task.subject(spoilt(right=lambda text, case: min(1.0, len(text) / 4_000)), Rubric({"right": 1}, {}))
    assert "over-long" in payment.planted(subject).reason


def test_a_tasks_own_exploits_are_planted_too() -> None:
    own = replace(TOY, exploits=(Planted("the parcel's words", "they are quoted", "{parcel} {rule:1}"),))
    subject = by_task.subject(own, TOY.rubric())
    names = [one.name for one in subject.own[0]]
    assert names == ["written unread, 1", "the parcel's words"]
    assert subject.own[0][1].text == " ".join(TOY.gold[0].inputs.values())


def test_the_gated_reward_of_json_keeps_every_check_of_what_it_pays_for() -> None:
    subject = by_task.subject(TOY, None)
    for check in (contract.corpus, contract.batch, payment.gold, payment.meaning, payment.separates, payment.planted):
        row = check(subject)
        assert row.result == "holds", row


def test_honest_mediocrity_says_half_of_its_leaves_wrong_in_the_right_form() -> None:
    for case, (mediocre, _) in enumerate(payment.mediocrity(SOUND)):
        gold, value = SOUND.read(SOUND.golds[case], case), SOUND.read(mediocre, case)
        assert [gold[name] == value[name] for name in gold] == [True, False, True]


def test_there_are_enough_exploits_each_with_a_name_and_a_reason_of_its_own() -> None:
    rows = payment.mediocrity(SOUND)
    names = [[one.name for one in planted_] for _, planted_ in rows]
    assert len(set(names[0])) == len(names[0]) >= 25 + len(SOUND.own[0])
    assert all(other == names[0] for other in names)
    assert all(one.why for one in rows[0][1])


def test_no_exploit_that_stands_alone_holds_the_gold_of_its_own_case() -> None:
    for case, (_, planted_) in enumerate(payment.mediocrity(SOUND)):
        assert not [one.name for one in planted_ if SOUND.golds[case] in one.text]


def test_hostile_texts_are_many_and_each_has_its_reason() -> None:
    rows = hostile.texts(TOY.gold[0].prose)
    assert len({row.name for row in rows}) == len(rows) >= 60
    assert all(row.why for row in rows)
    assert max(len(row.text.encode("utf-8", "surrogatepass")) for row in rows) >= 100_000


def test_where_nothing_in_gold_can_be_made_wrong_gold_itself_is_the_bar() -> None:
    """One word is right or wrong; so that one constant, which is right now and then, is not taken for an exploit."""

    def exact(completions, due, **_):
        return [float(text.strip() == word) for text, word in zip(completions, due, strict=True)]

    rows = [Row("Is it light?", word, {"due": word}) for word in ("yes", "no", "yes")]
    row = payment.planted(by_function.subject("exact", exact, rows))
    assert row.result == "holds", row.reason
    assert "honest mediocrity, 1.000 (gold itself, of which no half can be made wrong)" in row.what


def test_a_task_whose_reader_says_what_follows_is_halved_all_the_same() -> None:
    """Half right is seldom consistent: the form alone says which place of a text states which leaf."""
    cv = task.load("cv")
    subject = by_task.subject(replace(cv, gold=cv.gold[:2]), cv.rubric())
    (mediocre, _) = payment.mediocrity(subject)[0]
    gold, value = subject.read(subject.golds[0], 0), subject.read(mediocre, 0)
    assert 0.3 < reward.content_share(value, gold) < 0.8
    assert not verify.prose(mediocre, cv, subject.inputs[0]).ok
