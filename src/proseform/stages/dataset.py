"""dataset: cases of the task in disjoint splits, and the rows of each role."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from proseform import config, digest, launch, warm
from proseform.data import splits
from proseform.stages import cache, keys, retention


def run(task: str, run: str, dataset: cache.Artifact) -> None:
    """Make the dataset of a run; before that, as every pipeline begins here, delete own texts whose date has come.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        dataset: Gets the result.

    Raises:
        InputError: An unknown task, run, level or format, or a case file that does not fit.
    """
    resolved, the_task = config.load(run), cache.load_task(task)
    retention.tidy(cache.home())
    tests = dict.fromkeys(resolved.evaluate.levels, resolved.evaluate.cases)
    inputs: dict[str, Any] = {
        "task": [the_task.contract, the_task.data],
        "dataset": resolved.dataset.model_dump(mode="json"),
        "tests": tests,
    }
    file = Path(resolved.dataset.file).expanduser()
    if resolved.dataset.file and file.is_file():
        # the rubric decides whether the user's prose has a style of its own
        inputs["rubric"] = [resolved.grpo.rubric, resolved.grpo.accuracy_exponent]
        inputs["file"] = digest.of_files(file.parent, [file.name])

    def body(work: Path, out: Path) -> dict[str, Any]:
        warm.wake()  # on a new dataset everything is trained anew
        launch.check_libraries(keys.libraries(["proseform.stages.dataset"]), "dataset")
        counts = splits.write(
            the_task,
            resolved.dataset,
            tests,
            out,
            lambda done, total: launch.report_progress(work, done, total),
            the_task.rubric(resolved.grpo.rubric, resolved.grpo.accuracy_exponent),
        )
        cases = sum(number for name, number in counts.items() if name.startswith("cases"))
        own_style = json.loads((out / "dataset.json").read_text())["own_style"]
        words = f"{cases} cases{', prose in a style of its own' if own_style else ''}"
        return {"key": words, "cases": cases, "rows": counts, "own_style": own_style}

    cache.hand_over(cache.once("dataset", inputs, body), dataset)
