"""Every metric of a server, by Prometheus's client. docs/observability.md lists them; the chart uses their names.

Nothing of a request is a label: tasks, bundles, backends, roles and reasons are all that there is.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from proseform.bundle import Role
from proseform.infer import Completion
from proseform.infer.answer import Answer, Formatted
from proseform.infer.refusals import INSUFFICIENT
from proseform.infer.resilience import observer
from proseform.infer.resilience.breaker import Condition
from proseform.infer.resilience.observer import Cached
from proseform.serve import notes
from proseform.serve.line import Kind

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
ANSWERS = Counter("proseform_answers", "Verified answers.", ["task", "bundle", "protocol"])
REFUSALS = Counter(
    "proseform_refusals", "Cases that got an error instead, by reason.", ["task", "bundle", "protocol", "reason"]
)
ABSTENTIONS = Counter(
    "proseform_abstentions", "Cases that are not like those that the models learnt from, answered so or refused.",
    ["task", "bundle", "protocol"],
)  # fmt: skip
REQUESTS = Histogram(
    "proseform_request_seconds", "From a request's first byte to the end of its response.", ["protocol", "outcome"],
    buckets=_SECONDS,
)  # fmt: skip
SECONDS = Histogram("proseform_answer_seconds", "From admission to the verified answer.", ["task"], buckets=_SECONDS)
STAGES = Histogram(
    "proseform_stage_seconds", "Of an answer or a refusal: an engine's time by role, all tries together.",
    ["task", "stage"], buckets=_SECONDS,
)  # fmt: skip
JOINED = Counter("proseform_joined", "Requests answered together with an equal one that was under way.", ["task"])
QUEUE_SECONDS = Histogram("proseform_queue_seconds", "Waiting before an engine is asked.", ["kind"], buckets=_SECONDS)
QUEUE = Gauge("proseform_queue_depth", "Requests that wait.", ["kind"])
FLIGHT = Gauge("proseform_in_flight", "Requests that are being answered.")
CALLS = Counter(
    "proseform_engine_calls", "Calls to engines by URL: why each was made, and how it ended.",
    ["role", "backend", "why", "ended"],
)  # fmt: skip
CALL_SECONDS = Histogram("proseform_engine_seconds", "Calls that ended well.", ["role", "backend"], buckets=_SECONDS)
SLOW = Counter("proseform_engine_slow", "Calls that counted as slow.", ["role", "backend"])
DENIED = Counter("proseform_retries_denied", "Retries for which there was no budget.", ["role"])
BREAKER = Gauge("proseform_breaker_state", "0 closed, 1 half open, 2 open.", ["role", "backend"])
TEXTS = Counter("proseform_texts", "Completions, and whether the verifier accepted them.", ["role", "accepted"])
TOKENS = Counter("proseform_tokens", "Of verified texts, and of prompts where engines count both.", ["role", "kind"])
CACHE = Counter("proseform_prose_cache", "Evaluations that were looked up or kept.", ["outcome"])


class Prometheus(observer.Observer):
    """Counts what engines and caches do, and how the line stands."""

    def called(self, role: Role, backend: str, why: observer.Why, ended: observer.Ended, seconds: float) -> None:
        """See :class:`proseform.infer.resilience.observer.Observer`, as for the next methods."""
        CALLS.labels(role, backend, why, ended).inc()
        if ended == "ok":
            CALL_SECONDS.labels(role, backend).observe(seconds)

    def slow(self, role: Role, backend: str) -> None:
        """See above."""
        SLOW.labels(role, backend).inc()

    def denied(self, role: Role) -> None:
        """See above."""
        DENIED.labels(role).inc()

    def breaker(self, role: Role, backend: str, condition: Condition) -> None:
        """See above."""
        BREAKER.labels(role, backend).set({"closed": 0, "half_open": 1, "open": 2}[condition])

    def judged(self, role: Role, completion: Completion, *, accepted: bool) -> None:
        """See above."""
        TEXTS.labels(role, "yes" if accepted else "no").inc()
        TOKENS.labels(role, "generated").inc(completion.tokens)
        if completion.prompt_tokens is not None:
            TOKENS.labels(role, "prompt").inc(completion.prompt_tokens)
        notes.current().judge(role, completion.seconds)

    def cached(self, outcome: Cached) -> None:
        """See above."""
        CACHE.labels(outcome).inc()

    def waited(self, kind: Kind, seconds: float) -> None:
        """See :class:`proseform.serve.line.Gauge`, as for the next methods."""
        QUEUE_SECONDS.labels(kind).observe(seconds)

    def stands(self, kind: Kind, waiting: int) -> None:
        """See above."""
        QUEUE.labels(kind).set(waiting)

    def working(self, count: int) -> None:
        """See above."""
        FLIGHT.set(count)


OBSERVER = Prometheus()


def answered(task: str, bundle: str, outcome: Answer | Formatted, seconds: float) -> None:
    """Count an answer."""
    ANSWERS.labels(task, bundle, notes.current().protocol).inc()
    if isinstance(outcome, Answer) and outcome.abstained:
        ABSTENTIONS.labels(task, bundle, notes.current().protocol).inc()
    SECONDS.labels(task).observe(seconds)
    stages = outcome.seconds if isinstance(outcome, Answer) else {"formatter": outcome.seconds}
    for stage, spent_s in stages.items():
        STAGES.labels(task, stage).observe(spent_s)


def refused(task: str, reason: str) -> None:
    """Count a refusal of the case, or of the request, that this task works for."""
    noted = notes.current()
    REFUSALS.labels(task, noted.bundle, noted.protocol, reason).inc()
    if reason == INSUFFICIENT:
        ABSTENTIONS.labels(task, noted.bundle, noted.protocol).inc()
    for role, spent_s in noted.seconds.items():
        STAGES.labels(task, role).observe(spent_s)
