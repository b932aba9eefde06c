"""The gate: whether a report's figures reach what a run asks for. A closed gate is a value with its reasons.

A check states a figure, a direction (at least, at most), on how many cases it must have been measured, and what
decides: the whole 95 % interval, or the value alone where no interval can reach the threshold (every answer valid). A
figure, a digest or a baseline that is missing closes the gate, and so does a threshold that answers reach which were
made without reading an input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from proseform import digest
from proseform.errors import InputError

if TYPE_CHECKING:
    from proseform import config


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the verdict.

    Attributes:
        name: The figure's name, as in ``config.Gate`` and in ``report["figures"]``.
        direction: ``at least`` or ``at most``.
        threshold: The lowest or highest figure that passes.
        by: Which must pass: the ``interval`` (the end of it that is farther from passing) or the ``value``.
        least_cases: Fewest cases that the figure must have been measured on.
        value: The figure's value; None where it is missing.
        low: Low end of its 95 % interval.
        high: High end of it.
        n: Cases that it was measured on.
    """

    name: str
    direction: Literal["at least", "at most"]
    threshold: float
    by: Literal["interval", "value"]
    least_cases: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0

    @property
    def passed(self) -> bool:
        """Whether the figure was measured on enough cases, and what decides reaches the threshold."""
        if self.value is None or self.low is None or self.high is None or self.n < self.least_cases:
            return False
        if self.direction == "at least":
            return (self.low if self.by == "interval" else self.value) >= self.threshold
        return (self.high if self.by == "interval" else self.value) <= self.threshold

    def __str__(self) -> str:
        """``lift: 0.1 [-0.02, 0.2] on 200 cases; its low end must be at least 0, on at least 50 cases``."""
        end = {"at least": "low", "at most": "high"}[self.direction]
        what = "its value" if self.by == "value" else f"its {end} end"
        asked = f"{what} must be {self.direction} {self.threshold:g}, on at least {self.least_cases} cases"
        if self.value is None:
            return f"{self.name}: not measured; {asked}"
        return f"{self.name}: {self.value:.4g} [{self.low:.3g}, {self.high:.3g}] on {self.n} cases; {asked}"


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """The outcome of judging one report for one bundle.

    Attributes:
        checks: A row for each threshold.
        faults: Other reasons to stay closed: the report is of another bundle or split, or a threshold asks for too
            little.
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
            "checks": [{**asdict(check), "passed": check.passed} for check in self.checks],
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> GateVerdict:
        """Read what :meth:`as_dict` wrote; whether it is open is derived anew, never read.

        Raises:
            InputError: It was written by another version, whose checks were others.
        """
        fields = Check.__dataclass_fields__
        try:
            checks = tuple(Check(**{name: check[name] for name in fields}) for check in raw["checks"])
            return cls(checks, tuple(raw["faults"]), raw["report"], raw["bundle"], raw["task"])
        except (KeyError, TypeError) as error:
            raise InputError(
                f"This verdict of a gate was written by another version of Proseform (it has no {error}).",
                hint="Run the gate again.",
            ) from error


def judge(report: Mapping[str, Any], gate: config.Gate, bundle_digest: str, task_contract: str) -> GateVerdict:
    """Judge a report against thresholds, for one bundle.

    Args:
        report: As :func:`proseform.report.summarise` gives; its ``figures`` carry the names of the checks, its
            ``baseline`` what can be earned of them without reading an input.
        gate: The checks.
        bundle_digest: Of the bundle to be promoted; ``report["meta"]["digests"]["bundle"]`` must be this.
        task_contract: Of the bundle's task; ``report["meta"]["task_contract"]`` must be this, and
            ``report["meta"]["split"]`` must be ``test``.
    """
    figures = report.get("figures", {})
    meta = report.get("meta", {})
    beside = {"above_blind"} if meta.get("prose") == "free" else {"above_blind", "agreement"}
    rows = {name: getattr(gate, name) for name in type(gate).model_fields if name not in beside}
    checks = tuple(_check(name, row, figures.get(name)) for name, row in rows.items() if row)
    stated = {"task": meta.get("task_contract", ""), "bundle": meta.get("digests", {}).get("bundle", "")}
    faults = [
        f"the report is of {name} {digest.short(stated[name]) or '(none)'}, not of {digest.short(own)}"
        for name, own in (("task", task_contract), ("bundle", bundle_digest))
        if not own or stated[name] != own
    ]
    split = meta.get("split") or "(none)"
    if split != "test":
        faults.append(f"the report is of the split {split}, not of test, which tuning has not looked at")
    if gate.above_blind:
        faults += _blind(checks, report.get("baseline"))
    return GateVerdict(checks, tuple(faults), digest.of_json(report), bundle_digest, task_contract)


def _check(name: str, row: config.Check, figure: Mapping[str, Any] | None) -> Check:
    """One threshold against one figure."""
    direction: Literal["at least", "at most"] = "at least" if row.at_least is not None else "at most"
    threshold = row.at_least if row.at_least is not None else row.at_most
    assert threshold is not None  # the section checks that one of them is given
    check = Check(name, direction, threshold, row.by, row.cases)
    if not figure or not figure.get("n"):
        return check
    return Check(
        name, direction, threshold, row.by, row.cases, *(figure[part] for part in ("value", "low", "high", "n"))
    )


def _blind(checks: tuple[Check, ...], baseline: Mapping[str, Any] | None) -> list[str]:
    """Thresholds that say nothing, because answers that were made without reading an input may reach them."""
    if not baseline:
        return ["the report has no blind baseline"]
    faults = [f"{name}: the report has no blind baseline of it" for name, known in baseline.items() if not known]
    return faults + [
        f"{check.name}: a threshold of {check.threshold:g} says nothing, since {known['value']:.3g} "
        f"[{known['low']:.3g}, {known['high']:.3g}] is reached without reading an input ({known.get('how', 'blind')})"
        for check in checks
        if (known := baseline.get(check.name)) and check.direction == "at least" and check.threshold <= known["high"]
    ]
