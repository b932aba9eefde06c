"""Corpora of public schemas, read from a folder: the project ships none of them.

Three forms of file: MaskBench's (``{"schema": …, "tests": [{"data", "valid"}]}``), those of the JSON Schema Test Suite
(lists of the same, below a folder that names the draft), and plain schemas.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from proseform.schema import URIS, Number

DRAFTS: dict[str, Number] = {"draft4": 4, "draft6": 6, "draft7": 7, "draft2019-09": 2019, "draft2020-12": 2020}
_OTHER_DRAFTS = frozenset({"draft3", "draft-next", "latest", "v1"})


class Entry(NamedTuple):
    """A schema of a corpus.

    Attributes:
        document: The schema.
        tests: Values that it is said to take or refuse: ``data`` and ``valid``.
    """

    document: Any
    tests: list[dict[str, Any]]


def files(folder: Path) -> list[Path]:
    """The files of a corpus, in order of their paths.

    Left out of the Test Suite: drafts that are not taken, and where it takes formats for annotations, as here they
    count.
    """
    return sorted(
        path
        for path in folder.rglob("*.json")
        if path.name != "format.json" and not _OTHER_DRAFTS.intersection(path.relative_to(folder).parts)
    )


def entries(path: Path) -> Iterator[Entry]:
    """The schemas of one file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    draft = next((DRAFTS[part] for part in path.parts if part in DRAFTS), None)
    for group in content if isinstance(content, list) else [content]:
        document, tests = group, []
        if isinstance(group, dict) and "tests" in group and "schema" in group:
            document, tests = group["schema"], group["tests"]
        elif isinstance(group, dict) and "json_schema" in group:
            document = group["json_schema"]
        if draft is not None and isinstance(document, dict):
            document = {"$schema": URIS[draft], **document}
        yield Entry(document, [test for test in tests if "data" in test])
