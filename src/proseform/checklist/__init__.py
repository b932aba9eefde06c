"""The checklist of people whose GRPO reward did not work, as a table: what was checked, result, reason.

Any reward can be checked: a task's rubric, or a function as TRL calls it. What a task owes as a whole stands in
:mod:`proseform.laws`; here are the checks that every reward must stand.

- :mod:`~proseform.checklist.subject`: a reward and its cases as a value, and a row of the table
- :mod:`~proseform.checklist.contract`: the checks of how it is called and what comes back
- :mod:`~proseform.checklist.payment`: the checks of what it pays for
- :mod:`~proseform.checklist.exploits`: planted exploits; :mod:`~proseform.checklist.material`: what they are made of;
  :mod:`~proseform.checklist.restate`: texts that state something else, honest mediocrity among them
- :mod:`~proseform.checklist.by_task`, :mod:`~proseform.checklist.by_function`: what can be checked;
  :mod:`~proseform.checklist.gold_rows`: the cases of a function
- :mod:`~proseform.checklist.apart`, :mod:`~proseform.checklist.attempt`: the checks in processes that can be killed
"""

from proseform.checklist.subject import Check, Subject

__all__ = ["Check", "Subject"]
