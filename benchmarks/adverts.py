"""How much a bundle's evaluator reads of advertisements that the task's generator did not make. Trains nothing.

    python -m benchmarks.adverts BUNDLE [--level sent] [--cvs 3] [--guided | --free]

`benchmarks/labels/adverts` holds advertisements and what each asks for; a large language model wrote both, without the
generator's words. Each is judged with CVs of the level's held-out cases, which were made for other jobs. The bundle's
rule on strange cases is left out, so that what comes behind it is measured. A requirement is *read* where the answer
has one of its kind whose subject holds the right one or stands in it, and *wholly* read where subject, importance and
what is needed of it are the very ones; it is *named* where its subject is stated so, of whatever kind. One that is not
read is *told of* where a finding says that nothing is taken from a sentence that its words stand in. Only what is
answered counts.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.quality import HEAD, share
from benchmarks.tries import SEED, Guided, about, asked, opened
from proseform.claims.quotes import stands
from proseform.infer.answer import Answer, close

BATCH = 8
FOLDER = Path("benchmarks/labels/adverts")
YEARS = "experience"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Advert:
    """An advertisement.

    Attributes:
        text: As an applicant reads it.
        requirements: What it asks for, in its order; each like an answer's, without quotes and verdict.
    """

    text: str
    requirements: tuple[Row, ...]

    @property
    def years(self) -> str:
        """Where years of experience in total stand among what it asks for: first, between, last, or none."""
        kinds = [row["kind"] for row in self.requirements]
        if YEARS not in kinds:
            return "none"
        return {0: "first", len(kinds) - 1: "last"}.get(kinds.index(YEARS), "between")


def main(
    bundle: Path,
    level: str = "sent",
    cvs: Annotated[int, typer.Option(min=1, help="How many CVs each advertisement is judged with.")] = 3,
    *,
    guided: Guided = None,
) -> None:
    """Print what is read, by kind of requirement and by where years of experience stand."""
    adverts, began = read(FOLDER), time.perf_counter()
    engine, cv = opened(bundle, guided)
    print(f"{about(engine)}; {len(adverts)} advertisements, each with {cvs} CVs of {level}")
    engine.bundle = replace(engine.bundle, abstention=None)
    judged = [advert for advert in adverts for _ in range(cvs)]
    people = cv.generate(level, "test", SEED, len(judged))
    inputs = [{"cv": case.inputs["cv"], "job": advert.text} for advert, case in zip(judged, people, strict=True)]
    try:
        outcomes = asked(engine, cv, inputs, BATCH)
    finally:
        close(engine)
    given = [
        (advert, one.prose_verdict.value["requirements"], passed(one, advert.text))
        for advert, one in zip(judged, outcomes, strict=True)
        if isinstance(one, Answer)
    ]
    print(f"answered: {len(given)} of {len(judged)}; {(time.perf_counter() - began) / len(judged):.1f} s a case\n")
    for line in table(given):
        print(line)


def read(folder: Path) -> list[Advert]:
    """The advertisements of a folder, with the lines of its ``requirements.jsonl``."""
    rows = (json.loads(line) for line in (folder / "requirements.jsonl").read_text(encoding="utf-8").splitlines())
    return [Advert((folder / row["advert"]).read_text(encoding="utf-8"), tuple(row["requirements"])) for row in rows]


def passed(answer: Answer, text: str) -> list[str]:
    """The sentences of an advertisement that an answer says it takes nothing from."""
    told = (one for one in answer.findings.get("job", ()) if one.kind == "uncovered")
    return [text[one.start : one.end] for one in told if one.start is not None]


def compared(asked_for: Sequence[Row], stated: Sequence[Row]) -> Iterator[tuple[Row, bool, bool]]:
    """Each requirement of an advertisement, with whether an answer reads it, and wholly."""
    for row in asked_for:
        found = [one for one in stated if _alike(one, row)]
        yield row, bool(found), any(_whole(one) == _whole(row) for one in found)


def table(given: Sequence[tuple[Advert, Sequence[Row], Sequence[str]]]) -> Iterator[str]:
    """The lines of a table in Markdown.

    Args:
        given: Advertisements, each with the requirements that an answer states and the sentences that it tells of.
    """
    counted: dict[str, list[bool]] = defaultdict(list)
    kinds: dict[str, list[bool]] = defaultdict(list)
    for advert, stated, told in given:
        missed = []
        for row, found, wholly in compared(advert.requirements, stated):
            counted["read"].append(found)
            counted["… wholly"].append(wholly)
            if row["kind"] != YEARS:
                counted["named, of whatever kind"].append(any(_about(one, row) for one in stated if "subject" in one))
            kinds[row["kind"]].append(found)
            if not found:
                missed.append(row)
                counted["not read: told of"].append(any(_asked(row, sentence) for sentence in told))
            if row["kind"] == YEARS:
                counted[f"years of experience, where they stand {advert.years}: read"].append(found)
        counted["stated, and asked for"] += [any(_alike(one, row) for row in advert.requirements) for one in stated]
        counted["sentences told of: not read"] += [any(_asked(row, sentence) for row in missed) for sentence in told]
        if advert.years == "none":
            counted["no years of experience asked for: none stated"].append(all(row["kind"] != YEARS for row in stated))
    yield from HEAD
    for name, good in (*counted.items(), *sorted(kinds.items(), key=lambda one: -len(one[1]))):
        yield share(name, sum(good), len(good))


def _asked(row: Row, sentence: str) -> bool:
    """Whether the words of a requirement stand in a sentence."""
    return stands((row.get("subject") or row["needs"]).casefold(), sentence.casefold())


def _alike(one: Row, other: Row) -> bool:
    """Whether two requirements are of one kind, and the words of one's subject stand in the other's."""
    return one["kind"] == other["kind"] and _about(one, other)


def _about(one: Row, other: Row) -> bool:
    """Whether the words of one requirement's subject stand in the other's."""
    first, second = (row.get("subject", "").casefold() for row in (one, other))
    return first == second or stands(first, second) or stands(second, first)


def _whole(row: Row) -> tuple[str, str, str]:
    """All that is said of a requirement, whatever its case."""
    return row.get("subject", "").casefold(), row["importance"], row["needs"].casefold()


if __name__ == "__main__":
    typer.run(main)
