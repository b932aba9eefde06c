"""One leg: GRPO by one method from one seed, with the held-out reward after every few steps.

The stages are the package's own workers, called in this process. What they leave behind is kept in a leg's folder, so
that a leg which was stopped goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import legs
from benchmarks.signal import figures
from proseform import config, digest, jsonl, reward, rollouts, task
from proseform.case import Case
from proseform.launch import Job
from proseform.store import write_json

RUNGS = {"two": 0.15, "six": 0.15, "twelve": 0.7}
"""Shares of the rungs in training and held-out cases alike: most groups are dead, nearly all since none succeeds."""
TRAIN, VALID, HELD_OUT = 400, 80, 200
PROMPTS = 8
"""A step's, where a method does not say otherwise."""
EVERY = 5
"""Steps of so many prompts between two measurements."""
PATIENCE = 2
"""A method may take so many times the steps of plain GRPO."""
LONGEST = 64
"""Tokens of a completion."""
READY = "ready"
"""Marks the folder of an SFT policy that is done."""
RECORD = "record.json"
"""Of a leg that is done, in its folder."""

_BUDGET: dict[str, Any] = {"resample": {"budget": 4.0}}
_MOST: dict[str, Any] = {"replay": {"share": 0.75}}
_METHODS: dict[str, dict[str, Any]] = {
    "plain": {},
    "resample": _BUDGET,
    "rounds": {"rounds": {}},
    "zero_variance": {"zero_variance": {}},
    "curriculum": {"curriculum": {}},
    "skip": {"skip": {}},
    "replay": {"replay": {}},
    "gold": {"gold": {}},
    "resample+curriculum": {**_BUDGET, "curriculum": {}},
    "curriculum+replay": {"curriculum": {}, "replay": {}},
    "resample+curriculum+replay": {**_BUDGET, "curriculum": {}, "replay": {}},
    "replay .75": _MOST,
    "curriculum+replay .75": {"curriculum": {}, **_MOST},
    "resample+curriculum+replay .75": {**_BUDGET, "curriculum": {}, **_MOST},
    "resample+curriculum+replay .875": {**_BUDGET, "curriculum": {}, "replay": {"share": 0.875}},
}
CONTROLS: dict[str, dict[str, Any]] = {
    figures.SMALL: {"prompts": 2},
    "plain, twice the learning rate": {"learning_rate": 8e-4},
}
"""Without a method: do updates that come oftener, or are larger, save as much?"""
METHODS: dict[str, dict[str, Any]] = {
    **{name: {"signal": signal} for name, signal in _METHODS.items()},
    **CONTROLS,
}
"""What is compared, as `[grpo]`; the number behind ``replay`` is its share."""


def install(folder: Path) -> None:
    """Make the frozen task known to this process and to its scorer, by an entry point in a folder of its own."""
    legs.install(folder, "rungs", {"rungs": "benchmarks.signal.rungs"})


def recipe(seed: int, steps: int, grpo: Mapping[str, Any]) -> dict[str, Any]:
    """A run file: the same for every method but for what it changes in `[grpo]`."""
    sft = {"steps": 600, "batch": 16, "optimizer": "muon", "learning_rate": 6e-3, "matrix_rate": 0.03, "seed": seed}
    return {
        "name": "signal",
        "model": {
            "source": "tiny",
            "dtype": "float32",
            "max_length": 160,
            "tiny": {"vocabulary": 384, "width": 64, "layers": 2, "heads": 4, "feed_forward": 128, "seed": seed},
        },
        "sft": {"evaluator": {**sft, "save_every": 600}, "formatter": {"steps": 1}},
        "grpo": {
            "steps": steps, "prompts": PROMPTS, "generations": 8, "learning_rate": 4e-4, "warmup_steps": 3, "beta": 0.0,
            "save_every": 10, "signal_window": 10000, "seed": seed, **grpo,
        },
        "generation": {"evaluator": {"max_tokens": LONGEST}, "formatter": {"max_tokens": LONGEST}},
        "launch": {"device": "cpu"},
    }  # fmt: skip


def run(seed: int, steps: int, grpo: Mapping[str, Any]) -> config.Run:
    """The recipe with all that it leaves out."""
    return config.Run.model_validate(recipe(seed, steps, grpo))


def cases(split: Any, seed: int, count: int) -> list[Case]:
    """Cases of the frozen mix, shuffled."""
    rungs = task.load("rungs")
    drawn = [
        case for level, share in RUNGS.items() for case in rungs.generate(level, split, seed, round(share * count))
    ]
    random.Random(f"signal/{split}/{seed}").shuffle(drawn)
    return drawn


@dataclass(frozen=True, slots=True)
class Leg:
    """A method from a seed.

    Attributes:
        method: Its name.
        seed: Of the cases, the weights and the dice.
        plain: Optimiser steps of plain GRPO.
    """

    method: str
    seed: int
    plain: int

    @property
    def steps(self) -> int:
        """Optimiser steps, at most; smaller ones are more."""
        return self.plain if self.method == figures.PLAIN else PATIENCE * self.plain * self._smaller

    @property
    def every(self) -> int:
        """Steps between two measurements."""
        return EVERY * self._smaller

    @property
    def _smaller(self) -> int:
        """How many of its steps have as many prompts as one of the others."""
        return PROMPTS // int(METHODS[self.method].get("prompts", PROMPTS))

    @property
    def run(self) -> config.Run:
        """What is trained."""
        return run(self.seed, self.steps, METHODS[self.method])

    @property
    def key(self) -> str:
        """The digest of what it is: records by another recipe, or of other cases, are none of it."""
        frozen = [RUNGS, TRAIN, VALID, HELD_OUT, EVERY]
        return digest.of_json({"recipe": recipe(self.seed, self.steps, METHODS[self.method]), "frozen": frozen})

    def place(self, folder: Path) -> Path:
        """Its folder in that of all; another recipe has another, and none of this one's checkpoints."""
        return folder / f"{self.method}-{self.seed}-{digest.short(self.key)}"


def work_off(folder: Path, one: Leg, goal: float = math.inf) -> None:
    """Train, and write the leg's record; what its folder has of it is not done again.

    Args:
        folder: Of all legs.
        one: The leg.
        goal: The held-out reward with which it ends before its last step.
    """
    from proseform.train import grpo, weights

    weights.quiet()
    its_run = one.run
    its_job = job("grpo", one.place(folder), its_run, **trained(folder, one.seed, its_run))
    work = Path(its_job.work)

    def callback(trainer: Any) -> Any:
        return legs.counted(
            work,
            _held_out(trainer, its_run),
            one.every,
            tally=_tally,
            enough=lambda points: not math.isinf(figures.tokens_to(points, goal)),
        )

    with legs.watched(grpo, callback):
        grpo.main(its_job)
    points = _with_mixed_tokens(jsonl.rows(work / legs.POINTS), Path(its_job.out) / rollouts.FILE)
    record = {"method": one.method, "seed": one.seed, "key": one.key, "points": points}
    write_json(one.place(folder) / RECORD, record)


def done(folder: Path, one: Leg) -> dict[str, Any] | None:
    """The leg's record; None where there is none of its key."""
    path = one.place(folder) / RECORD
    record: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return record if record.get("key") == one.key else None


def _tally(logs: Mapping[str, Any], sums: Mapping[str, Any]) -> dict[str, Any] | None:
    """The sums of a step, and tokens that were trained on, of which some in mixed groups."""
    added = legs.grpo_tally(logs, sums)
    if added is None:
        return None
    trained = round(logs["trained_tokens"])
    return {
        **added,
        "trained": sums.get("trained", 0) + trained,
        "trained_mixed": sums.get("trained_mixed", 0) + round(trained * logs["trained_mixed"]),
    }


def _with_mixed_tokens(points: Sequence[Mapping[str, Any]], completions: Path) -> list[dict[str, Any]]:
    """Measurements with the sampled tokens in mixed groups until then, `mixed_tokens`."""
    groups: dict[tuple[int, int], list[rollouts.Rollout]] = defaultdict(list)
    for row in rollouts.read(completions)[1]:
        groups[row.step, row.group].append(row)
    tokens: Counter[int] = Counter()
    for (step, _), rows in groups.items():
        if len({row.reward for row in rows if row.reward is not None}) > 1:
            tokens[step] += sum(row.tokens for row in rows)
    return [
        {**point, "mixed_tokens": sum(some for step, some in tokens.items() if step <= point["step"])}
        for point in points
    ]


def job(stage: str, place: Path, recipe: config.Run, **inputs: Path) -> Job:
    """A job of a worker, with its folders."""
    return legs.job("rungs", "evaluator", stage, place, recipe, **inputs)


def trained(folder: Path, seed: int, recipe: config.Run) -> dict[str, Path]:
    """Dataset, base and SFT policy of a seed, which its methods share."""
    from proseform.train import base, sft

    place = _policy(folder, seed)
    dataset = place / "dataset"
    found = {"dataset": dataset, "base": place / "base" / "out", "policy": place / "policy" / "out"}
    if ready(folder, seed):
        return found
    dataset.mkdir(parents=True, exist_ok=True)
    rungs, rng = task.load("rungs"), random.Random(f"signal/annotators/{seed}")
    for split, count in (("train", TRAIN), ("valid", VALID)):
        known = cases(split, seed, count)
        rows = [
            {"id": c.id, "prompt": rungs.evaluator.render(c.inputs).to_json(), "completion": rungs.annotate(c, rng)}
            for c in known
            for _ in range(8 if split == "train" else 1)
        ]
        (dataset / f"cases-{split}.jsonl").write_text("".join(f"{case.to_json()}\n" for case in known))
        for role in ("evaluator", "formatter"):
            (dataset / f"{role}-{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    base.main(job("base", place / "base", recipe, dataset=dataset))
    sft.main(job("sft-evaluator", place / "policy", recipe, dataset=dataset, base=found["base"]))
    (place / READY).touch()
    return found


def ready(folder: Path, seed: int) -> bool:
    """Whether the SFT policy of a seed is there."""
    return (_policy(folder, seed) / READY).exists()


def _policy(folder: Path, seed: int) -> Path:
    """The folder of what a seed's methods begin with."""
    return folder / f"sft-{seed}"


def _held_out(trainer: Any, recipe: config.Run) -> legs.Measure:
    """What measures the held-out reward of a trainer's model."""
    import torch

    from proseform.infer import decode, loading, tokens

    rungs = task.load("rungs")
    rubric, known = rungs.rubric(), cases("test", recipe.grpo.seed, HELD_OUT)

    def held_out() -> dict[str, float]:
        """The mean reward of a completion a case, sampled by noise of its own: training's dice stay as they are."""
        model, tokenizer = trainer.model, trainer.processing_class
        prompts = [tokens.encode(tokenizer, rungs.evaluator.render(case.inputs)) for case in known]
        rows = [decode.Row(list(ids), LONGEST, recipe.grpo.temperature, seed) for seed, ids in enumerate(prompts)]
        model.eval()
        with torch.inference_mode():
            decode.run(model, rows, None, pad=tokenizer.pad_token_id, stop=loading.stop_ids(model, tokenizer))
        model.train()
        texts = [str(tokenizer.decode(row.ids, skip_special_tokens=True)) for row in rows]
        earned = (reward.score(text, case, rungs, rubric).composite for text, case in zip(texts, known, strict=True))
        return {"held_out": sum(one or 0.0 for one in earned) / len(known)}

    return held_out
