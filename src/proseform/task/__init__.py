"""A task is a value, read from its folder into one frozen object.

A folder may be data alone: a schema and cases, from which all else is derived (:mod:`~proseform.task.plain`). Or it is
a Python package with two small pure modules, found by the entry-point group ``proseform.tasks``::

    task.toml       name, title, inputs, levels, formats (named sets of the schema's fields), rubric; dated, the inputs
                    with periods of time, where there are any
    schema.json     the JSON that is answered; bounded everywhere
    evaluator.md    the evaluator's prompt (chat)        formatter.md   the formatter's prompt (plain)
    rubric.toml     weights and exponents                cases.jsonl    gold cases, the subject of the laws
    source.py       generate(level, split, seed, count) and annotate(case, rng); where it has them: from_json, identify,
                    unread
    rewards.py      read(prose, inputs) and TERMS        guide.md       form and rule in words (not every task has it)
    synonyms.toml   other names of things, by which a quote may support its field (not every task has it)
    excerpts.toml   which long inputs the evaluator is shown an excerpt of (not every task has it)
    evaluator.lark  the form that evaluations can be held to while they are written (not every task has it)
    exploits.toml   texts that game the reward (not every task has it)

Nothing is subclassed. What every task owes is checked by :func:`proseform.laws.check`.

- :mod:`~proseform.task.domain`: the value
- :mod:`~proseform.task.known`: which tasks there are, installed and in folders
- :mod:`~proseform.task.package`: reading one with code from its package
- :mod:`~proseform.task.plain`: reading one of data alone from its folder
- :mod:`~proseform.task.replay`: the cases of such a folder
- :mod:`~proseform.task.files`: the files of both
- :mod:`~proseform.task.planted`: exploits that only the domain can know
- :mod:`~proseform.task.contract`: its digests; what a bundle must agree with, and what may change without a new bundle
"""

from proseform.task.domain import Task
from proseform.task.files import GRAMMAR, GUIDE
from proseform.task.known import FOLDERS, GROUP, folders, foreign, installed, load, located, names
from proseform.task.package import FILES, from_package

__all__ = [
    "FILES",
    "FOLDERS",
    "GRAMMAR",
    "GROUP",
    "GUIDE",
    "Task",
    "folders",
    "foreign",
    "from_package",
    "installed",
    "load",
    "located",
    "names",
]
