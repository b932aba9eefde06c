"""Round trip: free prose, which no reader knows, is as good as the JSON that a frozen formatter makes of it.

    value.py     what was made of prose, and what that earns
    nothing.py   prose that states no answer, of which the formatter is taught to make nothing

A model does the reading (:mod:`proseform.train.reader`, and the suite :mod:`proseform.suites.readings`); here is none.
"""

from proseform.roundtrip import nothing
from proseform.roundtrip.value import NOTHING, RUBRIC, TERM, Readings, blind, earned, or_nothing

__all__ = ["NOTHING", "RUBRIC", "TERM", "Readings", "blind", "earned", "nothing", "or_nothing"]
