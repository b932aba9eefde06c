"""What a running server's metrics say: scraped over HTTP, and counted over a window between two scrapes.

Pure but for :func:`fetched`: figures follow from two scrapes, so that whoever shows them needs no clock. The same names
are in :mod:`proseform.serve.metrics`, which a test compares.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from proseform.errors import EngineError, InputError

Labels = frozenset[tuple[str, str]]
_STARTED = "process_start_time_seconds"
_REFUSALS, _WHOLE = "proseform_refusals_total", "proseform_request_seconds"
_CONDITIONS = ("closed", "half open", "open")
_LIMIT_S = 5.0
"""Longest wait for a scrape, in seconds."""
_OK = 200


@dataclass(frozen=True, slots=True)
class Scrape:
    """All samples of a server at one time.

    Attributes:
        at: When, in seconds since 1970.
        samples: Name of a sample to its labels and value.
    """

    at: float
    samples: Mapping[str, Mapping[Labels, float]]

    @classmethod
    def parsed(cls, text: str, at: float) -> Scrape:
        """A scrape out of Prometheus's text format.

        Raises:
            InputError: It is none, or no Proseform's.
        """
        from prometheus_client.parser import text_string_to_metric_families

        samples: defaultdict[str, dict[Labels, float]] = defaultdict(dict)
        try:
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    samples[sample.name][frozenset(sample.labels.items())] = sample.value
        except ValueError as error:
            raise InputError(f"These are no metrics ({error}).", hint="Give the URL of a proseform serve.") from error
        if not any(name.startswith("proseform_") for name in samples):
            raise InputError("These metrics are no Proseform's.", hint="Give the URL of a proseform serve.")
        return cls(at, samples)

    @property
    def started(self) -> float:
        """When the server's process began, in seconds since 1970; now where it does not say."""
        return next(iter(self.samples.get(_STARTED, {}).values()), self.at)


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between two scrapes.

    Attributes:
        after: The later one.
        before: The earlier one; None counts from the start of the server's process.
    """

    after: Scrape
    before: Scrape | None = None

    @classmethod
    def between(cls, before: Scrape | None, after: Scrape) -> Window:
        """The window; a server that was started anew in between is counted from its start."""
        return cls(after, before if before is not None and before.started == after.started else None)

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.after.at - (self.before.at if self.before else self.after.started)

    def rises(self, name: str, by: str) -> dict[str, float]:
        """How much the counters of a name rose, added up by one of their labels."""
        old = self.before.samples.get(name, {}) if self.before else {}
        rises: defaultdict[str, float] = defaultdict(float)
        for labels, value in self.after.samples.get(name, {}).items():
            rises[dict(labels).get(by, "")] += value - old.get(labels, 0.0)
        return dict(rises)

    def stands(self, name: str, by: str) -> dict[str, float]:
        """What gauges of a name show, added up by one of their labels."""
        values: defaultdict[str, float] = defaultdict(float)
        for labels, value in self.after.samples.get(name, {}).items():
            values[dict(labels).get(by, "")] += value
        return dict(values)

    def only(self, **labels: str) -> Window:
        """The same of the series that have these labels alone."""

        def kept(scrape: Scrape) -> Scrape:
            series_of = {
                name: {key: value for key, value in series.items() if labels.items() <= dict(key).items()}
                for name, series in scrape.samples.items()
                if name != _STARTED
            }
            return Scrape(scrape.at, {**series_of, _STARTED: {frozenset(): scrape.started}})

        return Window(kept(self.after), kept(self.before) if self.before else None)

    def quantile(self, name: str, share: float) -> float | None:
        """The value below which a share of a histogram's observations lie, as Prometheus's ``histogram_quantile``.

        Linear within a bucket; the highest bound where it lies beyond; None without observations.
        """
        buckets = sorted((float(bound), count) for bound, count in self.rises(f"{name}_bucket", "le").items())
        total = buckets[-1][1] if buckets else 0.0
        if not total:
            return None
        rank, low, below = share * total, 0.0, 0.0
        for bound, count in buckets:
            if count >= rank:
                return low if math.isinf(bound) else low + (bound - low) * (rank - below) / max(count - below, 1e-9)
            low, below = bound, count
        return low


def fetched(url: str, now: float | None = None) -> Scrape:
    """Scrape a server.

    Args:
        url: Its URL, with or without ``/metrics``.
        now: When that is, in seconds since 1970; None asks the clock.

    Raises:
        EngineError: Nothing answers there, or not with metrics.
        InputError: It is no URL, or the metrics are no Proseform's.
    """
    hint = "Is proseform serve running there? Give its URL: proseform top http://HOST:PORT."
    try:
        response = httpx.get(f"{url.rstrip('/').removesuffix('/metrics')}/metrics", timeout=_LIMIT_S)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise InputError(f"{url!r:.80} is no URL ({error}).", hint="Give one, as http://127.0.0.1:8080.") from error
    except httpx.TransportError as error:
        raise EngineError(f"No server answers at {url} ({type(error).__name__}).", hint=hint) from error
    if response.status_code != _OK:
        raise EngineError(f"{url} gives no metrics (HTTP {response.status_code}).", hint=hint)
    return Scrape.parsed(response.text, time.time() if now is None else now)


def figures(window: Window) -> dict[str, Any]:
    """What a window says, as JSON: rates are a second's, times in seconds, shares in [0, 1], None is unknown."""
    seconds = max(window.seconds, 1e-9)
    answers, refusals = window.rises("proseform_answers_total", "bundle"), window.rises(_REFUSALS, "bundle")
    reasons = {"answered": sum(answers.values()), **window.rises(_REFUSALS, "reason")}
    cases = sum(reasons.values())
    generated = window.only(kind="generated").rises("proseform_tokens_total", "role")
    kept = window.rises("proseform_prose_cache_total", "outcome")
    looked = kept.get("hit", 0.0) + kept.get("miss", 0.0)
    return {
        "seconds": round(window.seconds, 3),
        "since_start": window.before is None,
        "cases_s": cases / seconds,
        "requests_s": {name: count / seconds for name, count in window.rises(f"{_WHOLE}_count", "outcome").items()},
        "bundles": [
            {"bundle": bundle, "answers": answers.get(bundle, 0.0), "refusals": refusals.get(bundle, 0.0)}
            for bundle in sorted({*answers, *refusals})
        ],
        "outcomes": [
            {"outcome": name, "cases": count, "per_s": count / seconds, "share": count / cases}
            for name, count in sorted(reasons.items(), key=lambda pair: (pair[0] != "answered", -pair[1], pair[0]))
            if count
        ],
        "latency": _latencies(window),
        "queue": window.stands("proseform_queue_depth", "kind"),
        "in_flight": sum(window.stands("proseform_in_flight", "").values()),
        "engines": _engines(window, seconds),
        "accepted": {role: _share(window.only(role=role)) for role in window.rises("proseform_texts_total", "role")},
        "prose_kept": {"lookups": looked, "hits": kept.get("hit", 0.0), "share": _of(kept.get("hit", 0.0), looked)},
        "joined": sum(window.rises("proseform_joined_total", "").values()),
        "tokens_s": {role: count / seconds for role, count in generated.items()},
    }


def _latencies(window: Window) -> list[dict[str, Any]]:
    """Of whole requests, of answers, of the wait before engines, and of each stage; those with observations."""
    parts = {"request": (_WHOLE, window), "answer": ("proseform_answer_seconds", window)}
    parts |= {"queue": ("proseform_queue_seconds", window)}
    stages = "proseform_stage_seconds"
    parts |= {stage: (stages, window.only(stage=stage)) for stage in window.rises(f"{stages}_count", "stage")}
    return [
        {"stage": stage, "count": sum(part.rises(f"{name}_count", "").values()), **_quantiles(part, name)}
        for stage, (name, part) in parts.items()
        if any(part.rises(f"{name}_count", "").values())
    ]


def _quantiles(window: Window, name: str) -> dict[str, float | None]:
    """Median and 99th percentile."""
    return {"p50_s": window.quantile(name, 0.5), "p99_s": window.quantile(name, 0.99)}


def _engines(window: Window, seconds: float) -> list[dict[str, Any]]:
    """Each backend: a server in a role."""
    calls = "proseform_engine_calls_total"
    rows = []
    for role in sorted({*window.stands("proseform_breaker_state", "role"), *window.rises(calls, "role")}):
        of_role = window.only(role=role)
        backends = {*of_role.stands("proseform_breaker_state", "backend"), *of_role.rises(calls, "backend")}
        for backend in sorted(backends):
            own = of_role.only(backend=backend)
            ended = {name: count for name, count in own.rises(calls, "ended").items() if count}
            made = sum(ended.values())
            state = int(sum(own.stands("proseform_breaker_state", "").values()))
            rows.append(
                {
                    "role": role,
                    "backend": backend,
                    "breaker": _CONDITIONS[state],
                    "calls_s": made / seconds,
                    "ok": _of(ended.get("ok", 0.0), made),
                    "ended": ended,
                    **_quantiles(own, "proseform_engine_seconds"),
                }
            )
    return rows


def _share(window: Window) -> float | None:
    """The share of texts that the verifier accepted."""
    told = window.rises("proseform_texts_total", "accepted")
    return _of(told.get("yes", 0.0), sum(told.values()))


def _of(part: float, whole: float) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole else None
