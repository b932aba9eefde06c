"""The gate: whether a report's figures reach what a run asks for. A closed gate is a value with its reasons.

A check passes where the figure's *value* reaches the threshold; the interval is shown beside it, and ``sure`` says
whether its low end reaches the threshold too. The value decides, because a threshold of 1.0 (every answer valid) is
one that no interval's low end can reach, and because a person can then read pass or fail off the report. To gate on
certainty, measure more cases or ask for more than you need. A figure that is missing closes the gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from proseform import digest

if TYPE_CHECKING:
    from proseform.config import Gate


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the verdict.

    Attributes:
        name: The figure's name, as in ``config.Gate`` and in ``report["figures"]``.
        wanted: The threshold: the least that passes.
        found: The figure's value; None where it is missing.
        low: Low end of its 95 % interval.
        high: High end of it.
        n: Cases that it was measured on.
        passed: Whether the value reaches the threshold.
        sure: Whether the low end does.
    """

    name: str
    wanted: float
    found: float | None
    low: float | None
    high: float | None
    n: int
    passed: bool
    sure: bool

    def __str__(self) -> str:
        """``formatter_exact: found 0.91 [0.86, 0.94] of 200, wanted at least 0.97``."""
        if self.found is None:
            return f"{self.name}: not measured, wanted at least {self.wanted:g}"
        return f"{self.name}: found {self.found:.4g} [{self.low:.3g}, {self.high:.3g}] of {self.n}, wanted at least {self.wanted:g}"


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """The outcome of judging one report for one bundle.

    Attributes:
        checks: A row for each threshold.
        faults: Other reasons to stay closed: the report is of another task than the bundle.
        report: Digest of the report.
        bundle: Digest of the bundle that the report measured.
        task: Digest of the task.
    """

    checks: tuple[Check, ...]
    faults: tuple[str, ...]
    report: str
    bundle: str
    task: str

    @property
    def open(self) -> bool:
        """Whether the bundle may be promoted."""
        return bool(self.checks) and not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is closed, in words; empty where it is open."""
        return (*self.faults, *(str(check) for check in self.checks if not check.passed))

    def as_dict(self) -> dict[str, Any]:
        """The verdict as JSON, as it is stored beside the model version."""
        return {
            "open": self.open,
            "reasons": list(self.reasons),
            **asdict(self),
            "checks": [asdict(check) for check in self.checks],
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> GateVerdict:
        """Read what :meth:`as_dict` wrote; whether it is open is derived anew, never read."""
        return cls(
            tuple(Check(**check) for check in raw["checks"]),
            tuple(raw["faults"]),
            raw["report"],
            raw["bundle"],
            raw["task"],
        )


def judge(report: Mapping[str, Any], thresholds: Gate, bundle_digest: str, task_contract: str) -> GateVerdict:
    """Judge a report against thresholds, for one bundle.

    Args:
        report: As :func:`proseform.report.summarise` gives; its ``figures`` carry the names of the thresholds.
        thresholds: Least values, each a share in [0, 1], ``lift`` in [-1, 1].
        bundle_digest: Of the bundle to be promoted; where ``report["meta"]["digests"]`` names a ``bundle``, it must be this.
        task_contract: Of the bundle's task; ``report["meta"]["task_contract"]`` must be this.
    """
    figures = report.get("figures", {})
    checks = tuple(_check(name, float(wanted), figures.get(name)) for name, wanted in thresholds.model_dump().items())
    meta = report.get("meta", {})
    stated = {"task": meta.get("task_contract", ""), "bundle": meta.get("digests", {}).get("bundle", bundle_digest)}
    faults = tuple(
        f"the report is of {name} {digest.short(stated[name]) or '(none)'}, not of {digest.short(own)}"
        for name, own in (("task", task_contract), ("bundle", bundle_digest))
        if stated[name] != own
    )
    return GateVerdict(checks, faults, digest.of_json(report), bundle_digest, task_contract)


def _check(name: str, wanted: float, figure: Mapping[str, Any] | None) -> Check:
    """One threshold against one figure."""
    if not figure or not figure.get("n"):
        return Check(name, wanted, None, None, None, 0, passed=False, sure=False)
    value, low = figure["value"], figure["low"]
    return Check(name, wanted, value, low, figure["high"], figure["n"], passed=value >= wanted, sure=low >= wanted)
