"""Attacks in training cases: a share, of trained families, in the training split alone; none unless asked for."""

import json
from collections import Counter

from proseform import config, task
from proseform.case import ATTACKED, load_cases
from proseform.data import splits
from proseform.injection import attacks

CV = task.load("cv")


def written(folder, **changes):
    folder.mkdir()
    dataset = config.Dataset(**{"train": 300, "valid": 20, "test": 20, "format": "nested", **changes})
    splits.write(CV, dataset, {}, folder, lambda *_: None)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_without_a_share_the_data_are_byte_for_byte_what_they_were(tmp_path):
    """Those of a share differ in the training cases and the evaluator's training rows alone."""
    plain, attacked = written(tmp_path / "plain"), written(tmp_path / "attacked", injected=0.3)
    assert not any(ATTACKED.encode() in data for data in plain.values())
    assert {name for name, data in attacked.items() if data != plain[name]} == {
        "cases-train.jsonl", "evaluator-train.jsonl", "formatter-train.jsonl",
    }  # fmt: skip
    before, after = (
        [json.loads(line) for line in one["formatter-train.jsonl"].splitlines()] for one in (plain, attacked)
    )
    assert len(before) == len(after)


def test_a_share_of_the_training_cases_is_attacked_by_every_trained_family(tmp_path):
    files = written(tmp_path / "a", injected=0.3)
    assert written(tmp_path / "b", injected=0.3) == files
    cases = load_cases(tmp_path / "a" / "cases-train.jsonl")
    families = Counter(case.id.partition(ATTACKED)[2] for case in cases)
    assert 0.2 < 1 - families.pop("") / len(cases) < 0.4
    assert families.keys() == set(attacks.families("trained"))
    rows = [json.loads(line) for line in files["evaluator-train.jsonl"].splitlines()]
    assert [row["id"] for row in rows] == [case.id for case in cases]
    attacked = next(case for case in cases if ATTACKED in case.id)
    prompt = json.dumps(next(row for row in rows if row["id"] == attacked.id)["prompt"], ensure_ascii=False)
    for text in attacked.inputs.values():
        assert json.dumps(text, ensure_ascii=False)[1:-1] in prompt
