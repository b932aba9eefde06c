"""What people see of a run and of an answer.

- :mod:`~proseform.display.batch`: a batch while it goes on
- :mod:`~proseform.display.watch`: a run while it goes on
- :mod:`~proseform.display.results`: what came of it, an answer, a document, and tables
- :mod:`~proseform.display.rewards`: what is said of a reward
- :mod:`~proseform.display.signal`: GRPO's curves while it trains
- :mod:`~proseform.display.tasks`: a task of one's own, and what its cases hold
- :mod:`~proseform.display.top`: a running server
"""

from proseform.display.batch import rows_done
from proseform.display.results import answered, conclude, document, promoted, show, summary
from proseform.display.rewards import checked, explained, replayed, signalled
from proseform.display.signal import watched
from proseform.display.tasks import counted, created
from proseform.display.top import top
from proseform.display.watch import Tail, follow, note

__all__ = [
    "Tail",
    "answered",
    "checked",
    "conclude",
    "counted",
    "created",
    "document",
    "explained",
    "follow",
    "note",
    "promoted",
    "replayed",
    "rows_done",
    "show",
    "signalled",
    "summary",
    "top",
    "watched",
]
