"""What is earned on a task without reading an input, level by level: `python -m benchmarks.blind`.

No model is asked: these are the baselines of :mod:`proseform.suites.blind` that look at training cases alone. A run's
thresholds must lie above them. Writes docs/results/blind.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from proseform import config, task
from proseform.suites import Study, blind

CASES, TRAIN = 200, 300


def main() -> None:
    """Measure, print, and write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--task", default="cv")
    options.add_argument("--out", type=Path, default=Path("docs/results/blind.md"))
    chosen = options.parse_args()
    the_task, seeds = task.load(chosen.task), config.Dataset()
    lines = [
        f"# What the task `{the_task.name}` gives without reading", "",
        f"Printed by `python -m benchmarks.blind --task {the_task.name}`. {CASES} held-out cases of each level;",
        "texts are chosen on training cases. A report adds what its own model earns when one input is another case's,",
        "and the gate holds thresholds against all of these.", "",
        "| level | answered by | reward | recommendation right |", "|---|---|---|---|",
    ]  # fmt: skip
    for level in the_task.levels:
        study = Study(
            the_task,
            the_task.rubric(),
            the_task.schema,
            level,
            cases=tuple(the_task.generate(level, "test", seeds.test_seed, CASES)),
            train=tuple(the_task.generate(level, "train", seeds.seed, TRAIN)),
        )
        baseline = blind.summarise([], study)["blind"]
        rows = [(row["how"], row["reward"], row["headline_right"]) for row in baseline["rows"]]
        if chance := baseline["chance"]:
            rows.append((f"chance: always `{chance['label']}`", None, chance["right"]))
        lines += [f"| {level} | {how} | {_figure(reward)} | {_figure(right)} |" for how, reward, right in rows]
    chosen.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def _figure(estimate: dict[str, Any] | None) -> str:
    """A figure with its interval."""
    return "n/a" if estimate is None else f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


if __name__ == "__main__":
    main()
