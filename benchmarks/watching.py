"""What watching GRPO costs: the processor time of a step's record, by that of the step itself.

Run it as `python -m benchmarks.watching RUN`, with a finished or running pipeline run, or the path of a metrics.jsonl.
The record is of a step of the shipped run: 8 groups of 8 evaluations of the CV task at its first level, careless ones.
What the scorer adds in its own process (whether a completion is wholly right) is counted too. A step's own time is the
median of the run's.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

from proseform import direct, jsonl, reward, task
from proseform.machine import machine
from proseform.stages import watching
from proseform.train import hazards, methods, signal
from proseform.train.methods import Drawn, Sample
from proseform.train.prompts import FixedOrder

GROUPS, GENERATIONS = 8, 8
ROUNDS = 50


def main() -> None:
    """Print both parts in milliseconds, and their share of a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a pipeline run's name, or the path of a metrics.jsonl")
    rows = list(jsonl.rows(watching.find(parser.parse_args().run).metrics))
    step_s = statistics.median(now["seconds"] - before["seconds"] for before, now in pairwise(rows))

    cv = task.load("cv")
    rubric, rng = cv.rubric(), random.Random(0)
    cases = list(cv.generate("starter", "train", 0, GROUPS))
    texts = [(case, cv.annotate(case, rng)) for case in cases for _ in range(GENERATIONS)]
    samples = [
        Sample(text, tuple(range(180)), reward.score(text, case, cv, rubric), at)
        for at, (case, text) in enumerate(texts)
    ]
    groups = [samples[at : at + GENERATIONS] for at in range(0, len(samples), GENERATIONS)]
    drawn = [Drawn(case, tuple(group)) for case, group in zip(cases, groups, strict=True)]
    source = FixedOrder(cases, 1, 0)

    def record() -> None:
        by_group = [signal.Group([one.text for one in group], [one.score for one in group]) for group in groups]
        signal.record(by_group, 1.0)
        hazards.cancelled([group.scores for group in by_group])
        methods.figures(samples, drawn, source)

    parts = {
        "the record": _median_s(record),
        "wholly right, by the scorer": _median_s(
            lambda: [direct.wholly_right(text, case, cv, rubric) for case, text in texts]
        ),
    }
    print(f"{machine()}; {len(samples)} completions; a step of the run takes {step_s:.2f} s")
    for name, seconds in {**parts, "both": sum(parts.values())}.items():
        print(f"{name:<30}{1000 * seconds:>8.2f} ms{seconds / step_s:>9.2%}")


def _median_s(work: Callable[[], object]) -> float:
    """The median processor time of some work, in seconds."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
