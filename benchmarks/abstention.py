"""From which cases a bundle abstains: its own, foreign ones, and documents of yours. Trains nothing.

    python -m benchmarks.abstention                             every level of the shipped task, 2,000 own cases each
    python -m benchmarks.abstention --folder DIR --input cv     and the documents of each folder in DIR, as one input

For each level the rule is learnt from 5,000 training cases and calibrated on 5,000 held-out ones, as a run does it; own
cases are those of the split ``test``. A folder's documents are read as ``proseform read`` does; those that are refused
there are counted apart. Beside it: the processor time of one decision.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from itertools import islice
from pathlib import Path

from benchmarks import reading
from proseform import abstention, machine
from proseform import task as tasks
from proseform.abstention import Abstention
from proseform.case import Case, Split
from proseform.stages.abstention import CALIBRATED, LEARNT
from proseform.suites import Study, foreign
from proseform.task import Task

OWN = 2000
"""Held-out cases of a level that are looked at."""


def main() -> None:
    """Print a table a level."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.abstention", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--task", default="cv")
    parser.add_argument("--level", action="append", help="may be repeated; every level by default")
    parser.add_argument("--share", type=float, default=0.02, help="of its own cases, taken for strange (%(default)s)")
    parser.add_argument("--folder", type=Path, help="holds a folder for each kind of documents")
    parser.add_argument("--input", default="cv", help="the input that a document stands for (%(default)s)")
    chosen = parser.parse_args()
    task = tasks.load(chosen.task)
    print(f"{machine.machine()}; at most {chosen.share:.0%} of its own cases")
    kinds = sorted(chosen.folder.iterdir()) if chosen.folder else []
    read = {kind.name: reading.texts(reading.files(kind)) for kind in kinds}
    for level in chosen.level or task.levels:
        _level(task, level, chosen.share, read, chosen.input)


def _level(task: Task, level: str, share: float, read: dict[str, reading.Read], name: str) -> None:
    """The table of one level."""
    train = [case.inputs for case in _cases(task, level, "train", LEARNT)]
    known = abstention.fitted(train, [case.inputs for case in _cases(task, level, "valid", CALIBRATED)], share)
    if known is None:
        print(f"\n{task.name} {level}: too few cases to calibrate on")
        return
    own = _cases(task, level, "test", OWN)
    study = Study(task, task.rubric(), task.schema, level, tuple(own), abstention=known)
    summary = foreign.summarise([], study)["abstention"]
    began = time.process_time()
    distances = [known.distance(case.inputs) for case in own]
    each_us = (time.process_time() - began) / len(own) * 1e6
    away = [f"{1 - summary['coverage'][end]:.2%}" for end in ("value", "high", "low")]
    print(f"\n{task.name} {level}: {away[0]} of {len(own)} own cases turned away ({away[1]} to {away[2]})")
    print(f"  beyond {known.bound:.2f} standard deviations; {each_us:.0f} us of processor time a case")
    for row in summary["foreign"]:
        rate = row["abstained"]
        print(f"  {row['kind']:<28} {rate['value']:7.1%} of {rate['n']:>4} turned away, AUROC {row['auroc']:.4f}")
    for kind, (texts, refused) in read.items():
        _documents(known, own, distances, kind, list(texts.values()), refused, name)


def _documents(
    known: Abstention, own: list[Case], distances: list[float], kind: str, texts: list[str], refused: Counter[str],
    name: str,
) -> None:  # fmt: skip
    """The row of a folder: each document stands beside the other inputs of an own case."""
    cases = [{**own[number % len(own)].inputs, name: text} for number, text in enumerate(texts)]
    strange = [known.strange(inputs) for inputs in cases]
    far = [known.distance(inputs) for inputs in cases]
    why = Counter(str(reasons[0]) for reasons in strange if reasons)
    area = f"AUROC {foreign.auroc(distances, far):.4f}" if far else "none was read"
    rate = sum(map(bool, strange)) / max(1, len(strange))
    words = f"{rate:7.1%} of {len(cases):>4} turned away, {area}; {dict(why)}"
    print(f"  {kind:<28} {words}; not read: {sum(refused.values())}")


def _cases(task: Task, level: str, split: Split, count: int) -> list[Case]:
    """Cases of a level."""
    return list(islice(task.generate(level, split, 0, count), count))


if __name__ == "__main__":
    main()
