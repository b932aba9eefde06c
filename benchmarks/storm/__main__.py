"""``python -m benchmarks.storm [--seconds S] [--rate R] [--json FILE]``: every scenario, its table, and what must hold.

Exit code 1 where a bound is broken. Backends, load and gateway share the machine, so latencies are upper bounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.storm import oracle as oracles
from benchmarks.storm import play
from benchmarks.storm.faults import FAULTS, HARD
from proseform.infer.spec import EngineSpec
from proseform.machine import machine

_SHARE = 0.3
_REPLICAS = 3
ORACLES = {"ideal": oracles.ideal, "clairvoyant": oracles.clairvoyant}


def scenarios(rate: float, seconds: float) -> dict[str, play.Play]:
    """What is played, by name."""
    every = tuple(FAULTS)
    one = {f"one of 3: {name}": partial(play.one_faulty, (name,), rate, seconds / 4, 1) for name in every}
    return {
        "no faults": partial(play.one_faulty, (), rate, seconds / 2, 1),
        **one,
        "one of 3, in turns: all faults": partial(play.one_faulty, every, rate, seconds, 6),
        "all 3 at 30 %: all faults": partial(play.all_faulty, every, _SHARE, rate, seconds),
        "dies and returns, of 3: away": partial(play.outage, "away", _REPLICAS, rate),
        "dies and returns, of 3: HTTP 500": partial(play.outage, "HTTP 500", _REPLICAS, rate),
        "dies and returns, of 3: hang": partial(play.outage, "hang", _REPLICAS, rate),
        "dies and returns, alone: away": partial(play.outage, "away", 1, rate),
        "dies and returns, alone: HTTP 500": partial(play.outage, "HTTP 500", 1, rate),
    }


def row(name: str, result: play.Result) -> dict[str, Any]:
    """A scenario's figures."""
    return {
        "scenario": name,
        "requests": result.requests,
        "valid": round(result.share, 4),
        "refused": dict(result.refused),
        "invalid": result.invalid,
        "untyped": result.untyped,
        "late": result.late,
        "calls_ratio": round(result.ratio, 3),
        "aborted_calls": result.aborted,
        "p50_s": round(result.quantile(0.5), 3),
        "p99_s": round(result.quantile(0.99), 3),
        **{figure: round(value, 3) for figure, value in result.figures.items()},
    }


def broken(name: str, figures: dict[str, Any]) -> list[str]:
    """The bounds that a scenario has broken."""
    wrong = [f"{name}: {figures[key]} {key}" for key in ("invalid", "untyped", "late") if figures[key]]
    if name.startswith("one of 3") and (figures["valid"] < 0.99 or figures["calls_ratio"] > 1.2):  # noqa: PLR2004
        wrong.append(f"{name}: valid {figures['valid']} (0.99), calls {figures['calls_ratio']} (1.2)")
    if "ideal" in figures and figures["of ideal"] < 0.95:  # noqa: PLR2004
        wrong.append(f"{name}: {figures['of ideal']} of what an ideal caller reaches (0.95)")
    if "opens_s" in figures and not (figures["opens_s"] < 1 and figures["heals_s"] < 2):  # noqa: PLR2004
        wrong.append(f"{name}: opens in {figures['opens_s']} s (1), heals in {figures['heals_s']} s (2)")
    return wrong


def main() -> None:
    """Play every scenario."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storm", description=__doc__)
    parser.add_argument("--rate", type=float, default=25.0, help="requests a second; each makes two calls")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the long scenarios")
    parser.add_argument("--only", default="", help="scenarios whose name has this in it")
    parser.add_argument("--json", type=Path, default=None, help="write the figures here too")
    options = parser.parse_args()
    rows, wrong = [], []
    print(f"{machine()}; {options.rate:g} requests/s, deadline 10 s, a right answer takes 2 x 20 ms")
    print(f"{'scenario':36} {'asked':>5} {'valid':>7} {'calls':>6} {'p50 s':>6} {'p99 s':>6}  refused and more")
    for name, scenario in scenarios(options.rate, options.seconds).items():
        if options.only not in name:
            continue
        figures = row(name, asyncio.run(_played(scenario)))
        if name.startswith("all 3"):
            hard = len(HARD) / len(FAULTS)
            asked = figures["requests"], _SHARE, hard, _REPLICAS, EngineSpec().attempts
            for oracle_name, oracle in ORACLES.items():
                figures[oracle_name] = round(mean(oracle(*asked, seed) for seed in range(20)), 4)
                figures[f"of {oracle_name}"] = round(figures["valid"] / figures[oracle_name], 4)
        more = {key: figures[key] for key in list(figures)[11:]} | figures["refused"]
        print(
            f"{name:36} {figures['requests']:5} {figures['valid']:7.2%} {figures['calls_ratio']:6.2f} "
            f"{figures['p50_s']:6.3f} {figures['p99_s']:6.3f}  {', '.join(f'{key} {more[key]}' for key in more)}",
            flush=True,
        )
        rows.append(figures)
        wrong += broken(name, figures)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"machine": machine(), "rows": rows, "broken": wrong}, indent=1) + "\n")
    print("\n".join(["", *wrong]) if wrong else "\nEvery bound holds: no invalid answer, none untyped, none late.")
    sys.exit(bool(wrong))


async def _played(scenario: play.Play) -> play.Result:
    """A scenario as a coroutine."""
    return await scenario()


if __name__ == "__main__":
    main()
