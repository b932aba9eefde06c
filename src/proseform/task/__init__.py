"""A task is a value: a folder of data and two small pure modules, read into one frozen object.

The folder is a Python package, found by the entry-point group ``proseform.tasks``::

    task.toml       name, title, inputs, levels, formats (named sets of the schema's fields), rubric
    schema.json     the JSON that is answered; bounded everywhere
    evaluator.md    the evaluator's prompt (chat)        formatter.md   the formatter's prompt (plain)
    rubric.toml     weights and exponents                cases.jsonl    gold cases, the subject of the laws
    source.py       generate(level, split, seed, count) and annotate(case, rng); where it has them: from_json, identify,
                    unread
    rewards.py      read(prose, inputs) and TERMS        guide.md       form and rule in words (not every task has it)
    synonyms.toml   other names of things, by which a quote may support its field (not every task has it)
    exploits.toml   texts that game the reward (not every task has it)

Nothing is subclassed. What every task owes is checked by :func:`proseform.laws.check`.

- :mod:`~proseform.task.domain`: the value
- :mod:`~proseform.task.folder`: reading it from its package
- :mod:`~proseform.task.planted`: exploits that only the domain can know
- :mod:`~proseform.task.contract`: its digests; what a bundle must agree with, and what may change without a new bundle
"""

from proseform.task.domain import Task
from proseform.task.folder import FILES, GROUP, GUIDE, foreign, from_package, installed, load

__all__ = ["FILES", "GROUP", "GUIDE", "Task", "foreign", "from_package", "installed", "load"]
