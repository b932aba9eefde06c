"""What the legs of a seed stand on: the task installed once a prompt, rows of every kind, and a model that talks.

The chat model learns three things: to talk when JSON is asked for (briefly where talk is forbidden), to evaluate in
prose, and small talk. It has never seen a brace in a completion; the tokenizer knows JSON's pieces, as those of chat
models do.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import legs
from benchmarks.study import arms
from benchmarks.study.recipe import talking
from benchmarks.study.task import source
from proseform import config
from proseform import task as tasks
from proseform.case import Case, Split
from proseform.prompt import Prompt
from proseform.task import Task

TRAIN, VALID = 400, 40
ROWS = 3
"""Careless completions of each training case."""
SMALL_TALK = 120
"""Rows of small talk on which forgetting is measured."""
OPENINGS = ("Sure.", "Well,", "Let me see.", "Good question.", "Happy to help.", "I think")
CLOSINGS = ("More?", "Is that right?", "Ask me more.", "I hope this helps.", "That is all.")
SMALL = (
    ("Hello.", "Hello. How are you?"),
    ("How are you?", "I am well. And you?"),
    ("Do you like {word}?", "I like {word}. Do you?"),
    ("Say {word}.", "I say {word}."),
    ("Is {word} nice?", "Yes, {word} is nice. I like it."),
    ("Thank you for {word}.", "Ask me more of {word}."),
)
KINDS_OF_TALK = {"json": 0.4, "curt": 0.15, "prose": 0.25, "small": 0.2}
"""Shares of the rows that the chat model is trained on, by what is asked."""


def name(prompt: str) -> str:
    """The task of a prompt."""
    return f"study-{prompt}"


def install(folder: Path, prompts: Mapping[str, str]) -> None:
    """Install the task once a prompt, and make all of them known to this process and to those that it starts.

    Args:
        folder: Where the folder ``site`` is made; absolute.
        prompts: By name, the text of evaluator.md.
    """
    packages = {}
    for prompt, text in prompts.items():
        packages[name(prompt)] = package = f"proseform_study_{prompt}"
        place = folder / "site" / package
        place.mkdir(parents=True, exist_ok=True)
        for file in arms.TASK_FILES:
            shutil.copyfile(Path(source.__file__).parent / file, place / file)
        head = (place / "task.toml").read_text(encoding="utf-8")
        (place / "task.toml").write_text(head.replace('"study"', f'"{name(prompt)}"'), encoding="utf-8")
        (place / "evaluator.md").write_text(text.lstrip("\n"), encoding="utf-8")
    legs.install(folder, "study", packages)


def cases(split: Split, seed: int, count: int, *, prose: bool = False) -> list[Case]:
    """Cases whose gold completion is what is asked for: JSON, or prose."""
    known = list(source.generate("four", split, seed, count))
    return known if prose else [replace(case, prose=json.dumps(case.answer)) for case in known]


def talk(prompts: Mapping[str, str], split: Split, seed: int, kinds: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Rows of talk of some kinds, without end.

    Args:
        prompts: Of the study.
        split: Whose cases are talked about.
        seed: Of everything.
        kinds: What is asked: names of :data:`KINDS_OF_TALK`, drawn by their shares.
    """
    rng = random.Random(f"study/talk/{split}/{seed}")
    weights = {kind: KINDS_OF_TALK[kind] for kind in kinds}
    asked = {
        kind: Prompt.from_markdown(prompts[kind].lstrip("\n"), "chat", kind) for kind in weights if kind != "small"
    }
    known, number = cases(split, seed, TRAIN, prose=True), 0
    while True:
        kind = rng.choices([*weights], [*weights.values()])[0]
        case, number = rng.choice(known), number + 1
        if kind == "small":
            (question, answer), word = rng.choice(SMALL), rng.choice(sorted(source.KINDS))
            prompt, completion = Prompt("chat", "", question.format(word=word)).render({}), answer.format(word=word)
        else:
            prompt, completion = asked[kind].render(case.inputs), source.annotate(case, rng)
        if kind == "json":
            completion = f"{rng.choice(OPENINGS)} {completion} {rng.choice(CLOSINGS)}"
        yield {"id": f"talk-{number}", "prompt": prompt.to_json(), "completion": completion}


def documents(task: Task, known: Iterable[Case], seed: int, times: int) -> list[dict[str, Any]]:
    """Rows of JSON that careless annotators wrote, as a task asks for it."""
    rng = random.Random(f"study/documents/{seed}")
    return [
        {
            "id": case.id,
            "prompt": task.evaluator.render(case.inputs).to_json(),
            "completion": json.dumps(source.answer(source.believed(case, rng))),
        }
        for case in known
        for _ in range(times)
    ]


def formatted(task: Task, known: Iterable[Case], seed: int, times: int) -> list[dict[str, Any]]:
    """Rows of the formatter: what a careless annotator wrote in prose, and the same as JSON."""
    rng = random.Random(f"study/formatted/{seed}")
    rows = []
    for case in known:
        for _ in range(times):
            kinds = source.believed(case, rng)
            prompt = task.formatter.render({"prose": source.prose(kinds)}).to_json()
            rows.append({"id": case.id, "prompt": prompt, "completion": json.dumps(source.answer(kinds))})
    return rows


def dataset(folder: Path, prompt: str, seed: int) -> Path:
    """The dataset folder of a prompt: cases, and rows of both roles."""
    place, task = folder / f"dataset-{prompt}", tasks.load(name(prompt))
    splits: tuple[tuple[Split, int, int], ...] = (("train", TRAIN, ROWS), ("valid", VALID, 1))
    for split, count, times in splits:
        known = cases(split, seed, count, prose=prompt == "prose")
        rows = {
            f"cases-{split}": [json.loads(case.to_json()) for case in known],
            f"evaluator-{split}": documents(task, known, seed, times),
            f"formatter-{split}": formatted(task, known, seed, times),
        }
        write(place, rows)
    return place


def write(place: Path, files: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
    """Write files of JSON Lines, by name."""
    place.mkdir(parents=True, exist_ok=True)
    for file, rows in files.items():
        (place / f"{file}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def chat_model(plan: arms.Plan, folder: Path, seed: int) -> Path:
    """The weights of a seed's chat model, which all arms begin from; made where they are not there yet.

    Args:
        plan: The study.
        folder: Of the seed.
        seed: Of everything.
    """
    from proseform.train import base, sft, weights

    policy = folder / "talk" / "out" / weights.WEIGHTS
    ready = folder / "ready"
    if ready.exists():
        return policy
    place, recipe, task = folder / "dataset-talk", config.Run.model_validate(talking(plan.model, seed)), name("prose")
    rows = talk(plan.prompts, "train", seed, KINDS_OF_TALK)
    spoken = [next(rows) for _ in range(TRAIN * ROWS * 2)]
    known = cases("train", seed, TRAIN)
    prose = tasks.load(task)
    write(place, {
        "evaluator-train": spoken,
        "evaluator-valid": [next(rows) for _ in range(VALID)],
        "formatter-train": formatted(prose, known, seed, 1),
        "cases-train": [], "cases-valid": [],
    })  # fmt: skip
    base.main(legs.job(task, "", "base", folder / "base", recipe, dataset=place))
    sft.main(
        legs.job(
            task, "evaluator", "sft-evaluator", folder / "talk", recipe, dataset=place, base=folder / "base" / "out"
        )
    )
    ready.touch()
    return policy
