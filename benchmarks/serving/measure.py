"""What a server adds: its latencies less those of the engine asked directly, at the same rate in the same run.

For the highest rate the rungs of a ladder are climbed, each a quarter octave above the one below, until a bound is
broken; a bound holds where the p99 that the server adds stays within it and every request is answered rightly.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from statistics import fmean

from benchmarks.serving.cases import Mode
from benchmarks.serving.load import COUNTED, WARM, Plan, Window, quantile
from benchmarks.serving.subjects import Subject

BOUNDS_MS = (5, 10, 50)
"""Of the added p99, in milliseconds."""
_LOWEST, _OCTAVE = 20.0, 4
_MOST_RATE = 4000.0


@dataclass(frozen=True, slots=True)
class Point:
    """One window of a subject.

    Attributes:
        p50_ms: Of its latencies.
        p99_ms: Of its latencies.
        cpu_us: Processor time of its process tree, for each request.
        answered: The share of requests that were answered rightly.
        late_ms: How late the load itself was, for most (99 %).
        failed: What became of the others.
    """

    p50_ms: float
    p99_ms: float
    cpu_us: float
    answered: float
    late_ms: float
    failed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Added:
    """What a server adds at one rate, over several repeats.

    Attributes:
        p50_ms: Mean, lowest, highest of the repeats.
        p99_ms: The same.
        cpu_us: The same, of the server alone.
        answered: The lowest share of requests that were answered rightly.
        late_ms: The highest lateness of the load.
        failed: Requests that were not answered rightly, by what happened.
    """

    p50_ms: tuple[float, float, float]
    p99_ms: tuple[float, float, float]
    cpu_us: tuple[float, float, float]
    answered: float
    late_ms: float
    failed: Mapping[str, int]


def point(subject: Subject, mode: Mode, rate: float, seconds: float, count: int) -> Point:
    """Load a subject for a while."""
    window, cpu_s = loaded(subject, Plan(subject.name, mode, subject.port, rate, seconds, count=count))
    asked, latencies = len(window.answers) + sum(window.failed.values()), [taken for _, taken in window.answers]
    return Point(
        p50_ms=1000 * quantile(latencies, 0.5),
        p99_ms=1000 * quantile(latencies, 0.99),
        cpu_us=1e6 * cpu_s / asked,
        answered=len(latencies) / asked,
        late_ms=1000 * window.late_s,
        failed=window.failed,
    )


def loaded(subject: Subject, plan: Plan) -> tuple[Window, float]:
    """Play a plan: what became of it, and the subject's processor time meanwhile, in seconds."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.serving.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asdict(plan)) + "\n")
        process.stdin.flush()
        spent: dict[str, float] = {}
        for line in process.stdout:
            if line.strip() not in (WARM, COUNTED):
                window = Window(**json.loads(line))
                return window, spent[COUNTED] - spent[WARM]
            spent[line.strip()] = subject.cpu_s()
    raise RuntimeError("the load has ended without a word")


def added(pairs: Sequence[tuple[Point, Point]]) -> Added:
    """What a server adds: each pair is the engine alone, and the engine behind the server."""
    behind = [one for _, one in pairs]
    every = [failed for one in behind for failed in one.failed]
    return Added(
        _spread([one.p50_ms - alone.p50_ms for alone, one in pairs]),
        _spread([one.p99_ms - alone.p99_ms for alone, one in pairs]),
        _spread([one.cpu_us for one in behind]),
        min(one.answered for one in behind),
        max(point.late_ms for pair in pairs for point in pair),
        {name: sum(one.failed.get(name, 0) for one in behind) for name in dict.fromkeys(every)},
    )


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, lowest, highest."""
    return fmean(values), min(values), max(values)


def highest(excess_ms: Callable[[float], float], bounds_ms: Sequence[float] = BOUNDS_MS) -> dict[float, float]:
    """The highest rate of the ladder at which each bound holds; 0 where it does not at the lowest.

    Args:
        excess_ms: The p99 that is added at a rate, in milliseconds; infinity where not every request is answered.
        bounds_ms: The bounds.

    Rungs are doubled until a bound is broken and then halved in, which supposes that a higher rate adds more.
    """
    known = cache(lambda rung: excess_ms(rate(rung)))
    last = math.floor(_OCTAVE * math.log2(_MOST_RATE / _LOWEST))
    found: dict[float, float] = {}
    for bound in bounds_ms:
        below, above = -1, last + 1
        rung = 0
        while rung <= last and known(rung) <= bound:
            below, rung = rung, rung + _OCTAVE
        above = min(rung, above)
        while above - below > 1:
            middle = (above + below) // 2
            below, above = (middle, above) if known(middle) <= bound else (below, middle)
        found[bound] = rate(below) if below >= 0 else 0.0
    return found


def rate(rung: int) -> float:
    """The rate of a rung, in requests a second."""
    return _LOWEST * 2.0 ** (rung / _OCTAVE)
