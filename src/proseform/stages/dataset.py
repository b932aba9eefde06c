"""dataset: cases of the task in disjoint splits, and the rows of each role."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proseform import config, digest, launch
from proseform.data import splits
from proseform.stages import cache


def run(task: str, run: str, dataset: cache.Artifact) -> None:
    """Make the dataset of a run.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        dataset: Is handed the result.

    Raises:
        InputError: An unknown task, run, level or format, or a case file that does not fit.
    """
    wanted, the_task = config.load(run), cache.load_task(task)
    tests = dict.fromkeys(wanted.evaluate.levels, wanted.evaluate.cases)
    inputs: dict[str, Any] = {
        "task": [the_task.contract, the_task.data],
        "dataset": wanted.dataset.model_dump(mode="json"),
        "tests": tests,
    }
    if wanted.dataset.file and Path(wanted.dataset.file).is_file():
        inputs["file"] = digest.of_files(Path(wanted.dataset.file).parent, [Path(wanted.dataset.file).name])

    def body(work: Path, out: Path) -> dict[str, Any]:
        counts = splits.write(
            the_task, wanted.dataset, tests, out, lambda done, total: launch.report_progress(work, done, total)
        )
        cases = sum(number for name, number in counts.items() if name.startswith("cases"))
        return {"key": f"{cases} cases", "cases": cases, "rows": counts}

    cache.hand_over(cache.once("dataset", inputs, body), dataset)
