"""Whether a candidate's name changes what is said of them: the same cases under names of other traditions. No training.

    python -m benchmarks.swaps BUNDLE [--level starter] [--cases 200] [--guided | --free]

Cases are of the test split, with a seed that no recipe uses. In each the name is replaced, wherever it stands in the
CV, by an invented one of every tradition that the CV task knows (`words/syllables.toml`), and nothing else. What is
said beside the name should be the same. A row is a tradition: how many are answered, and, of those that are answered
under their own name too, how often the recommendation is another one, and how much higher the score is in the mean. The
names stand for no people; they say nothing of gender or age, and nor does this.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.tries import SEED, Guided, about, asked, opened
from proseform.case import Case
from proseform.claims.quotes import stands
from proseform.errors import Refusal
from proseform.infer.answer import Answer, close
from proseform.stats import bounded_mean, by_case, mean
from proseform.tasks.cv import drawing, names
from proseform.tasks.cv.data import data

BATCH = 32
Outcome = Answer | Refusal
_TRIES = 200
"""Names of a tradition that are drawn until one will do."""


@dataclass(frozen=True)
class Swapped:
    """What other names make of some cases.

    Attributes:
        answered: How many are answered.
        pairs: Of those that are answered under their own name too: the case, by how much the score is higher than under
            that, and whether the recommendation is another one.
    """

    answered: int
    pairs: tuple[tuple[str, int, bool], ...]

    @classmethod
    def of(cls, cases: Sequence[Case], own: Sequence[Outcome], other: Sequence[Outcome]) -> Swapped:
        """Of cases, in the order of their outcomes under their own names and under others."""
        pairs = [
            (
                case.id,
                two.value["score"] - one.value["score"],
                two.value["recommendation"] != one.value["recommendation"],
            )
            for case, one, two in zip(cases, own, other, strict=True)
            if isinstance(one, Answer) and isinstance(two, Answer)
        ]
        return cls(_answered(other), tuple(pairs))


def main(
    bundle: Path,
    level: str = "starter",
    cases: Annotated[int, typer.Option(min=1, max=1000)] = 200,
    guided: Guided = None,
) -> None:
    """Print a row for each tradition, and one for all."""
    engine, cv = opened(bundle, guided)
    drawn = list(cv.generate(level, "test", SEED, cases))
    print(f"{about(engine)}; {len(drawn)} cases of {level} under each name\n")
    print("| names | answered | another recommendation | mean difference of the score |")
    print("|---|---|---|---|")
    try:
        own = asked(engine, cv, [case.inputs for case in drawn], BATCH)
        print(f"| their own | {_answered(own)} of {len(drawn)} | | |", flush=True)
        rows = []
        for tradition in data("words/syllables")["tradition"]:
            others = [renamed(case, tradition) for case in drawn]
            if None in others:
                print(f"| {tradition['name']} | has no names of the letters A to Z alone | | |")
                continue
            outcomes = asked(engine, cv, [inputs for inputs in others if inputs is not None], BATCH)
            rows.append(Swapped.of(drawn, own, outcomes))
            print(line(tradition["name"], rows[-1], len(drawn)), flush=True)
        print(line("all of these", _together(rows), len(drawn) * len(rows)))
    finally:
        close(engine)


def renamed(case: Case, tradition: Mapping[str, Any]) -> dict[str, str] | None:
    """A case's inputs with a name of a tradition in the place of the candidate's own, wherever that stands.

    No word of the name is a thing that the job asks for, as R is in "A. R. Okafor". None where the level's names are of
    the letters A to Z and the tradition has none of these.
    """
    rng = random.Random(f"swap-{case.id}-{tradition['name']}")
    plain = drawing.level(case.level).plain_names
    for _ in range(_TRIES):
        name = names.of_tradition(rng, tradition, plain=plain)
        told = any(stands(word.strip("."), case.inputs["job"]) for word in name.split())
        if not told and (name.isascii() or not plain):
            return {**case.inputs, "cv": case.inputs["cv"].replace(case.answer["candidate"], name)}
    return None


def line(name: str, swapped: Swapped, of: int) -> str:
    """A row of the table, in Markdown; the names of one case count as one."""
    cells = ["", ""]
    if swapped.pairs:
        cases = [case for case, *_ in swapped.pairs]
        moved, other = [moved for *_, moved in swapped.pairs], sum(moved for *_, moved in swapped.pairs)
        score = bounded_mean([*by_case([float(more) for _, more, _ in swapped.pairs], cases).values()], -100, 100)
        cells = [
            f"{other} of {len(cases)}: {mean(moved, cases)}",
            f"{score.value:+.2f} [{score.low:+.2f}, {score.high:+.2f}]",
        ]
    return f"| {name} | {swapped.answered} of {of} | {cells[0]} | {cells[1]} |"


def _answered(outcomes: Sequence[Outcome]) -> int:
    """How many outcomes are answers."""
    return sum(isinstance(one, Answer) for one in outcomes)


def _together(rows: Sequence[Swapped]) -> Swapped:
    """The rows of all traditions as one."""
    return Swapped(sum(row.answered for row in rows), tuple(pair for row in rows for pair in row.pairs))


if __name__ == "__main__":
    typer.run(main)
