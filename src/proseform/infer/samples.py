"""Critical cases: several evaluations of one case, and what they agree on.

Every evaluation is verified and formatted by a chain of its own: sampled, or by another bundle each. What is given is
one of these answers as it is, not one that is put together: the one whose derived values are those of most, and whose
derived numbers are nearest to the median. So it is still valid, consistent and grounded. Where too few agree, the case
is refused as ``disagreement``, for a person to look at.
"""

from __future__ import annotations

import asyncio
import json
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from proseform.claims.keywords import DERIVE
from proseform.errors import Refusal
from proseform.infer import Engine
from proseform.infer.answer import answered
from proseform.infer.verified import Answer
from proseform.schema import Schema
from proseform.schema.pointer import at
from proseform.task import Task

MOST = 9
"""Most evaluations of one case."""
LEAST_AGREEMENT = 0.5
"""More than this share of the evaluations must agree."""


async def consulted(
    engines: Sequence[Engine],
    task: Task,
    inputs: Mapping[str, Any],
    *,
    samples: int,
    schema: Schema | None = None,
    **options: Any,
) -> Answer:
    """One answer of several; its ``samples`` and ``agreement`` say of how many, and how many agree with it.

    Args:
        engines: At least one. Of one every evaluation is sampled; several take turns, and each begins with its most
            likely text. See :func:`proseform.infer.answer.answered`.
        task: Likewise.
        inputs: Likewise.
        samples: Evaluations, 2 to :data:`MOST`.
        schema: See :func:`proseform.infer.answer.answered`.
        options: Likewise.

    Raises:
        Refusal: ``disagreement``; or the first refusal, where no evaluation led to an answer.
        ProseformError: An error that is no refusal ends all of them.
    """
    chains = [
        asyncio.create_task(answered(engine, task, inputs, schema=schema, sample=number, **options))
        for engine, number in _turns(engines, samples)
    ]
    answers, refusals = list[Answer](), list[Refusal]()
    try:
        for chain in asyncio.as_completed(chains):
            try:
                answers.append(await chain)
            except Refusal as error:
                refusals.append(error)
    finally:
        for one in chains:
            one.cancel()
        await asyncio.gather(*chains, return_exceptions=True)
    if not answers:
        raise refusals[0]
    ordered = [one.result() for one in chains if one.exception() is None]
    return chosen(ordered, samples, schema or engines[0].bundle.compiled())


def _turns(engines: Sequence[Engine], samples: int) -> list[tuple[Engine, int]]:
    """Who makes each evaluation, and with which seed; 0 is the most likely text."""
    if len(engines) == 1:
        return [(engines[0], number) for number in range(1, samples + 1)]
    return [(engines[turn % len(engines)], turn // len(engines)) for turn in range(samples)]


def chosen(answers: Sequence[Answer], samples: int, schema: Schema) -> Answer:
    """The answer that most agree with.

    Args:
        answers: At least one, in the order of their seeds.
        samples: How many were asked for: who was refused does not agree.
        schema: Says which values are derived. Where none is, answers agree that are equal.

    Raises:
        Refusal: ``disagreement``.
    """
    derived = [_derived(answer.value, schema) for answer in answers]
    words = [_words(answer.value, values) for answer, values in zip(answers, derived, strict=True)]
    most, count = Counter(words).most_common(1)[0]
    if count <= LEAST_AGREEMENT * samples:
        hint = "Let a person look at the case, or ask once for a single evaluation."
        raise Refusal("disagreement", f"No more than {count} of {samples} evaluations agree.", hint=hint)
    alike = [(answer, values) for answer, values, said in zip(answers, derived, words, strict=True) if said == most]
    numbers = [{place: value for place, value in values.items() if _number(value)} for _, values in alike]
    places = set(numbers[0]).intersection(*numbers)
    medians = {place: statistics.median(one[place] for one in numbers) for place in places}
    far = [sum(abs(one[place] - median) for place, median in medians.items()) for one in numbers]
    best = alike[far.index(min(far))][0]
    tokens = {role: sum(answer.tokens[role] for answer in answers) for role in best.tokens}
    known = [answer.prompt_tokens for answer in answers if answer.prompt_tokens is not None]
    prompted = {role: sum(one[role] for one in known) for role in best.tokens} if len(known) == samples else None
    return replace(best, tokens=tokens, prompt_tokens=prompted, samples=samples, agreement=count / samples)


def _derived(value: Any, schema: Schema) -> dict[str, Any]:
    """Derived texts, truths and numbers of a value, by their places; lists follow from the same."""
    places = (place for place, _, annotations in schema.annotations(value) if DERIVE in annotations)
    known = {place: at(value, place) for place in places}
    return {place: part for place, part in known.items() if isinstance(part, str | bool | int | float)}


def _words(value: Any, derived: Mapping[str, Any]) -> str:
    """What has to be equal in answers that agree: derived texts and truths, else the numbers, else all."""
    texts = {place: part for place, part in derived.items() if not _number(part)}
    return json.dumps(texts or (sorted(derived) if derived else value), sort_keys=True)


def _number(value: Any) -> bool:
    """Whether a value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
