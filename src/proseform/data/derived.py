"""What is derived for a task, as the files that could state it: where to begin when a file is to replace it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proseform.errors import InputError
from proseform.prompt import Prompt
from proseform.task import GUIDE, Task, plain


def files(task: Task) -> dict[str, str]:
    """Name to text of the files that a folder could have, each as reading it back gives the task.

    >>> from proseform.testing import toy_task
    >>> print(files(toy_task())["evaluator.md"])
    # system
    You weigh parcels.
    # user
    Parcel: {parcel}
    Rule: {rule}
    <BLANKLINE>
    """
    return {
        plain.EVALUATOR: _markdown(task.evaluator),
        plain.FORMATTER: _markdown(task.formatter),
        GUIDE: f"{task.guide}\n",
        plain.RUBRIC: _toml(task.rubrics),
    }


def file(task: Task, name: str) -> str:
    """One of them.

    Raises:
        InputError: None of that name; those that there are are named.
    """
    known = files(task)
    if name not in known:
        raise InputError(f"No file '{name}' is derived; there are: {', '.join(known)}.")
    return known[name]


def _markdown(prompt: Prompt) -> str:
    """A prompt as :meth:`Prompt.from_markdown` reads it."""
    sections = {"form": prompt.form, "system": prompt.system, "user": prompt.user, "prefill": prompt.prefill}
    return "".join(f"# {name}\n{text}\n" for name, text in sections.items() if text)


def _toml(rubrics: Mapping[str, Any]) -> str:
    """A rubric's tables: weights and exponents are numbers."""
    tables = {f"variants.{name}": terms for name, terms in rubrics.get("variants", {}).items()}
    tables["exponents"] = rubrics.get("exponents", {})
    return "\n".join(
        "\n".join([f"[{name}]", *(f"{term} = {number}" for term, number in terms.items()), ""])
        for name, terms in tables.items()
        if terms
    )
