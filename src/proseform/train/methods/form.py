"""Credit for form by the batch: as much of the reward hangs on form as the batch's completions are out of it.

Most public recipes pay form as a constant: whatever parses earns a little. Failing completions can earn that too, and
where nothing else differs in a group, the little counts as much as success (arXiv 2607.21273). Here form is paid only
as a share of content that is right, and the share shrinks as the batch complies:

    paid = content * (1 - s + s * form),   s = weight * (1 - mean form of the batch)

Content without form earns less, form without content earns nothing, and once all are in form, form is worth nothing.
Content and form are those terms of a rubric of JSON that say so (:data:`proseform.direct.FORM`), each side's weighted
mean. The batch is what a step samples first, over all ranks; what is sampled in its further rounds, and gold, is paid
by the same share. So nothing outlives a step. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from proseform import config, direct, reward
from proseform.reward import Score
from proseform.rubric import Rubric


class Form:
    """See the module; it keeps nothing from one step to the next.

    Args:
        knobs: How much hangs on form at most.
        rubric: A rubric of JSON with terms of both sides.

    Attributes:
        compliance: The mean form of the step's first completions, in [0, 1].
    """

    def __init__(self, knobs: config.Form, rubric: Rubric) -> None:
        self.weight = knobs.weight
        self._form = {term: weight for term, weight in rubric.weights.items() if term in direct.FORM}
        self._content = {term: weight for term, weight in rubric.weights.items() if term not in direct.FORM}
        self._exponents = rubric.exponents
        self.compliance = 0.0

    def begin(self, scores: Sequence[Score]) -> None:
        """Take the completions that a step samples first; those that could not be scored do not count."""
        scored = [self._mean(one, self._form) for one in scores if not one.fault]
        self.compliance = fmean(scored) if scored else 0.0

    def paid(self, score: Score) -> Score:
        """What a completion earns, in [0, 1]; its raw terms stay, and so does a fault."""
        if score.fault:
            return score
        share = self.weight * (1.0 - self.compliance)
        form, content = self._mean(score, self._form), self._mean(score, self._content)
        return replace(score, composite=content * (1.0 - share + share * form))

    def _mean(self, score: Score, weights: dict[str, float]) -> float:
        """The weighted mean of some terms, each to its power."""
        values = (
            weight * reward.powered(score.terms[term], self._exponents.get(term, 1)) for term, weight in weights.items()
        )
        return min(1.0, sum(values) / sum(weights.values()))
