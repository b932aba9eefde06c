"""A task's digests: of its contract, of its data, and of its files byte by byte.

The *contract* is what a bundle must agree with in order to answer rightly: name, inputs and formats, the schema, the
prompts, and the reader, which is rewards.py, the module of ``from_json``, and every module and data file of the package
that these reach. The *data* are all other files: what makes cases, weighs and describes them (source.py, cases.jsonl,
rubric.toml, README.md). A file that nothing names counts as contract, to be safe; a task can say otherwise by
``data = ["FILE", …]`` in task.toml. Both are digests of meaning, see :mod:`proseform.closure`: a comment, a docstring
or another layout changes neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from proseform import closure, digest
from proseform.errors import TaskError

CONTRACT = frozenset({"schema.json", "evaluator.md", "formatter.md", "synonyms.toml", "excerpts.toml"})
"""Files that are always part of the contract, beside the reader."""
DATA = frozenset({"cases.jsonl", "rubric.toml", "exploits.toml", "injection.toml", "evaluator.lark", "README.md"})
"""Files that are part of the data, unless the reader reaches them."""
CONTRACT_KEYS = ("name", "inputs", "formats")
"""Keys of task.toml that are part of the contract."""


def digests(
    package: str, folder: Path, head: Mapping[str, Any], from_json: Callable[..., str] | None
) -> dict[str, str]:
    """``contract``, ``data`` and ``whole``; see the head of this module.

    Raises:
        TaskError: task.toml's ``data`` names a file that is not there or that the reader reaches.
    """
    files = {
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts
    }
    reader = [f"{package}.rewards", *([from_json.__module__] if from_json else [])]
    read = closure.reached(folder, package, reader) - {"task.toml"}
    generating = closure.reached(folder, package, [f"{package}.source"])
    stated = set(head.get("data", ()))
    if strange := sorted(stated - files) or sorted(stated & (read | CONTRACT)):
        raise TaskError(
            f"{folder.name}/task.toml: data: {strange[0]} is no file of this folder that may change without a new "
            "bundle."
        )
    data = ((DATA | generating | stated | {name for name in files if name.endswith(".md")}) - read - CONTRACT) & files
    contract = {name: closure.of_file(folder / name) for name in sorted(files - data - {"task.toml"})}
    described = {name: closure.of_file(folder / name) for name in sorted(data)}
    agreed = {key: value for key, value in head.items() if key in CONTRACT_KEYS}
    rest = {key: value for key, value in head.items() if key not in CONTRACT_KEYS}
    return {
        "contract": digest.of_json({"task": agreed, "files": contract}),
        "data": digest.of_json({"task": rest, "files": described}),
        "whole": digest.of_files(folder, files),
    }
