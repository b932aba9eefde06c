"""Gold completions mixed into groups that never succeed: the last completion of the group gives way to gold.

A group whose completions all earn the same little has no signal; with one that earns the most it has: gold gets a high
advantage, the others a low one. Gold was not sampled by the policy, and is trained on as though it had been: a biased
estimate that pulls towards imitation, as Yan and others do (LUFFY, arXiv 2504.14945) with weights that are left out
here. Groups in which all succeed stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proseform import config
from proseform.case import Case
from proseform.train.methods.drawn import Drawn, Sample
from proseform.train.stopping import NEAR


class Gold:
    """See the module; it has no state.

    Args:
        knobs: How many groups.
        best: The highest reward there is.
        write: The gold completion of each case, scored; None where it cannot be used. Is asked for one at least.
    """

    def __init__(
        self, knobs: config.Gold, best: float, write: Callable[[Sequence[Case]], Sequence[Sample | None]]
    ) -> None:
        self.groups, self.best, self.write = knobs.groups, best, write

    def mix(self, groups: Sequence[Drawn]) -> list[Drawn]:
        """The groups, the first dead ones that do not succeed with gold in the place of their last completion."""
        dead = [
            place
            for place, one in enumerate(groups)
            if not one.mixed and one.rewards and max(one.rewards) < NEAR * self.best
        ][: self.groups]
        mixed = list(groups)
        if not dead:
            return mixed
        for place, sample in zip(dead, self.write([groups[place].case for place in dead]), strict=True):
            one = groups[place]
            if sample is not None and (sample.score.composite or 0.0) > max(one.rewards):
                mixed[place] = Drawn(one.case, (*one.samples[:-1], sample))
        return mixed
