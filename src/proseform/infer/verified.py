"""What comes of a chain: an answer whose JSON the verifier accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from proseform.abstention import Strange
from proseform.infer import Completion
from proseform.input import Finding
from proseform.verdict import Correction, Verdict


@dataclass(frozen=True, slots=True)
class Spent:
    """What completions cost.

    Attributes:
        tokens: Generated tokens.
        seconds: Wall-clock seconds.
        prompt_tokens: Tokens of their prompts; None where some completion came without a count of both.
    """

    tokens: int = 0
    seconds: float = 0.0
    prompt_tokens: int | None = 0

    def more(self, completion: Completion) -> Spent:
        """With one more completion."""
        known = self.prompt_tokens, completion.prompt_tokens
        prompted = None if known[0] is None or known[1] is None else known[0] + known[1]
        return Spent(self.tokens + completion.tokens, self.seconds + completion.seconds, prompted)


@dataclass(frozen=True, slots=True)
class Formatted:
    """Verified JSON made of prose.

    Attributes:
        text: The JSON as the model wrote it.
        value: The JSON.
        tokens: Generated tokens, all attempts together.
        seconds: Wall-clock seconds, all attempts together (of their batches, in process).
        narrowed: Whether a narrower schema than the one asked for was enforced.
        cut: JSON pointers of what was cut short, so that the document could end.
        attempts: How often the formatter was asked.
        prompt_tokens: Tokens of the prompts, all attempts together; None where not all were counted.
    """

    text: str
    value: Any
    tokens: int
    seconds: float
    narrowed: bool
    cut: tuple[str, ...] = ()
    attempts: int = 1
    prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        prose: The evaluation.
        prose_verdict: What the verifier says of it, for the task's whole schema.
        verdict: What the verifier says of both together: the JSON is valid in any case; where it is accepted it is
            consistent and grounded too, and holds the evidence.
        text: The JSON as the model wrote it.
        value: The JSON, accepted by the verifier.
        bundle: The digest of the bundle that gave it.
        task: The digest of the task's contract.
        seconds: Wall-clock seconds by role.
        tokens: Generated tokens by role.
        narrowed: See :class:`Formatted`, as for the next two.
        grounded: The share of the JSON's free strings that occur in the prose, in [0, 1]; reported only.
        cut: See :class:`Formatted`.
        attempts: See :class:`Formatted`.
        tries: How often the evaluator was asked.
        findings: What was noticed of each input: what was removed of it, or kept from being read as a control token;
            and what it names while nothing is quoted for it.
        samples: Of how many evaluations it is one (:mod:`proseform.infer.samples`); tokens are those of all.
        agreement: The share of them that agree with it, in (0, 1].
        prompt_tokens: Tokens of prompts by role, where engines counted these and generated ones for all that was asked;
            else None. Of an evaluation that was kept nothing was asked.
        abstained: Why the bundle abstains: the JSON is the schema's own answer for that, and no model was asked. Empty
            where it answers.
        recomputed: What the evaluation said that did not follow from its evidence, and was computed anew; its prose
            and the JSON say what follows.
    """

    prose: str
    prose_verdict: Verdict
    verdict: Verdict
    text: str
    value: Any
    bundle: str
    task: str
    seconds: Mapping[str, float]
    tokens: Mapping[str, int]
    narrowed: bool
    grounded: float
    cut: tuple[str, ...] = ()
    attempts: int = 1
    tries: int = 1
    findings: Mapping[str, Sequence[Finding]] = field(default_factory=dict)
    samples: int = 1
    agreement: float = 1.0
    prompt_tokens: Mapping[str, int] | None = None
    abstained: tuple[Strange, ...] = ()
    recomputed: tuple[Correction, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON: ``answer prose verdict abstained recomputed evidence prose_verdict findings bundle task``; figures.

        ``verdict`` is ``verified`` (valid, consistent, grounded), ``valid``, or ``abstained``.
        """
        return {
            "answer": self.value,
            "prose": self.prose,
            "verdict": "abstained" if self.abstained else "verified" if self.verdict.ok else "valid",
            "abstained": [asdict(one) for one in self.abstained],
            "recomputed": [one.as_dict() for one in self.recomputed],
            "evidence": [one.as_dict() for one in self.verdict.evidence],
            "prose_verdict": str(self.prose_verdict),
            "grounded": round(self.grounded, 4),
            "narrowed": self.narrowed,
            "cut": list(self.cut),
            "attempts": self.attempts,
            "tries": self.tries,
            "samples": self.samples,
            "agreement": round(self.agreement, 4),
            "findings": {name: [asdict(one) for one in noticed] for name, noticed in self.findings.items() if noticed},
            "bundle": self.bundle,
            "task": self.task,
            "seconds": {role: round(seconds, 4) for role, seconds in self.seconds.items()},
            "tokens": dict(self.tokens),
            "prompt_tokens": None if self.prompt_tokens is None else dict(self.prompt_tokens),
        }
