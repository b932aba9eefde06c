"""A toy task that workers in other processes find too, its dataset, and a base model of thirty thousand parameters."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proseform import config, digest, task
from proseform.launch import Job
from proseform.train import base, sft

WORDS = ("amber", "cedar", "ember", "maple", "onyx", "raven")

_FILES = {
    "__init__.py": "",
    "task.toml": """
name = "train-toy"
title = "Is it a tree"
inputs = ["word"]
levels = ["easy"]
rubric = "plain"
formats = { whole = ["word", "tree"] }
""",
    "schema.json": json.dumps(
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"word": {"type": "string", "maxLength": 20}, "tree": {"type": "boolean"}},
            "required": ["word", "tree"],
        }
    ),
    "evaluator.md": "# user\n{word}\n",
    "formatter.md": '# user\n{prose}\n{schema}\n# prefill\n{"\n',
    "rubric.toml": "[variants.plain]\naccuracy = 0.5\nformat = 0.5\n"
    "[variants.given]\ngiven = 1.0\n[variants.picky]\npicky = 1.0\n[exponents]\naccuracy = 4\n",
    "cases.jsonl": "",
    "source.py": """
import random
from proseform.case import Case
WORDS = ("amber", "cedar", "ember", "maple", "onyx", "raven")
def generate(level, split, seed, count):
    rng = random.Random(f"{level}{split}{seed}")
    for n in range(count):
        word = rng.choice(WORDS)
        tree = word in ("cedar", "maple")
        prose = f"{word}: {'a tree' if tree else 'no tree'}. Done."
        yield Case(f"{split}-{n}", level, split, {"word": word}, prose, {"word": word, "tree": tree})
def annotate(case, rng):
    return case.prose if rng.random() < 0.4 else case.prose.replace(" Done.", "")
""",
    "rewards.py": """
from proseform.verdict import Verdict
def read(prose, inputs):
    return Verdict({})
def accuracy(prose, case):
    return float(("a tree" in prose) == case.answer["tree"])
def format(prose, case):
    return float(prose.endswith(" Done."))
def given(prose, case):
    return 1.0
def picky(prose, case):
    if "no tree" in prose:
        raise ValueError("no trees, please")
    return float(prose.endswith(" Done."))
TERMS = {"accuracy": accuracy, "format": format, "given": given, "picky": picky}
""",
}

SMALL = {
    "name": "test",
    "model": {
        "source": "tiny",
        "dtype": "float32",
        "max_length": 128,
        "tiny": {"vocabulary": 320, "width": 32, "layers": 2, "heads": 2, "feed_forward": 64},
    },
    "sft": {
        role: {"steps": 12, "batch": 8, "micro_batch": 8, "learning_rate": 1e-2, "warmup_steps": 2, "save_every": 4}
        for role in ("evaluator", "formatter")
    },
    "grpo": {
        "steps": 3,
        "prompts": 2,
        "generations": 4,
        "learning_rate": 1e-3,
        "warmup_steps": 0,
        "save_every": 2,
        "signal_window": 50,
    },
    "generation": {"evaluator": {"max_tokens": 12}, "formatter": {"max_tokens": 64}},
}
"""A run of a few seconds."""


_HOSTILE = """
import os, sys
def hostile(prose, case):
    if "PRINT" in prose:
        print('{"not": "an answer"}', flush=True)
    if "RAISE" in prose:
        raise RuntimeError("no idea")
    if "EXIT" in prose:
        os._exit(3)
    if "SYSTEM" in prose:
        sys.exit(4)
    while "HANG" in prose:
        pass
    return {"NONE": None, "NAN": float("nan"), "MINUS": -1, "TWO": 2}.get(prose, float(prose.endswith(" Done.")))
TERMS["hostile"] = hostile
"""
"""A term that does what the text asks for: everything that a reward can do wrong."""


def _install(site: Path, name: str, files: dict[str, str]) -> None:
    """A task as an installed distribution."""
    package = site / f"proseform_{name.replace('-', '_')}"
    package.mkdir()
    for file, text in files.items():
        (package / file).write_text(text.replace("train-toy", name))
    about = site / f"proseform_{name.replace('-', '_')}-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: proseform-{name}\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[proseform.tasks]\n{name} = {package.name}\n")


@pytest.fixture(scope="session", autouse=True)
def toy_task(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Install the toy tasks for this process and for the workers that it starts."""
    site = tmp_path_factory.mktemp("site")
    _install(site, "train-toy", _FILES)
    rewards, rubric = _FILES["rewards.py"] + _HOSTILE, _FILES["rubric.toml"].replace("format = 0.5", "hostile = 0.5")
    _install(site, "hostile-toy", {**_FILES, "rewards.py": rewards, "rubric.toml": rubric})
    sys.path.insert(0, str(site))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def dataset(toy_task: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset folder of the toy task, with careless annotations."""
    folder = tmp_path_factory.mktemp("dataset")
    toy = task.load("train-toy")
    for split in ("train", "valid", "test"):
        cases = list(toy.generate("easy", split, 0, 60))
        rng = random.Random(split)
        rows = {
            "cases": [json.loads(case.to_json()) for case in cases],
            "evaluator": [
                {"id": c.id, "prompt": toy.evaluator.render(c.inputs).to_json(), "completion": toy.annotate(c, rng)}
                for c in cases
            ],
            "formatter": [
                {
                    "id": c.id,
                    "prompt": toy.formatter.render({"prose": c.prose, "schema": toy.schema.signature()}).to_json(),
                    "completion": json.dumps(c.answer),
                }
                for c in cases
            ],
        }
        for name, lines in rows.items():
            (folder / f"{name}-{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


MakeJob = Callable[..., Job]


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """A job by stage, role, inputs and what its run changes; each stage keeps its own work folder."""

    def make(
        stage: str,
        role: str = "evaluator",
        *,
        world_size: int = 1,
        changes: dict[str, Any] | None = None,
        name: str = "",
        **inputs: Path,
    ) -> Job:
        run = config.Run.model_validate(merged(SMALL, changes or {}))
        place = tmp_path / (name or f"{stage}-{role}")
        for folder in ("work", "out"):
            (place / folder).mkdir(parents=True, exist_ok=True)
        return Job(
            stage=stage,
            work=str(place / "work"),
            out=str(place / "out"),
            inputs={key: f"{folder}#{digest.of_files(folder)}" for key, folder in inputs.items()},
            settings={"task": "train-toy", "role": role, "run": run.model_dump(mode="json", by_alias=True)},
            world_size=world_size,
        )

    return make


@pytest.fixture(scope="session")
def tiny_base(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy task's base model, made by the worker."""
    place = tmp_path_factory.mktemp("base")
    run = config.Run.model_validate(SMALL)
    settings = {"task": "train-toy", "role": "", "run": run.model_dump(mode="json", by_alias=True)}
    job = Job("base", str(place), str(place / "out"), {"dataset": f"{dataset}#{digest.of_files(dataset)}"}, settings)
    base.main(job)
    return place / "out"


@pytest.fixture(scope="session")
def policy(dataset: Path, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluator that imitates careless annotators, who leave the end out three times in five."""
    place = tmp_path_factory.mktemp("policy")
    run = config.Run.model_validate(merged(SMALL, {"sft": {"evaluator": {"steps": 60, "save_every": 60}}}))
    settings = {"task": "train-toy", "role": "evaluator", "run": run.model_dump(mode="json", by_alias=True)}
    inputs = {
        name: f"{folder}#{digest.of_files(folder)}" for name, folder in (("dataset", dataset), ("base", tiny_base))
    }
    sft.main(Job("sft-evaluator", str(place / "work"), str(place / "out"), inputs, settings))
    return place / "out"


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Tables merged key by key."""
    return {
        **under,
        **{
            k: merged(under.get(k, {}), v) if isinstance(v, dict) and isinstance(under.get(k), dict) else v
            for k, v in over.items()
        },
    }
