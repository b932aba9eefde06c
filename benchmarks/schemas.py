"""How many public schemas are taken, and how right the verdicts are: ``python -m benchmarks.schemas FOLDER``.

The folder holds corpora, one folder each (:mod:`benchmarks.corpora`). What is printed is Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema

from benchmarks.corpora import Entry, entries, files
from benchmarks.spread import spread
from proseform.errors import ProseformError
from proseform.infer.grammars.examine import Examiner
from proseform.machine import machine
from proseform.schema import Schema

CHUNK = 50
"""Files that a process reads at a time."""
_MARKS = (
    "is no JSON schema of", "lies outside of the schema", "does not exist", "not a schema", "no document",
    "takes more than", "refers to itself", "is too intertwined", "nested deeper", "larger than", "engines cannot write",
    "an object, this is",
)  # fmt: skip
"""What refusals of one kind have in common."""


class Chunk(NamedTuple):
    """Some files of a corpus.

    Attributes:
        corpus: Its name.
        files: Paths.
        python: Whether python's jsonschema is asked too.
    """

    corpus: str
    files: tuple[Path, ...]
    python: bool


@dataclass
class Tally:
    """What came of some schemas.

    Attributes:
        seen: Schemas.
        taken: Those that were taken.
        wholly: Those that the grammar enforces wholly.
        refused: Kinds of refusals.
        widened: Keywords that the verifier alone enforces, each counted once a schema.
        verdicts: By what was said and by the corpus's label.
        python: Verdicts by whether python's jsonschema says the same.
        wrong: Files with a verdict that is not the corpus's, and which.
        seconds: Wall-clock time of the slowest schema or verdict.
        memory: Most memory, in MB: here, and in a process that compiles.
    """

    seen: int = 0
    taken: int = 0
    wholly: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    widened: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    python: Counter[bool] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    memory: tuple[int, int] = (0, 0)

    def add(self, other: Tally) -> None:
        """Count another's schemas, too."""
        self.seen += other.seen
        self.taken += other.taken
        self.wholly += other.wholly
        self.refused += other.refused
        self.widened += other.widened
        self.verdicts += other.verdicts
        self.python += other.python
        self.wrong += other.wrong
        self.seconds = max(self.seconds, other.seconds)
        self.memory = (max(self.memory[0], other.memory[0]), max(self.memory[1], other.memory[1]))


def main() -> None:
    """Read the corpora, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="holds the corpora, one folder each")
    parser.add_argument("--sample", type=int, default=0, help="files of each corpus, drawn by seed 0; 0 takes all")
    parser.add_argument("--python", action="store_true", help="ask python's jsonschema too")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes side by side")
    parser.add_argument("--json", type=Path, help="where to write the counts, kept while it runs")
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder; it holds the corpora, one folder each")
    chunks = [
        Chunk(corpus.name, tuple(chosen[first : first + CHUNK]), options.python)
        for corpus in sorted(path for path in options.folder.iterdir() if path.is_dir())
        for chosen in [_chosen(corpus, options.sample)]
        for first in range(0, len(chosen), CHUNK)
    ]
    tallies = {chunk.corpus: Tally() for chunk in chunks}
    for number, tally in spread(tallied, chunks, workers=options.workers, words="schemas"):
        tallies[chunks[number].corpus].add(tally)
        if options.json:
            options.json.write_text(json.dumps(_plain(tallies), indent=1), encoding="utf-8")
    _show(tallies)


def tallied(chunk: Chunk) -> Tally:
    """Take or refuse the schemas of some files, and judge their values."""
    tally = Tally()
    examiner = Examiner()
    examiner.grammar({})  # starts the process that compiles, which no schema's time is to hold
    for path in chunk.files:
        for entry in entries(path):
            _entered(tally, entry, path, examiner, python=chunk.python)
    examiner.close()
    here, below = (resource.getrusage(who).ru_maxrss >> 10 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    tally.memory = (here, below)
    return tally


def _entered(tally: Tally, entry: Entry, path: Path, examiner: Examiner, *, python: bool) -> None:
    """Take or refuse one schema, and judge its values."""
    tally.seen += 1
    start = time.perf_counter()
    try:
        schema = examiner.schema(Schema(entry.document))
    except ProseformError as error:
        tally.refused[_kind(error)] += 1
        return
    finally:
        tally.seconds = max(tally.seconds, time.perf_counter() - start)
    tally.taken += 1
    tally.wholly += not schema.widenings
    tally.widened.update({widening.keyword for widening in schema.widenings})
    for number, test in enumerate(entry.tests):
        start = time.perf_counter()
        fault = schema.fault(test["data"])
        tally.seconds = max(tally.seconds, time.perf_counter() - start)
        tally.verdicts[fault is None, test["valid"]] += 1
        if (fault is None) != test["valid"]:
            tally.wrong.append(f"{path.name} {number}: {' '.join(fault) if fault else 'no fault'}"[:300])
        if python:
            tally.python[(fault is None) == _by_python(entry.document, test["data"])] += 1


def _chosen(corpus: Path, sample: int) -> list[Path]:
    """The files of a corpus, or some of them."""
    paths = files(corpus)
    return sorted(random.Random(0).sample(paths, min(sample, len(paths)))) if sample else paths


def _by_python(document: Any, value: Any) -> bool | None:
    """The verdict of python's jsonschema; None where it has none."""
    try:
        validator = jsonschema.validators.validator_for(document, default=jsonschema.Draft202012Validator)
        return bool(validator(document, format_checker=jsonschema.FormatChecker()).is_valid(value))
    except Exception:  # noqa: BLE001 - recursion, unknown references: it has no verdict
        return None


def _kind(error: ProseformError) -> str:
    """A refusal without what is its own."""
    words = error.message.removeprefix("schema: ")
    for mark in _MARKS:
        if mark in words:
            return f"… {mark} …"
    return words[:80]


def _plain(tallies: dict[str, Tally]) -> dict[str, Any]:
    """The counts as JSON; verdicts as rows of what was said, the corpus's label, and how often."""
    plain: dict[str, Any] = {"machine": machine()}
    for name, tally in tallies.items():
        rows = [[said, label, count] for (said, label), count in sorted(tally.verdicts.items())]
        plain[name] = {**vars(tally), "verdicts": rows}
    return plain


def _show(tallies: dict[str, Tally]) -> None:
    """Print the tables."""
    print(f"Printed by `python -m benchmarks.schemas` on {machine()}.\n")
    print(
        "| corpus | schemas | taken | enforced wholly by the grammar | verdicts | right "
        "| as python's jsonschema | slowest |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, tally in tallies.items():
        print(_row(name, tally))
    here, below = (max(tally.memory[place] for tally in tallies.values()) for place in (0, 1))
    print(f"\nMost memory: {here} MB here, {below} MB in a process that compiles.")
    for name, tally in tallies.items():
        print(f"\n## {name}: refused\n")
        print("\n".join(f"- {count}: {words}" for words, count in tally.refused.most_common(15)) or "Nothing.")
        print(f"\n## {name}: what the verifier alone enforces, in schemas\n")
        print(", ".join(f"{keyword} {count}" for keyword, count in tally.widened.most_common()) or "Nothing.")
        print(f"\n## {name}: verdicts that are not the corpus's\n")
        print("\n".join(f"- {words}" for words in sorted(tally.wrong)[:40]) or "None.")


def _row(name: str, tally: Tally) -> str:
    """One line of the table."""
    verdicts = sum(tally.verdicts.values())
    right = sum(count for (valid, label), count in tally.verdicts.items() if valid == label)
    python = sum(tally.python.values())
    return (
        f"| {name} | {tally.seen} | {tally.taken} ({_share(tally.taken, tally.seen)}) | {tally.wholly} "
        f"({_share(tally.wholly, tally.seen)}) | {verdicts} | {_share(right, verdicts)} | "
        f"{_share(tally.python[True], python) if python else 'not asked'} | {tally.seconds:.2f} s |"
    )


def _share(part: int, whole: int) -> str:
    """A share in per cent."""
    return f"{100 * part / whole:.2f} %" if whole else "none"


if __name__ == "__main__":
    main()
