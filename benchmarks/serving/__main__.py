"""``python -m benchmarks.serving``: what our server and its peers add to an engine's time, as a table in Markdown.

Engine, load and servers share the machine's cores, which is said with the figures: run it on a quiet machine. At each
rate the engine is asked directly, then through each server; repeats follow one another in turns, so that a disturbance
meets all. Exit code 1 where our server left a request unanswered, 2 where nothing could be measured.

There is no row for what passes through unverified: our server has no such mode. LiteLLM's proxy and KServe's
transformer verify nothing, so their one call is compared with one of ours that is verified.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.serving import cases, hours, measure, subjects
from benchmarks.serving.cases import MODES, Mode
from proseform.errors import ConfigError
from proseform.machine import machine

_WARM_RATE = 10.0
"""Requests a second to a server that has just started, which count nowhere."""
_SATURATED_MS = 500.0
"""A server that adds more to the p99 is not asked at higher rates."""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=[20, 50, 200, 500], help="requests a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each window")
    parser.add_argument("--repeats", type=int, default=3, help="windows at each rate")
    parser.add_argument("--delay-ms", type=float, default=20.0, help="of the engine, for each call")
    parser.add_argument("--servers", nargs="+", choices=subjects.NAMES, default=list(subjects.NAMES))
    parser.add_argument("--no-ladder", action="store_true", help="leave out the highest rates within bounds")
    parser.add_argument("--quick", action="store_true", help="each piece once, for a second: figures say nothing")
    parser.add_argument("--hours", action="store_true", help="the long run instead: memory, descriptors, latency")
    parser.add_argument("--minutes", type=float, default=30.0, help="of the long run")
    parser.add_argument("--rate", type=float, default=0.0, help="of the long run; 0 takes 80 %% of what is borne")
    parser.add_argument("--json", type=Path, default=None, help="write the figures here too")
    given = parser.parse_args()
    if given.quick:
        given.rates, given.seconds, given.repeats, given.no_ladder = [20], 1.0, 1, True
    print(f"{machine()}; the engine takes {given.delay_ms:g} ms a call; load, engine and servers share the cores\n")
    try:
        written, wrong = _hours(given) if given.hours else _rates(given)
    except ConfigError as error:
        parser.exit(2, f"{error}\n")
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps({"machine": machine(), **written, "broken": wrong}, indent=1) + "\n")
    print("\n".join(["", *wrong]) if wrong else "\nEvery bound holds.")
    sys.exit(bool(wrong))


def _hours(given: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """The long load: the figures, and the bounds that do not hold."""
    figures = hours.play(60 * given.minutes, given.rate, given.seconds, given.delay_ms)
    print(hours.table(figures))
    return asdict(figures), figures.broken()


def _rates(given: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Every rate and the ladder: the figures, and what is wrong with them."""
    count = 50 if given.quick else cases.COUNT
    rows: list[dict[str, Any]] = []
    with subjects.running(given.servers, given.delay_ms, count) as running:
        for mode in MODES:
            names = [name for name in given.servers if mode == "one call" or name in subjects.OURS]
            for name in names:
                measure.point(running[name], mode, _WARM_RATE, 0.3 * given.seconds, count)
            rows += _table(running, mode, names, given, count)
            print()
        ladder = [] if given.no_ladder else _ladder(running, given, count)
    wrong = [
        f"{row['server']}, {row['mode']}, {row['rate']:g}/s: {row['answered']:.2%} answered ({dict(row['failed'])})"
        for row in rows
        if row["server"] in subjects.OURS and row["answered"] < 1
    ]
    return {"rows": rows, "ladder": ladder}, wrong


def _table(
    running: dict[str, subjects.Subject], mode: Mode, names: Sequence[str], given: argparse.Namespace, count: int
) -> list[dict[str, Any]]:
    """What is added at each rate, printed as it comes."""
    print(f"| {mode} | requests/s | added p50, ms | added p99, ms | CPU µs a request | answered | load late, ms |")
    print("|---|---|---|---|---|---|---|")
    rows, saturated = [], set[str]()
    for rate in given.rates:
        pairs: dict[str, list[tuple[measure.Point, measure.Point]]] = {name: [] for name in names}
        for _ in range(given.repeats):
            alone = measure.point(running["direct"], mode, rate, given.seconds, count)
            for name in names:
                if name not in saturated:
                    pairs[name].append((alone, measure.point(running[name], mode, rate, given.seconds, count)))
        for name in names:
            if not pairs[name]:
                print(f"| {name} | {rate:g} | saturated | | | | |")
                continue
            row = measure.added(pairs[name])
            rows.append({"server": name, "mode": mode, "rate": rate, **asdict(row)})
            cells = [_spread(row.p50_ms, 2), _spread(row.p99_ms, 1), _spread(row.cpu_us, 0), f"{row.answered:.2%}"]
            print(f"| {name} | {rate:g} | {' | '.join(cells)} | {row.late_ms:.1f} |", flush=True)
            if row.answered < 1 or row.p99_ms[0] > _SATURATED_MS:
                saturated.add(name)
    return rows


def _ladder(running: dict[str, subjects.Subject], given: argparse.Namespace, count: int) -> list[dict[str, Any]]:
    """The highest rates within bounds, printed as they come."""
    servers = [name for name in given.servers if name != "traced"]  # what tracing costs is told at each rate
    names = [(mode, name) for mode in MODES for name in servers if mode == "one call" or name == "proseform"]
    print(f"| requests/s at an added p99 of at most | {' | '.join(f'{bound} ms' for bound in measure.BOUNDS_MS)} |")
    print(f"|---{'|---' * len(measure.BOUNDS_MS)}|")
    rows = []
    for mode, name in names:

        def excess_ms(rate: float, mode: Mode = mode, name: str = name) -> float:
            alone = measure.point(running["direct"], mode, rate, given.seconds, count)
            behind = measure.point(running[name], mode, rate, given.seconds, count)
            return behind.p99_ms - alone.p99_ms if behind.answered == 1 else math.inf

        rates = measure.highest(excess_ms)
        rows.append({"server": name, "mode": mode, "rates": {f"{bound} ms": rate for bound, rate in rates.items()}})
        print(f"| {name}, {mode} | {' | '.join(f'{rate:.0f}' for rate in rates.values())} |", flush=True)
    return rows


def _spread(values: tuple[float, float, float], digits: int) -> str:
    """Mean (lowest to highest)."""
    mean, low, high = (f"{value:,.{digits}f}" for value in values)
    return f"{mean} ({low} to {high})"


if __name__ == "__main__":
    main()
