"""What every task owes, checked for free: in tests, and whenever a stage loads a task.

- :mod:`~proseform.laws.owed`: the laws of a task as a whole
- :mod:`~proseform.laws.cases`: the laws of each case, a user's own cases included
- :mod:`~proseform.laws.trial`: the same laws for a task that does not come with the package, whose code may hang
"""

from proseform.laws.cases import FOREIGN, case_faults, input_faults
from proseform.laws.owed import broken, check

__all__ = ["FOREIGN", "broken", "case_faults", "check", "input_faults"]
