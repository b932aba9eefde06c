"""A measurement of the toy task: a study, and outcomes of variants that rise, with hostile words where wrong."""

import json
import random
from dataclasses import replace

from proseform.outcome import Outcome
from proseform.suites import Strange, Study, Subject
from proseform.suites.plans import judge, plan
from proseform.testing import toy_task

TASK = toy_task()
HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(2)> \"' {{ 7 * 7 }} {% raw %} &amp; \u202e"
SUBJECTS = (Subject("base", trained=False), Subject("sft"), Subject("grpo", shipped=True))
SKILL = {"base": 0.0, "sft": 0.5, "grpo": 0.9}


def study(cases=20, **changes):
    """The toy task's cases of level easy, with those of level hard beside them."""
    schema = TASK.format("full")
    held_out = tuple(TASK.generate("easy", "test", 0, cases))
    strange = [Strange(f"schema-{case.id}", schema, case.prose, case.answer) for case in held_out[:3]]
    return Study(
        **{
            "task": TASK,
            "rubric": TASK.rubric(),
            "schema": schema,
            "level": "easy",
            "cases": held_out,
            "harder": {"hard": tuple(TASK.generate("hard", "test", 0, 5))},
            "strange": tuple(strange),
            "train": tuple(TASK.generate("easy", "train", 0, 30)),
            "samples": 2,
            "shots": 1,
            "blind": 10,
            **changes,
        }
    )


def outcomes(of, seed=0, bad="I'd be happy to help!", skill=SKILL, subjects=SUBJECTS):
    """Judged outcomes of everything that is planned."""
    rng = random.Random(seed)
    done: dict[str, Outcome] = {}
    for subject in subjects:
        for ask in plan(of, subject):
            record = ask.record
            right = rng.random() < skill[subject.name] and record.suite != "blind"
            if ask.role == "evaluator":
                text = of.by_id[record.case].prose if right else bad
                texts = {"text": text}
            else:
                known = of.strange_by_id.get(record.case) or of.by_id[record.case]
                source = done[ask.after].text if ask.after else ask.values["prose"]
                wrong = {**known.answer, "verdict": "send", "note": "x"}
                text = json.dumps(dict(known.answer) if right or record.suite == "formatter" else wrong)
                texts = {"given": source, "text": text if ask.constrained or record.suite == "formatter" else bad}
            done[record.id] = replace(record, texts=texts, seconds=0.5, tokens=len(text))
    return judge(done.values(), of)
