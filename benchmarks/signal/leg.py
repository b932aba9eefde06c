"""One leg: GRPO by one method from one seed, with the held-out reward after every few steps.

The stages are the package's own workers, called in this process. What they leave behind is kept in a leg's folder, so
that a leg which was stopped goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from benchmarks import legs
from proseform import config, jsonl, reward, task
from proseform.case import Case
from proseform.launch import Job

RUNGS = {"two": 0.15, "six": 0.15, "twelve": 0.7}
"""Shares of the rungs in training and held-out cases alike: most groups are dead, nearly all since none succeeds."""
TRAIN, VALID, HELD_OUT = 400, 80, 200
EVERY = 5
"""Steps between two measurements."""
LONGEST = 64
"""Tokens of a completion."""

METHODS: dict[str, dict[str, Any]] = {
    "plain": {},
    "resample": {"resample": {"budget": 4.0}},
    "zero_variance": {"zero_variance": {}},
    "curriculum": {"curriculum": {}},
    "skip": {"skip": {}},
    "replay": {"replay": {}},
    "gold": {"gold": {}},
    "rounds": {"rounds": {}},
    "resample+curriculum": {"resample": {"budget": 4.0}, "curriculum": {}},
    "curriculum+replay": {"curriculum": {}, "replay": {}},
    "resample+curriculum+replay": {"resample": {"budget": 4.0}, "curriculum": {}, "replay": {}},
}
"""What is compared, as `[grpo.signal]`."""


def install(folder: Path) -> None:
    """Make the frozen task known to this process and to its scorer, by an entry point in a folder of its own."""
    legs.install(folder, "rungs", {"rungs": "benchmarks.signal.rungs"})


def run(seed: int, steps: int, signal: dict[str, Any]) -> config.Run:
    """The recipe: the same for every method."""
    sft = {"steps": 600, "batch": 16, "optimizer": "muon", "learning_rate": 6e-3, "matrix_rate": 0.03, "seed": seed}
    return config.Run.model_validate(
        {
            "name": "signal",
            "model": {
                "source": "tiny",
                "dtype": "float32",
                "max_length": 160,
                "tiny": {"vocabulary": 384, "width": 64, "layers": 2, "heads": 4, "feed_forward": 128, "seed": seed},
            },
            "sft": {"evaluator": {**sft, "save_every": 600}, "formatter": {"steps": 1}},
            "grpo": {
                "steps": steps, "prompts": 8, "generations": 8, "learning_rate": 4e-4, "warmup_steps": 3, "beta": 0.0,
                "save_every": 10, "signal_window": 1000, "seed": seed, "signal": signal,
            },
            "generation": {"evaluator": {"max_tokens": LONGEST}, "formatter": {"max_tokens": LONGEST}},
            "launch": {"device": "cpu"},
        }
    )  # fmt: skip


def cases(split: Any, seed: int, count: int) -> list[Case]:
    """Cases of the frozen mix, shuffled."""
    rungs = task.load("rungs")
    drawn = [
        case for level, share in RUNGS.items() for case in rungs.generate(level, split, seed, round(share * count))
    ]
    random.Random(f"signal/{split}/{seed}").shuffle(drawn)
    return drawn


def work_off(folder: Path, method: str, seed: int, steps: int) -> list[dict[str, Any]]:
    """A leg's measurements; what was done before is not done again."""
    done = folder / f"{method}-{seed}-{steps}.json"
    if done.is_file():
        return list(json.loads(done.read_text()))
    from proseform.train import weights

    weights.quiet()
    recipe = run(seed, steps, METHODS[method])
    points = _grpo(folder / f"{method}-{seed}-{steps}", recipe, trained(folder, seed, recipe))
    done.write_text(json.dumps(points))
    return points


def job(stage: str, place: Path, recipe: config.Run, **inputs: Path) -> Job:
    """A job of a worker, with its folders."""
    return legs.job("rungs", "evaluator", stage, place, recipe, **inputs)


def trained(folder: Path, seed: int, recipe: config.Run) -> dict[str, Path]:
    """Dataset, base and SFT policy of a seed, which its methods share."""
    from proseform.train import base, sft

    place = folder / f"sft-{seed}"
    dataset, ready = place / "dataset", place / "ready"
    found = {"dataset": dataset, "base": place / "base" / "out", "policy": place / "policy" / "out"}
    if ready.exists():
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
    ready.touch()
    return found


def _grpo(place: Path, recipe: config.Run, inputs: dict[str, Path]) -> list[dict[str, Any]]:
    """Train, and measure on the way; a run that goes on keeps the measurements before its checkpoint."""
    from proseform.train import grpo

    its_job = job("grpo", place, recipe, **inputs)
    work = Path(its_job.work)
    with legs.watched(grpo, lambda trainer: legs.counted(work, _held_out(trainer, recipe), EVERY)):
        grpo.main(its_job)
    return list(jsonl.rows(work / legs.POINTS))


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
