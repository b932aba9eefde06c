"""Tokens that methods against zero-variance groups save, on a frozen task where most groups are dead at first.

Run it as `python -m benchmarks.signal`. Each leg (a method from a seed) is kept in the folder when it is done; a leg
that was stopped goes on from its checkpoint, and `--minutes` ends the command between two legs; call it again to go on.
Sampled tokens are counted, discarded ones too, until the held-out reward is 90 % of plain GRPO's plateau.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.signal import figures, leg
from proseform.machine import machine

PLAIN, DYNAMIC = "plain", "resample"


def main() -> None:
    """Work off what is left, then print what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="seeds, from 0")
    parser.add_argument("--steps", type=int, default=100, help="optimiser steps of plain GRPO and of every method")
    parser.add_argument("--methods", nargs="+", choices=leg.METHODS, default=[*leg.METHODS], metavar="METHOD")
    parser.add_argument("--minutes", type=float, default=55.0, help="no leg begins after that many minutes")
    parser.add_argument("--folder", type=Path, default=Path(".proseform/benchmarks/signal"), help="legs are kept here")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    ends = time.monotonic() + 60 * given.minutes
    given.folder.mkdir(parents=True, exist_ok=True)
    leg.install(given.folder.absolute())
    methods = [PLAIN, *(name for name in given.methods if name != PLAIN)]
    runs: dict[str, dict[int, list[dict[str, Any]]]] = {name: {} for name in methods}
    left = 0
    for seed in range(given.seeds):
        for name in methods:
            done = (given.folder / f"{name}-{seed}-{given.steps}.json").is_file()
            if not done and time.monotonic() >= ends:
                left += 1
                continue
            runs[name][seed] = leg.work_off(given.folder.absolute(), name, seed, given.steps)
    if not runs[PLAIN]:
        raise SystemExit("No leg is done yet: give it more --minutes.")
    table = compared(runs)
    if given.json:
        print(json.dumps(table))
        return
    print(f"{machine()}; {given.steps} steps, {left} legs left; target {table['target']:.3f} held-out reward")
    print(
        f"{'method':<28}{'seeds':>6}{'censored':>9}{'tokens to it':>14}{'mixed/M':>9}  plain / it [95 %], dynamic / it"
    )
    for name, row in table["methods"].items():
        ratios = ", ".join(_words(row[key]) for key in ("of_plain", "of_dynamic"))
        tokens = "never" if math.isinf(row["tokens"]) else f"{row['tokens']:,.0f}"
        print(f"{name:<28}{row['seeds']:>6}{row['censored']:>9}{tokens:>14}{row['mixed_per_million']:>9.0f}  {ratios}")


def compared(runs: Mapping[str, Mapping[int, Sequence[Mapping[str, Any]]]]) -> dict[str, Any]:
    """The figures of each method that has a leg.

    Args:
        runs: By method and seed, a leg's measurements; plain GRPO has one at least.
    """
    goal = figures.target([*runs[PLAIN].values()])
    needed = {name: {seed: figures.tokens_to(run, goal) for seed, run in legs.items()} for name, legs in runs.items()}
    rows = {
        name: {
            "seeds": len(legs),
            "censored": sum(map(math.isinf, needed[name].values())),
            "tokens": statistics.median_high(needed[name].values()),
            "mixed_first": statistics.fmean(_mixed_first(run) for run in legs.values()),
            "mixed_per_million": statistics.median(figures.mixed_per_million(run, goal) for run in legs.values()),
            "of_plain": figures.ratio(needed[PLAIN], needed[name]),
            "of_dynamic": figures.ratio(needed[DYNAMIC], needed[name]) if needed.get(DYNAMIC) else None,
        }
        for name, legs in runs.items()
        if legs
    }
    return {"target": goal, "methods": rows}


def _mixed_first(run: Sequence[Mapping[str, Any]]) -> float:
    """The share of mixed groups up to the first measurement."""
    return run[1]["mixed"] / run[1]["groups"] if len(run) > 1 else 0.0


def _words(ratio: tuple[float, float, float] | None) -> str:
    """A ratio with its interval."""
    return "-" if ratio is None else f"{ratio[0]:.2f} [{ratio[1]:.2f}, {ratio[2]:.2f}]"


if __name__ == "__main__":
    main()
