"""A long load with faults: whether memory, file descriptors and latency stay as they are.

Our server stands before three replicas that fail, each in one of twenty of its calls, in every way of the storm. The
rate is 80 % of what is borne without faults at a p99 of 50 ms beside the engine's time. The first and the last sixth
of the time are compared (five minutes of thirty).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean

from benchmarks.serving import cases, measure, subjects
from benchmarks.serving.load import Plan, quantile
from proseform.errors import ConfigError

FAULTS = 0.05
SHARE = 0.8
_DEADLINE_S = 8.0
"""Of the server: within the load's patience, so that whoever is not answered hears why."""
_BORNE_MS = 50
_PARTS = 6
_FLAT, _SLOWER, _MORE_FILES = 0.05, 0.2, 5


@dataclass(frozen=True, slots=True)
class Figures:
    """What a long load shows; pairs are the first and the last part of the time.

    Attributes:
        rate: Requests a second.
        seconds: For so long.
        answered: The share of requests that were answered rightly.
        failed: What became of the others.
        memory_mb: Resident memory of the process tree, mean.
        files: Open file descriptors, mean.
        p50_ms: Of the latencies.
        p99_ms: Of the latencies.
    """

    rate: float
    seconds: float
    answered: float
    failed: dict[str, int]
    memory_mb: tuple[float, float]
    files: tuple[float, float]
    p50_ms: tuple[float, float]
    p99_ms: tuple[float, float]

    def broken(self) -> list[str]:
        """The bounds that do not hold."""
        wrong = [f"{count} requests: {name}" for name, count in self.failed.items() if not name.startswith("HTTP")]
        first, last = self.memory_mb
        if abs(last - first) > _FLAT * first:
            wrong.append(f"memory went from {first:.1f} to {last:.1f} MB (5 %)")
        first, last = self.files
        if last > (1 + _FLAT) * first + _MORE_FILES:
            wrong.append(f"open files went from {first:.1f} to {last:.1f} (5 % and {_MORE_FILES})")
        first, last = self.p99_ms
        if last > (1 + _SLOWER) * first:
            wrong.append(f"p99 went from {first:.1f} to {last:.1f} ms (20 %)")
        return wrong


def table(figures: Figures) -> str:
    """The figures in Markdown."""
    rows = {
        "memory, MB": figures.memory_mb,
        "open files": figures.files,
        "p50, ms": figures.p50_ms,
        "p99, ms": figures.p99_ms,
    }
    part_s = figures.seconds / _PARTS
    return "\n".join(
        [
            f"{figures.rate:g} requests/s, two calls each, for {figures.seconds:g} s; {FAULTS:.0%} of calls fail; "
            f"{figures.answered:.3%} answered rightly; the others: {figures.failed or 'none'}\n",
            f"| | first {part_s:g} s | last {part_s:g} s |",
            "|---|---|---|",
            *(f"| {name} | {first:.1f} | {last:.1f} |" for name, (first, last) in rows.items()),
        ]
    )


def play(seconds: float, rate: float, window_s: float, delay_ms: float, count: int = cases.COUNT) -> Figures:
    """Load our server for long.

    Args:
        seconds: For so long.
        rate: Requests a second; 0 takes 80 % of what is borne.
        window_s: Of each window that looks for what is borne.
        delay_ms: Of the engine.
        count: Cases that are asked about in turn.

    Raises:
        ConfigError: Not even the lowest rate is borne.
    """
    rate = rate or math.floor(SHARE * _borne(window_s, delay_ms, count))
    if not rate:
        hint = "Measure on a quiet machine, or give --rate."
        raise ConfigError(f"No rate is borne here with a p99 of {_BORNE_MS} ms beside the engine's time.", hint=hint)
    with _server(FAULTS, delay_ms, count) as server, _sampled(server) as samples:
        plan = Plan("proseform", "two calls", server.port, rate, seconds, min(60.0, seconds / _PARTS), count)
        window, _ = measure.loaded(server, plan)
    return _figures(plan, window.answers, window.failed, samples)


def _figures(
    plan: Plan, answers: Sequence[tuple[float, float]], failed: dict[str, int], samples: Sequence[tuple[float, ...]]
) -> Figures:
    """The figures of a load; samples end with it."""
    part_s = plan.seconds / _PARTS
    latencies = [
        [taken for at, taken in answers if part * part_s <= at < (part + 1) * part_s] for part in (0, _PARTS - 1)
    ]
    end = samples[-1][0]
    parts = [
        [sample for sample in samples if low <= sample[0] - end + plan.seconds <= low + part_s]
        for low in (0.0, plan.seconds - part_s)
    ]
    asked = len(answers) + sum(failed.values())
    return Figures(
        plan.rate,
        plan.seconds,
        len(answers) / asked,
        dict(failed),
        memory_mb=_pair([fmean(memory for _, memory, _ in part) for part in parts]),
        files=_pair([fmean(files for _, _, files in part) for part in parts]),
        p50_ms=_pair([1000 * quantile(part, 0.5) for part in latencies]),
        p99_ms=_pair([1000 * quantile(part, 0.99) for part in latencies]),
    )


def _pair(values: Sequence[float]) -> tuple[float, float]:
    """The first and the last."""
    return values[0], values[-1]


def _borne(window_s: float, delay_ms: float, count: int) -> float:
    """The highest rate without faults at which the p99 stays within bounds beside the engine's time."""
    with _server(0.0, delay_ms, count) as server:

        def excess_ms(rate: float) -> float:
            point = measure.point(server, "two calls", rate, window_s, count)
            return point.p99_ms - 2 * delay_ms if point.answered == 1 else math.inf

        return measure.highest(excess_ms, [_BORNE_MS])[_BORNE_MS]


@contextmanager
def _server(share: float, delay_ms: float, count: int) -> Iterator[subjects.Subject]:
    """Our server before replicas that fail in a share of their calls."""
    folder = subjects.bundle(subjects.FOLDER / "bundle", count)
    command = subjects.module("faulty", delay_ms, count, folder / "base", share)
    with subjects.started("faulty", command, read=True) as replicas:
        urls, port = subjects.first_line(replicas).split(), subjects.free_port()
        more = ("--timeout-s", str(_DEADLINE_S))
        with subjects.started("proseform", subjects.proseform(folder, port, urls, more)) as process:
            server = subjects.Subject("proseform", port, process.pid)
            subjects.await_ready(server)
            yield server


@contextmanager
def _sampled(server: subjects.Subject) -> Iterator[list[tuple[float, float, float]]]:
    """Look at a server's memory and files twice a second: when, MB, open files."""
    samples: list[tuple[float, float, float]] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.5):
            processes = server.processes()
            memory = sum(process.memory_info().rss for process in processes) / 1e6
            samples.append((time.monotonic(), memory, float(sum(process.num_fds() for process in processes))))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()
