"""What becomes of documents that people really have: not read, turned away, refused, answered. Trains nothing.

    python -m benchmarks.public FOLDER [--bundle bundles/cv] [--documents 500] [--job examples/cv/job.md] [--every] \
        [--labels benchmarks/labels/accounts_officer.jsonl]

Every file below the folder is read as `proseform answer` reads it, and judged as a CV against the job. Where there are
more than asked for, they are drawn by seed 0. An answer *names what is not there* where its candidate, a date, a period
or a quote does not stand in the document's text: that is looked up here by a search of folded text, and not by the
code of the product. With `--every` the bundle's own rule, which turns strange cases away, is left out, so that what
comes behind it is measured. Nothing of a document is printed.
"""

from __future__ import annotations

import random
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import labels, reading
from benchmarks.tries import Guided, about, asked, opened
from proseform import documents
from proseform.infer.answer import Answer, close
from proseform.stats import proportion

BATCH = 16


def main(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    bundle: Path = Path("bundles/cv"),
    count: Annotated[int, typer.Option("--documents", min=1)] = 500,
    job: Path = Path("examples/cv/job.md"),
    *,
    every: Annotated[bool, typer.Option("--every", help="Judge those too that the bundle turns away.")] = False,
    labelled: Annotated[Path | None, typer.Option("--labels", exists=True, help="Labels for this job.")] = None,
    guided: Guided = None,
) -> None:
    """Print how many end in each way."""
    known = labels.read(labelled, job) if labelled else {}
    engine, cv = opened(bundle, guided)
    if every:
        engine.bundle = replace(engine.bundle, abstention=None)
    wanted, began = documents.read(job).text, time.perf_counter()
    files = reading.files(folder)
    files = random.Random(0).sample(files, min(count, len(files)))
    texts, refused = reading.texts(files)
    try:
        outcomes = asked(engine, cv, [{"cv": text, "job": wanted} for text in texts.values()], BATCH)
    finally:
        close(engine)
    ends = Counter("answered" if isinstance(one, Answer) else f"refused: {one.reason}" for one in outcomes)
    ends["not read"] = refused.total()
    given = [(path, one) for path, one in zip(texts, outcomes, strict=True) if isinstance(one, Answer)]
    wrong = sum(any(folded(said) not in folded(texts[path]) for said in named(one.value)) for path, one in given)
    print(f"{about(engine)}; {len(files)} documents, {len(texts)} read")
    for end, number in ends.most_common():
        print(f"  {end:<36}{number:>6}")
    share = proportion(len(given), max(1, len(texts)))
    print(f"answered of those read: {share.value:.1%} ({share.low:.1%} to {share.high:.1%})")
    print(f"answers that name what is not there: {wrong} of {len(given)}")
    print(f"{(time.perf_counter() - began) / max(1, len(files)):.2f} s a document")
    beside = [(known[found], one) for path, one in given if (found := labels.of_file(path)) in known]
    if beside:
        print(f"\n{len(beside)} of the answers are to documents with labels\n")
        for line in labels.table([(label, one.prose_verdict.value) for label, one in beside]):
            print(line)


def named(value: Mapping[str, Any]) -> Iterator[str]:
    """What an answer says of the document in the document's own words."""
    yield from filter(None, (value.get("candidate"), value.get("as_of")))
    for one in value.get("requirements", []):
        yield from (*one.get("quotes", []), *one.get("periods", []))


def folded(text: str) -> str:
    """Without case, forms of Unicode and white space."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


if __name__ == "__main__":
    typer.run(main)
