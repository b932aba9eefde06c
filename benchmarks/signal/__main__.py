"""Tokens that methods against zero-variance groups save, on a frozen task where most groups are dead at first.

Run it as `python -m benchmarks.signal`. Plain GRPO is run to its last step from every seed; 90 % of its plateau of
held-out reward is the target. A method's leg ends when it is there. Sampled tokens are counted, discarded ones too.
Each leg (a method from a seed) is kept in the folder when it is done; `--minutes` ends the command between legs, and
the same command goes on. `--write` writes docs/results/signal.md, its picture and the records beside it.
"""

from __future__ import annotations

import argparse
import importlib
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.forked import side_by_side
from benchmarks.signal import figures, leg, page
from proseform import jsonl, warm

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Work off what is left, then print what there is."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.signal", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, help="how many (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=100, help="optimiser steps of plain GRPO; methods may take twice "
                        "as many (default: %(default)s)")  # fmt: skip
    parser.add_argument("--methods", nargs="+", choices=leg.METHODS, default=[*leg.METHODS], metavar="METHOD")
    parser.add_argument("--workers", type=int, default=2, help="legs side by side, one thread each (default: 2)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="no leg begins after that many minutes")
    parser.add_argument("--folder", type=Path, default=Path(".proseform/benchmarks/signal"), help="legs are kept here")
    parser.add_argument("--figures", action="store_true", help="train nothing; where the folder has no records, "
                        "figures are of those in docs/results")  # fmt: skip
    parser.add_argument("--write", action="store_true", help="write the page too")
    given = parser.parse_args()
    if given.write and {*given.methods} != {*leg.METHODS}:
        parser.error("--write: the page is of all methods; leave --methods out")
    methods = [figures.PLAIN, *(name for name in given.methods if name != figures.PLAIN)]
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    todo = [leg.Leg(name, seed, given.steps) for name in methods for seed in seeds]
    if not given.figures:
        _work_off(given.folder.absolute(), todo, given.workers, time.monotonic() + 60 * given.minutes)
    kept = [record for one in todo if (record := leg.done(given.folder, one))] or _of_page(todo)
    if not any(one["method"] == figures.PLAIN for one in kept):
        raise SystemExit("No leg of plain GRPO is done yet: give it more --minutes.")
    text = page.page(kept, given.steps)
    print(text)
    if given.write:
        for path in page.write(ROOT, text, kept):
            print(path, file=sys.stderr)


def _of_page(legs: Sequence[leg.Leg]) -> list[dict[str, Any]]:
    """The records beside the page, of these legs."""
    rows = {(row["method"], row["seed"]): row for row in jsonl.rows(ROOT / page.KEPT)}
    return [row for one in legs if (row := rows.get((one.method, one.seed))) and row["key"] == one.key]


def _work_off(folder: Path, legs: Sequence[leg.Leg], workers: int, ends: float) -> None:
    """What is left of legs: first policies of SFT, then plain GRPO, whose plateau is the target of the others."""
    folder.mkdir(parents=True, exist_ok=True)
    leg.install(folder)
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    for module in warm.MODULES:
        importlib.import_module(module)
    pool = partial(side_by_side, log=_log(folder), workers=workers, ends=ends, ended=_ended)
    plain = [one for one in legs if one.method == figures.PLAIN]
    failed = pool(
        [one.seed for one in plain if not leg.ready(folder, one.seed)],
        lambda seed: leg.trained(folder, seed, leg.run(seed, 1, {})),
    )
    if not failed:
        failed = pool([one for one in plain if not leg.done(folder, one)], partial(leg.work_off, folder))
    reached = [record["points"] for one in plain if (record := leg.done(folder, one))]
    if not failed and len(reached) == len(plain):
        goal = figures.target(reached)
        left = [one for one in legs if not at_its_end(leg.done(folder, one), goal, one.steps)]
        failed = pool(left, partial(leg.work_off, folder, goal=goal))
    if failed:
        raise SystemExit(f"{len(failed)} failed; their words are in {folder / 'logs'}. The same command tries again.")


def at_its_end(record: Mapping[str, Any] | None, goal: float, steps: int) -> bool:
    """Whether a leg got to the goal, or to its last step."""
    if record is None:
        return False
    return record["points"][-1]["step"] >= steps or not math.isinf(figures.tokens_to(record["points"], goal))


def _ended(one: object, failed: bool) -> None:
    """Say that a leg has ended."""
    print(f"{_name(one)}: {'failed' if failed else 'done'}", file=sys.stderr, flush=True)


def _name(one: object) -> str:
    """Of a leg, or of the policy of a seed."""
    return f"{one.method}-{one.seed}" if isinstance(one, leg.Leg) else f"policy-{one}"


def _log(folder: Path) -> Callable[[object], Path]:
    """Where the words of a leg's libraries go."""
    (folder / "logs").mkdir(exist_ok=True)
    return lambda one: folder / "logs" / f"{_name(one)}.log"


if __name__ == "__main__":
    main()
