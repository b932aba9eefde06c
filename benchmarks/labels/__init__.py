"""What stands in documents that no generator made, by labels, beside what answers say of it.

A file of labels is JSON Lines. The first line names the job, by the SHA-256 of its file, and its requirements. Each
other line is of a document, by the SHA-256 of its file: a verdict for each requirement and, as ``deeds``, the subjects
that it does not name, but shows. No text of a document is in it. What a verdict means is in ``guide.md``. The labels
of advertisements (``adverts``) are read by :mod:`benchmarks.adverts`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.quality import HEAD, share, thing
from proseform import digest
from proseform.tasks.cv import judgement

MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A document's labels.

    Attributes:
        requirements: Like an answer's, with the verdicts that are right.
        deeds: Subjects that the document shows and does not name; their verdict is ``missing``.
    """

    requirements: tuple[Mapping[str, Any], ...]
    deeds: frozenset[str]

    @property
    def recommendation(self) -> str:
        """What follows from the verdicts."""
        verdicts = ((row["importance"], row["verdict"]) for row in self.requirements)
        return judgement.recommendation(judgement.score(verdicts))


@dataclass(frozen=True, slots=True)
class Compared:
    """A requirement by its label and by an answer.

    Attributes:
        name: Its subject, or its kind.
        right: The verdict of the label.
        said: That of the answer; empty where the answer does not have the requirement.
        deed: Whether the document shows it by deeds alone.
    """

    name: str
    right: str
    said: str
    deed: bool

    @property
    def found(self) -> bool:
        """Whether the answer sees something of it in the document."""
        return self.said not in ("", MISSING)


def of_file(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    return digest.listing(path.parent, [path.name])[path.name]


def read(path: Path, job: Path) -> dict[str, Labelled]:
    """The labels of a file, by the digests of the documents.

    Raises:
        ValueError: They are of another job.
    """
    head, *rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    if head["job"] != of_file(job):
        raise ValueError(f"{path} has labels for another job than {job}.")
    labelled = {}
    for row in rows:
        pairs = zip(head["requirements"], row["verdicts"], strict=True)
        requirements = tuple({**need, "verdict": verdict} for need, verdict in pairs)
        labelled[row["document"]] = Labelled(requirements, frozenset(row["deeds"]))
    return labelled


def compared(label: Labelled, stated: Sequence[Mapping[str, Any]]) -> Iterator[Compared]:
    """The requirements of a document's labels, each beside the one that an answer states."""
    said = {thing(row): row["verdict"] for row in stated}
    for row in label.requirements:
        kind, subject = thing(row)
        yield Compared(subject or kind, row["verdict"], said.get((kind, subject), ""), subject in label.deeds)


def table(pairs: Sequence[tuple[Labelled, Mapping[str, Any]]]) -> Iterator[str]:
    """The lines of a table in Markdown.

    Args:
        pairs: At least one document's labels, with the evaluation of its answer.
    """
    rows = [row for label, value in pairs for row in compared(label, value["requirements"])]
    counted = [
        ("recommendation right", [value["recommendation"] == label.recommendation for label, value in pairs]),
        ("… if all were rejected", [label.recommendation == "reject" for label, _ in pairs]),
        ("requirement read from the job", [bool(row.said) for row in rows]),
        ("what the document names: found", [row.found for row in rows if row.right != MISSING]),
        ("what it does not name: not found", [not row.found for row in rows if row.right == MISSING]),
        ("what it shows by deeds alone: found", [row.found for row in rows if row.deed]),
        *(
            (f"verdict: {name}", [row.said == row.right for row in rows if row.name == name])
            for name in dict.fromkeys(row.name for row in rows)
        ),
    ]
    yield from HEAD
    yield from (share(name, sum(good), len(good)) for name, good in counted if good)
