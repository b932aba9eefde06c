"""Dynamic sampling: a step asks other prompts in the place of those whose groups have no variance.

Yu and others, DAPO (arXiv 2503.14476), section 3.2. There a whole batch is sampled each time and what is left over is
thrown away; here a round asks for as many prompts as mixed groups are missing, so that fewer tokens are discarded.
Where the budget ends, the step takes the zero-variance groups that it has, the first ones: they weigh as in GRPO
without the method, with an advantage of 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from proseform import config
from proseform.train.methods.drawn import Ask, Drawn
from proseform.train.prompts import Source


class Resample:
    """See the module; it has no state beyond the source's.

    Args:
        knobs: The budget.
        source: Gives other prompts.
    """

    def __init__(self, knobs: config.Resample, source: Source) -> None:
        self.budget, self.source = knobs.budget, source

    def more(self, drawn: Sequence[Drawn], prompts: int) -> list[Ask]:
        """As many other prompts as mixed groups are missing of a step's, within the budget."""
        missing, most = prompts - sum(one.mixed for one in drawn), int(self.budget * prompts)
        return [Ask(case) for case in self.source.next(max(0, min(missing, most - len(drawn))))]
