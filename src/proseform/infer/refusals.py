"""Why a chain ends without an answer, in words for callers: the reason and the place, nothing of a text.

What a model wrote quotes its inputs, and an error ends up in logs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proseform.abstention import Strange
from proseform.errors import Refusal
from proseform.infer import Request
from proseform.schema import Schema
from proseform.verdict import Reason, Verdict, Why

_STRANGE: Mapping[Why, str] = {
    "unknown_words": "has words that they do not know",
    "unknown_lines": "is not laid out as theirs are",
    "too_short": "is shorter than theirs",
    "too_long": "is longer than theirs",
    "missing_words": "lacks words that theirs have",
    "contradictory_dates": "has a period that ends before it begins",
}
INSUFFICIENT = "insufficient_evidence"
"""The reason of a refusal for which no model was asked: the case is not like those that it learnt from, or contradicts
itself."""
_NAMED = 3
"""So many keywords that no grammar enforces are named."""


def too_long(request: Request, room: int) -> Refusal:
    """A prompt that leaves no room."""
    message = f"The {request.role}'s prompt leaves room for {max(room, 0)} tokens of {request.max_tokens}."
    return Refusal("too_long", message, hint="Shorten the inputs, or serve a model with a longer context.")


def insufficient(strange: Sequence[Strange]) -> Refusal:
    """A case that is not like those that the models learnt from, or contradicts itself."""
    far = [f" ({one.distance:.1f} standard deviations)" if one.foreign else "" for one in strange]
    named = "; ".join(f"the {one.input} {_STRANGE[one.why]}{off}" for one, off in zip(strange, far, strict=True))
    if any(one.foreign for one in strange):
        message = f"This is not the kind of case that the models learnt from: {named}."
        hint = "Look at what was read of each input (proseform read), or train on cases of this kind."
    else:
        message = f"This case contradicts itself: {named}."
        hint = "Look at what was read of each input (proseform read); a period in it is the wrong way round."
    return Refusal(INSUFFICIENT, message, hint=hint)


def invalid(verdict: Verdict, schema: Schema, attempts: int) -> Refusal:
    """JSON that the verifier does not accept; what no grammar held the model to is not its fault."""
    hint = "Ask again, ask for a smaller schema, or promote a better model."
    if verdict.reason is Reason.SCHEMA and schema.widenings:
        places = "; ".join(f"{one.keyword} at {one.place or '/'}" for one in schema.widenings[:_NAMED])
        more = ", and more" if len(schema.widenings) > _NAMED else ""
        hint = f"The grammar does not enforce {places}{more}: the model has to meet it unaided. Ask without, or again."
    return Refusal(str(verdict.reason), f"No valid JSON came of {attempts} attempts ({verdict.place}).", hint=hint)


def unverified(verdict: Verdict, tries: int) -> Refusal:
    """Prose that the verifier does not accept: ungrounded, inconsistent, or not whole (``incomplete``).

    Args:
        verdict: On the last one.
        tries: How many were written; 0 where it was given.
    """
    known = verdict.reason in (Reason.UNGROUNDED, Reason.INCONSISTENT)
    came = f"No evaluation that can be verified came of {tries} tries" if tries else "The evaluation is not verified"
    message = f"{came} ({verdict.place})."
    hint = "Look at what was read of each input (proseform read); models answer for the kind of cases they learnt."
    return Refusal(str(verdict.reason) if known else "incomplete", message, hint=hint)


def untrue(verdict: Verdict, attempts: int) -> Refusal:
    """Valid JSON that departs from the evaluation or from the inputs."""
    message = f"No JSON that says what the evaluation says came of {attempts} attempts ({verdict.place})."
    return Refusal(str(verdict.reason), message, hint="Ask again, or promote a better formatter.")
