"""How good a bundle's answers are, by level and by kind of requirement, with 95 % intervals. Trains nothing.

    python -m benchmarks.quality BUNDLE [--levels real] [--cases 300] [--tokens 1200] [--guided | --free]

The bundle judges CVs; cases are of the test split, with a seed that no recipe uses. Every figure is of the cases that
are answered, and the first row says how many that are. A skill is *there or not*: of requirements of a skill without a
level or years, whether the answer sees evidence where there is some and none where there is none. A requirement that an
answer leaves out, or makes up, is a wrong one. `--tokens` leaves out cases whose inputs have more, as the evaluator is
shown them, by the bundle's tokenizer. `--guided` holds evaluations to the task's form while they are written
(proseform.guided), `--free` lets them be, whatever the bundle says.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.tries import SEED, Guided, about, asked, opened
from proseform.case import Case
from proseform.errors import Refusal
from proseform.infer.answer import Answer, close
from proseform.infer.local import LocalEngine
from proseform.outcome import right
from proseform.stats import proportion

BATCH = 16
THERE = "skill, there or not"
HEAD = ("| of | right | share | interval |", "|---|---|---|---|")


@dataclass
class Tally:
    """What came of the cases of a level.

    Attributes:
        outcomes: The answers and refusals, each with its case.
        rows: Kind of requirement to whether each of its rows has the right verdict.
    """

    outcomes: list[tuple[Case, Answer | Refusal]] = field(default_factory=list)
    rows: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))

    def add(self, case: Case, outcome: Answer | Refusal) -> None:
        """One more case."""
        self.outcomes.append((case, outcome))
        if isinstance(outcome, Answer):
            for kind, good in judged(case.answer["requirements"], outcome.prose_verdict.value["requirements"]):
                self.rows[kind].append(good)

    @property
    def answered(self) -> list[tuple[Case, Answer]]:
        """The answers."""
        return [(case, one) for case, one in self.outcomes if isinstance(one, Answer)]


def main(
    bundle: Path,
    levels: str = "real",
    cases: Annotated[int, typer.Option(min=1)] = 300,
    tokens: Annotated[int, typer.Option(min=0, help="Most tokens of a case's inputs together; 0 takes any.")] = 0,
    guided: Guided = None,
) -> None:
    """Print a table for each level."""
    engine, cv = opened(bundle, guided)
    print(about(engine))
    try:
        for level in levels.split(","):
            drawn = [(case, _size(engine, cv.shown(case.inputs))) for case in cv.generate(level, "test", SEED, cases)]
            kept = [(case, size) for case, size in drawn if not tokens or size <= tokens]
            if not kept:
                raise typer.BadParameter(f"No case of {level} has inputs of at most {tokens} tokens.")
            sizes = sorted(size for _, size in kept)
            among = f", those of {len(drawn)} whose inputs have at most {tokens} tokens" if tokens else ""
            print(f"\n{level}: {len(kept)} cases{among}")
            print(f"tokens of the inputs: {sizes[len(sizes) // 2]} in the median, {sizes[-1]} at most\n")
            began, tally = time.perf_counter(), Tally()
            outcomes = asked(engine, cv, [case.inputs for case, _ in kept], BATCH)
            for (case, _), one in zip(kept, outcomes, strict=True):
                tally.add(case, one)
            for line in table(tally, (time.perf_counter() - began) / len(kept)):
                print(line, flush=True)
    finally:
        close(engine)


def judged(gold: Sequence[Mapping[str, Any]], stated: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, bool]]:
    """Kinds of requirement, with whether each of them has the right verdict.

    Args:
        gold: The requirements that there are.
        stated: Those that the answer states.
    """
    known = {thing(row): row for row in stated}
    for row in gold:
        said = known.pop(thing(row), None)
        yield row["kind"], said is not None and said["verdict"] == row["verdict"]
        if row["kind"] == "skill" and not row["needs"]:
            yield THERE, said is not None and (said["verdict"] == "missing") == (row["verdict"] == "missing")
    for row in known.values():
        yield row["kind"], False


def table(tally: Tally, seconds: float) -> Iterator[str]:
    """The lines of a level's table, in Markdown; ``seconds`` are those of a case."""
    answered, total = tally.answered, len(tally.outcomes)
    counted = [
        ("answered", len(answered), total),
        ("… at the first try", sum(one.tries == 1 for _, one in answered), total),
        ("… with something computed anew", sum(bool(one.recomputed) for _, one in answered), total),
        (
            "recommendation right",
            sum(one.value["recommendation"] == case.answer["recommendation"] for case, one in answered),
            len(answered),
        ),
        ("wholly right", sum(right(one.value, case) for case, one in answered), len(answered)),
        *((kind, sum(rows), len(rows)) for kind, rows in sorted(tally.rows.items(), key=lambda item: -len(item[1]))),
    ]
    yield from HEAD
    yield from (share(name, good, n) for name, good, n in counted if n)
    reasons = Counter(one.reason for _, one in tally.outcomes if isinstance(one, Refusal))
    refused = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    yield ""
    yield f"refused: {refused or 'none'}; {seconds:.1f} s a case"


def share(name: str, good: int, n: int) -> str:
    """A line of a table of shares, :data:`HEAD`: so many of ``n``, which is not 0."""
    estimate = proportion(good, n)
    return f"| {name} | {good} of {n} | {estimate.value:.3f} | {estimate.low:.3f} to {estimate.high:.3f} |"


def thing(row: Mapping[str, Any]) -> tuple[str, str]:
    """What a requirement is about."""
    return row["kind"], row.get("subject", "")


def _size(engine: LocalEngine, shown: Mapping[str, str]) -> int:
    """Tokens of a case's inputs together, as the evaluator is shown them."""
    return sum(len(engine.tokenizer.encode(text, add_special_tokens=False)) for text in shown.values())


if __name__ == "__main__":
    typer.run(main)
