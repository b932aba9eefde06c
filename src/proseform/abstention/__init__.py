"""When a bundle abstains: a case is not of the kind that its models learnt from.

A model answers whatever it is asked: a recipe gets an evaluation as an application does. So a bundle knows what each
input looked like in the training cases, by five features of its text that need no model (:mod:`.kind`). How far an
input lies from them is its largest distance in standard deviations: below the mean for shares that are known, to either
side for sizes. A case lies as far as the furthest of its inputs.

The bound is a split conformal quantile (Vovk et al., 2005; Lei et al., 2018) over held-out cases: of further cases like
them, no more than the stated share lies beyond it. It promises nothing of foreign documents; how many of those are
noticed is measured (:mod:`proseform.suites.foreign`). Pure.

Left out: features of what the models write, which the verifier judges; whether two statements of an input contradict
one another, but for periods that end before they begin, where a task says that an input has any (``dated``).
"""

from proseform.abstention.kind import Kind
from proseform.abstention.value import Abstention, Strange, fitted, least

__all__ = ["Abstention", "Kind", "Strange", "fitted", "least"]
