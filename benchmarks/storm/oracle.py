"""What could have been answered where every replica fails now and then, with the same budget of retries.

:func:`clairvoyant` is an upper bound: it knows before each request which of its calls fail, pays from the budgets of
all backends of a role together, and spends them only on requests that they bring to an answer, the cheapest first.
:func:`ideal` knows what any caller can know: that a call has failed, once it has. Neither has a breaker, a pause or a
deadline. Texts that are not accepted are asked for again as often as by the chain, which costs no budget here or there.
"""

from __future__ import annotations

import random

from proseform.bundle import ROLES
from proseform.infer.chain import ATTEMPTS, TRIES
from proseform.infer.resilience.budget import RetryBudget


def clairvoyant(requests: int, share: float, hard: float, replicas: int, attempts: int, seed: int = 0) -> float:
    """The share of requests that are answered by whoever knows what will fail.

    Args:
        requests: How many.
        share: Of calls that fail, in [0, 1].
        hard: Of these, the share that gives no completion, in [0, 1].
        replicas: Of a role.
        attempts: Most calls for one completion.
        seed: Of what fails.
    """
    draw, budget = random.Random(seed), RetryBudget()
    least = [_costs(draw, share, hard, attempts) for _ in range(requests)]
    can = sorted((one for one in least if one is not None), key=sum)
    firsts = [requests, len(can)]
    left = [replicas * budget.reserve + budget.share * first for first in firsts]
    answered = 0
    for costs in can:
        if all(cost <= rest for cost, rest in zip(costs, left, strict=True)):
            left = [rest - cost for cost, rest in zip(costs, left, strict=True)]
            answered += 1
    return answered / requests


def ideal(requests: int, share: float, hard: float, replicas: int, attempts: int, seed: int = 0) -> float:
    """The share of requests that are answered by whoever learns of a failure at once; arguments as above."""
    draw, answered = random.Random(seed), 0
    budgets = [RetryBudget(reserve=replicas * RetryBudget().reserve) for _ in ROLES]

    def completed(budget: RetryBudget) -> bool:
        """Whether a completion comes, that is accepted."""
        for _ in range(TRIES):
            budget.called()
            for attempt in range(attempts):
                if attempt and not budget.spend():
                    return False
                if draw.random() >= share:
                    return True
                if draw.random() >= hard:
                    break
            else:
                return False
        return False

    for _ in range(requests):
        answered += all(completed(budget) for budget in budgets)
    return answered / requests


def _costs(draw: random.Random, share: float, hard: float, attempts: int) -> tuple[int, int] | None:
    """Retries that a request needs of the evaluator and of the formatter; None where its attempts do not suffice."""
    evaluator = _cost(draw, share, hard, attempts, TRIES)
    formatter = _cost(draw, share, hard, attempts, ATTEMPTS)
    return None if evaluator is None or formatter is None else (evaluator, formatter)


def _cost(draw: random.Random, share: float, hard: float, attempts: int, texts: int) -> int | None:
    """Retries until a completion is accepted."""
    retries = 0
    for _ in range(texts):
        for attempt in range(attempts):
            if draw.random() >= share:
                return retries + attempt
            if draw.random() >= hard:
                retries += attempt
                break  # a completion, though not accepted: the chain asks again
        else:
            return None
    return None
