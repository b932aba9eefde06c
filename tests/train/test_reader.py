"""The reader of free prose: a real formatter of thirty thousand parameters, and GRPO that it rewards."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proseform import config, reward, rollouts, roundtrip, task
from proseform.data import splits
from proseform.launch import Job
from proseform.task import Task
from proseform.train import checkpoints, grpo, scorer, weights
from proseform.train.reader import Reader
from tests.train.conftest import SMALL, WORDS

MakeJob = Callable[..., Job]
FREE = "free-toy"
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"word": {"type": "string", "maxLength": 8}, "tree": {"type": "boolean"}},
    "required": ["word", "tree"],
}


@pytest.fixture
def free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task of data alone whose cases have prose of their own, in two styles."""
    folder = tmp_path / FREE
    folder.mkdir()
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    with (folder / "cases.jsonl").open("w") as file:
        for number in range(60):
            word, split = WORDS[number % len(WORDS)], ("train", "train", "valid", "test")[number % 4]
            tree = word in {"cedar", "maple"}
            prose = (f"{word}: {'a' if tree else 'no'} tree", f"It {'is' if tree else 'is not'} one, {word}")[
                number % 2
            ]
            case = {"split": split, "inputs": {"word": f"{word} {number}"}, "answer": {"word": word, "tree": tree}}
            file.write(json.dumps({**case, "prose": f"{prose}."}) + "\n")
    monkeypatch.setenv(task.FOLDERS, str(folder))
    return task.load(FREE)


@pytest.fixture
def free_dataset(free: Task, tmp_path: Path) -> Path:
    """Its dataset."""
    folder = tmp_path / "free-dataset"
    folder.mkdir()
    splits.write(free, config.Dataset(), {}, folder, lambda *_: None)
    return folder


def reader(free: Task, formatter: Path) -> Reader:
    run = config.Run.model_validate({**SMALL, "launch": {"device": "cpu"}})
    return Reader.load(run, free, formatter, formatter)


def test_what_is_made_of_a_text_hangs_on_nothing_but_the_text(free: Task, tiny_base: Path) -> None:
    """Neither on the order of a batch, nor on what else is in it, nor on how often it stands there."""
    texts = ["cedar: a tree.", "", "  ", "onyx " * 9, "x", "It is one, maple.", 'a "quote" \n', "Straße 7, 龍"]
    known = reader(free, tiny_base)
    together = known.read(texts)
    assert together.keys() == {*texts}
    shuffled = texts * 2
    random.Random(1).shuffle(shuffled)
    assert known.read(shuffled) == together
    assert {text: known.read([text])[text] for text in texts} == together


def test_what_is_made_conforms_or_is_nothing_and_empty_text_is_nothing(free: Task, tiny_base: Path) -> None:
    made = reader(free, tiny_base).read(["cedar: a tree.", "", "   "])
    assert made[""] is None
    assert made["   "] is None
    value = made["cedar: a tree."]
    assert value is None or free.schema.fault(value) is None


@pytest.mark.parametrize(("text", "value"), [("{}", None), ('{"word": "a"}', None), ("{", None), ("", None)])
def test_a_document_that_is_none_is_nothing(free: Task, tiny_base: Path, text: str, value: Any) -> None:
    from proseform.infer import Completion

    assert reader(free, tiny_base)._value(Completion(text, "stop", 1, 0.0)) is value


def test_a_batch_is_scored_by_what_was_made_of_it(free: Task) -> None:
    """The child that scores gets the readings; a text of which nothing was made earns nothing, and gold full marks."""
    case = next(free.generate("own", "test", 0, 1))
    made: dict[str, Any] = {"right": case.answer, "half": {**case.answer, "word": "x"}, "none": None}
    with scorer.Scorer(free.name, free.rubric(), read=lambda texts: {text: made[text] for text in texts}) as scoring:
        scores = scoring.score([*made], [case.to_json()] * 3)
        spent = scoring.reading_s()
    blind = free.readings.blind if free.readings is not None else 0.0
    half = roundtrip.earned(made["half"], case.answer, blind)
    assert [score.composite for score in scores] == [1.0, half, 0.0]
    assert [score.right for score in scores] == [True, False, False]
    assert spent is not None
    assert scoring.reading_s() == 0.0
    reading = free.reading(made)
    assert scores == [reward.score(text, case, reading, free.rubric()) for text in made]


def test_interrupted_it_ends_with_the_same_weights(
    make_job: MakeJob, free_dataset: Path, tiny_base: Path, tmp_path: Path
) -> None:
    """Its last save lost, GRPO of free prose goes on from step 2: frozen weights read the same texts the same way."""
    untrained = tmp_path / "untrained"
    shutil.copytree(tiny_base, untrained / weights.WEIGHTS)
    inputs = {"dataset": free_dataset, "base": tiny_base, "policy": untrained, "formatter": untrained}
    done = []
    for name in ("whole", "cut"):
        job = make_job("grpo", name=name, **inputs)
        job = replace(job, settings={**job.settings, "task": FREE})
        grpo.main(job)
        if name == "cut":
            (Path(job.work) / checkpoints.FOLDER / "checkpoint-3" / "seal.json").unlink()
            grpo.main(job)
        done.append(job)
    whole, cut = (Path(job.out) for job in done)
    saved = [next((out / weights.WEIGHTS).glob("*.safetensors")).read_bytes() for out in (whole, cut)]
    assert saved[0] == saved[1]
    assert rollouts.read(whole / rollouts.FILE) == rollouts.read(cut / rollouts.FILE)
    figures = weights.read_manifest(whole)["figures"]
    assert figures["steps"] == 3
    assert figures["reading_s"] > 0
