"""Quality by kind of requirement: what counts as right, and what is counted at all."""

import json
from dataclasses import replace

from benchmarks.quality import THERE, Tally, judged, table
from proseform import task as tasks
from proseform import testing
from proseform.errors import Refusal
from proseform.infer.answer import answer

CV = tasks.load("cv")


def row(kind, verdict, subject="", needs=""):
    return {"kind": kind, "subject": subject, "needs": needs, "verdict": verdict}


def test_a_row_is_right_by_its_verdict_and_one_that_is_left_out_or_made_up_is_wrong():
    gold = [row("skill", "met", "Go"), row("skill", "missing", "C"), row("degree", "partly", "Law", "master")]
    said = [row("skill", "unclear", "Go"), row("degree", "partly", "Law", "master"), row("permit", "met", "a van")]
    assert list(judged(gold, said)) == [
        ("skill", False),
        (THERE, True),  # it is seen, if not judged rightly
        ("skill", False),
        (THERE, False),
        ("degree", True),
        ("permit", False),
    ]


def test_a_level_is_no_question_of_there_or_not():
    assert THERE not in dict(judged([row("skill", "met", "Go", "advanced")], []))


def test_the_table_counts_answers_refusals_and_what_was_computed_anew():
    right, wrong, gone = CV.generate("professional", "test", 3, 3)
    score = wrong.answer["score"]
    texts = [right.prose, wrong.prose.replace(f"Score: {score}.", f"Score: {(score + 50) % 101}.")]
    bundle = testing.toy_bundle(CV, settings={"accept": "recomputed"})
    tally = Tally()
    for case, text in zip([right, wrong], texts, strict=True):
        engine = testing.ScriptedEngine(bundle, [text, json.dumps(case.answer)])
        tally.add(case, answer(engine, CV, case.inputs))
    tally.add(gone, Refusal("ungrounded", "It stands nowhere."))
    lines = list(table(tally, 0.5))
    assert lines[2].startswith("| answered | 2 of 3 | 0.667 |")
    assert lines[4].startswith("| … with something computed anew | 1 of 3 |")
    assert lines[5].startswith("| recommendation right | 2 of 2 | 1.000 |")
    assert lines[6].startswith("| wholly right | 2 of 2 |")
    assert lines[-1] == "refused: 1 ungrounded; 0.5 s a case"
    given = replace(tally.answered[0][1], value={**right.answer, "recommendation": "none"})
    assert next(line for line in table(Tally([(right, given)]), 1) if "recommendation" in line).startswith(
        "| recommendation right | 0 of 1 |"
    )
