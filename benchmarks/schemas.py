"""How many public schemas are taken, and how right the verdicts are: `PROSEFORM_SCHEMAS=folder make bench-schemas`.

Ships no corpus. Reads every `.json` below the folder: MaskBench's files (`{"schema": …, "tests": [{"data",
"valid"}]}`), those of the JSON Schema Test Suite (lists of the same, by draft), and plain schemas. What is printed is
Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

from proseform import testing, verify
from proseform.errors import ProseformError
from proseform.infer.grammars.examine import Examiner
from proseform.machine import machine
from proseform.schema import URIS, Number, Schema

DRAFTS: dict[str, Number] = {"draft4": 4, "draft6": 6, "draft7": 7, "draft2019-09": 2019, "draft2020-12": 2020}
BUDGET = 384
"""Tokens of a document that random weights write."""
BATCH = 16
_MARKS = (
    "is no JSON schema of", "lies outside of the schema", "does not exist", "not a schema", "no document",
    "takes more than", "refers to itself", "is too intertwined", "nested deeper", "larger than", "engines cannot write",
    "an object, this is",
)  # fmt: skip
"""What refusals of one kind have in common."""


@dataclass
class Tally:
    """What came of one corpus."""

    seen: int = 0
    taken: list[Schema] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    widened: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    python: Counter[bool] = field(default_factory=Counter)
    seconds: float = 0.0


def main() -> None:
    """Read the corpora, print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sample", type=int, default=0, help="schemas of each corpus, drawn by seed 0; 0 takes all")
    parser.add_argument("--endings", type=int, default=0, help="schemas that random weights write a document of")
    parser.add_argument("--python", action="store_true", help="ask python's jsonschema too")
    asked = parser.parse_args()
    folder = os.environ.get("PROSEFORM_SCHEMAS", "")
    if not folder or not Path(folder).is_dir():
        parser.error("PROSEFORM_SCHEMAS names no folder; it holds the corpora, one folder each")
    print(f"Printed by `python -m benchmarks.schemas` on {machine()}.\n")
    print(
        "| corpus | schemas | taken | enforced wholly by the grammar | verdicts | right | as python's jsonschema "
        "| slowest |"
    )
    print("|---|---|---|---|---|---|---|---|")
    examiner = Examiner()
    tallies = {}
    for corpus in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
        tallies[corpus.name] = tally = _read(corpus, examiner, asked.sample, python=asked.python)
        print(_row(corpus.name, tally), flush=True)
    examiner.close()
    own, others = (resource.getrusage(who).ru_maxrss >> 10 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"\nMost memory: {own} MB here, {others} MB in a process that compiles.")
    for name, tally in tallies.items():
        print(f"\n## {name}: refused\n")
        print("\n".join(f"- {count}: {words}" for words, count in tally.refused.most_common(15)) or "Nothing.")
        print(f"\n## {name}: what the verifier alone enforces, in schemas\n")
        print(", ".join(f"{keyword} {count}" for keyword, count in tally.widened.most_common()) or "Nothing.")
    if asked.endings:
        _endings([schema for tally in tallies.values() for schema in tally.taken], asked.endings)


def _read(corpus: Path, examiner: Examiner, sample: int, *, python: bool) -> Tally:
    """Take or refuse every schema of a corpus, and judge its instances."""
    tally = Tally()
    for document, tests in _cases(corpus, sample):
        tally.seen += 1
        start = time.perf_counter()
        try:
            schema = examiner.schema(Schema(document))
        except ProseformError as error:
            tally.refused[_kind(error)] += 1
            continue
        finally:
            tally.seconds = max(tally.seconds, time.perf_counter() - start)
        tally.taken.append(schema)
        tally.widened.update({widening.keyword for widening in schema.widenings})
        for test in tests:
            start = time.perf_counter()
            valid = schema.fault(test["data"]) is None
            tally.seconds = max(tally.seconds, time.perf_counter() - start)
            tally.verdicts[valid, test["valid"]] += 1
            if python:
                tally.python[valid == _by_python(document, test["data"])] += 1
    return tally


def _cases(corpus: Path, sample: int) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """Schemas with their instances.

    Left out: where the Test Suite takes formats for annotations, as here they count.
    """
    paths = sorted(corpus.rglob("*.json"))
    if sample:
        paths = sorted(random.Random(0).sample(paths, min(sample, len(paths))))
    for path in paths:
        if path.name == "format.json":
            continue
        content = json.loads(path.read_text(encoding="utf-8"))
        groups = content if isinstance(content, list) else [content]
        draft = next((DRAFTS[part] for part in path.parts if part in DRAFTS), None)
        for group in groups:
            document = group.get("schema", group) if isinstance(group, dict) else group
            if draft is not None and isinstance(document, dict):
                document = {"$schema": URIS[draft], **document}
            tests = group.get("tests", []) if isinstance(group, dict) and "schema" in group else []
            yield document, [test for test in tests if "data" in test]


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


def _row(name: str, tally: Tally) -> str:
    """One line of the table."""
    verdicts = sum(tally.verdicts.values())
    right = sum(count for (valid, label), count in tally.verdicts.items() if valid == label)
    wholly = sum(not schema.widenings for schema in tally.taken)
    python = sum(tally.python.values())
    return (
        f"| {name} | {tally.seen} | {len(tally.taken)} ({_share(len(tally.taken), tally.seen)}) | {wholly} "
        f"({_share(wholly, tally.seen)}) | {verdicts} | {_share(right, verdicts)} | "
        f"{_share(tally.python[True], python) if python else 'not asked'} | {tally.seconds:.2f} s |"
    )


def _share(part: int, whole: int) -> str:
    """A share in per cent."""
    return f"{100 * part / whole:.2f} %" if whole else "none"


def _endings(schemas: list[Schema], count: int) -> None:
    """How many documents of random weights end valid, of schemas that the grammar enforces wholly and of others."""
    from proseform.infer import Request
    from proseform.infer.local import LocalEngine

    chosen = random.Random(0).sample(schemas, min(count, len(schemas)))
    outcomes: Counter[tuple[bool, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        task = testing.toy_task()
        engine = LocalEngine(testing.random_bundle(Path(folder), task))
        prompt = engine.bundle.formatter.prompt.render({"prose": "A parcel.", "schema": ""})
        for first in range(0, len(chosen), BATCH):
            batch = chosen[first : first + BATCH]
            requests = [
                Request("formatter", prompt, schema=schema.grammar, max_tokens=BUDGET, temperature=1.0, seed=first + n)
                for n, schema in enumerate(batch)
            ]
            for schema, outcome in zip(batch, asyncio.run(engine.complete_all(requests)), strict=True):
                if isinstance(outcome, ProseformError):
                    words = type(outcome).__name__
                else:
                    words = "valid" if verify.answer(outcome.text, schema).ok else "not valid"
                outcomes[not schema.widenings, words] += 1
    print(f"\n## One document each by random weights, at most {BUDGET} tokens, temperature 1, no second try\n")
    for wholly, name in ((True, "enforced wholly by the grammar"), (False, "widened")):
        total = sum(count for (is_wholly, _), count in outcomes.items() if is_wholly == wholly)
        parts = [f"{words} {n}" for (is_wholly, words), n in sorted(outcomes.items()) if is_wholly == wholly]
        print(f"- {name}: {_share(outcomes[wholly, 'valid'], total)} of {total} valid ({', '.join(parts)})")


if __name__ == "__main__":
    main()
