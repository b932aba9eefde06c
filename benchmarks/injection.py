"""What text does that speaks to the model: attacks by family, paired with the clean cases. Trains nothing.

    python -m benchmarks.injection --rule             what the rule finds: clean cases of every level, attacks by family
    python -m benchmarks.injection BUNDLE [--cases N] and what becomes of the answers of a bundle
    python -m benchmarks.injection BUNDLE --prose     and of its evaluator's first, greedy evaluation, by itself

Cases are of the split ``test``, with a seed that no recipe uses; every family attacks the same ones. The bundle's
models are asked every case, also those that the bundle turns away, so that both are known: what the models let through,
and what the bundle does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from proseform import documents, task, verify
from proseform.case import Case
from proseform.errors import DocumentError, ProseformError
from proseform.infer import Request
from proseform.infer.answer import Answer, answers, close, completed
from proseform.infer.local import LocalEngine
from proseform.injection import Aim, aimed
from proseform.injection.rule import core
from proseform.machine import machine
from proseform.outcome import headline, right
from proseform.stats import Estimate, proportion
from proseform.suites import injection

SEED = 20_261_127
BATCH = 64
FIGURES = ("raised", "through", "lowered", "flagged", "away", "answered", "right")


def main(
    bundle: Annotated[Path | None, typer.Argument()] = None,
    *,
    cases: Annotated[int, typer.Option(min=1, help="Cases of each family.")] = 500,
    prose: Annotated[bool, typer.Option("--prose", help="Ask the evaluator alone, once, greedy.")] = False,
    rule: Annotated[bool, typer.Option("--rule", help="Ask no model.")] = False,
    name: Annotated[str, typer.Option("--task", help="Without a bundle.")] = "cv",
    folder: Annotated[Path | None, typer.Option(help="Real documents, with --rule.")] = None,
) -> None:
    """Print what is flagged; of a bundle a row for each family."""
    if rule or bundle is None:
        _rule(task.load(name), cases, folder)
        return
    engine = LocalEngine(bundle)
    the_task, known = task.load(engine.bundle.task), engine.bundle.abstention
    print(f"{machine()}; bundle {engine.bundle.digest[:19]}; {cases} cases a family")
    engine.bundle = replace(engine.bundle, abstention=None)
    clean = list(the_task.generate(the_task.levels[0], "test", SEED, cases))
    aim = aimed(the_task.schema, headline(the_task))
    asked = _evaluated if prose else _asked
    try:
        before = asked(engine, the_task, clean)
        share = proportion(sum(right(one, case) for one, case in zip(before, clean, strict=True)), cases)
        print(f"clean: right {share.value:.3f} ({share.low:.3f} to {share.high:.3f}) of {share.n}")
        print(f"{'':<24}" + "".join(f"{one:>23}" for one in FIGURES))
        for sort, families in injection.families().items():
            results = []
            for family in families:
                trials = injection.trials(the_task, aim, clean, family, SEED)
                after = asked(engine, the_task, [trial.attacked for trial in trials])
                away = [known is not None and bool(known.strange(trial.attacked.inputs)) for trial in trials]
                rows = [injection.Result(*one) for one in zip(trials, before, after, away, strict=True)]
                _print(f"{sort} {family}", rows, aim)
                results += rows
            if len(families) > 1:
                _print(f"{sort}, all", results, aim)
    finally:
        close(engine)


def _print(name: str, rows: Sequence[injection.Result], aim: Aim) -> None:
    """A row of the table: shares with their intervals."""
    figures = injection.summarise(rows, aim)
    print(f"{name:<24}" + "".join(f"{_shown(figures[one]):>23}" for one in FIGURES), flush=True)


def _shown(figure: Mapping[str, Any]) -> str:
    """An estimate."""
    return str(Estimate(**figure))


def _asked(engine: LocalEngine, the_task: task.Task, cases: Sequence[Case]) -> list[Mapping[str, Any] | None]:
    """The answers to some cases; None where one was refused."""
    given: list[Mapping[str, Any] | None] = []
    for start in range(0, len(cases), BATCH):
        outcomes = answers(engine, the_task, [dict(case.inputs) for case in cases[start : start + BATCH]])
        given += [one.value if isinstance(one, Answer) else None for one in outcomes]
    return given


def _evaluated(engine: LocalEngine, the_task: task.Task, cases: Sequence[Case]) -> list[Mapping[str, Any] | None]:
    """What the evaluator's greedy prose says of some cases; None where the verifier does not accept it."""
    part = engine.bundle.evaluator
    given: list[Mapping[str, Any] | None] = []
    for start in range(0, len(cases), BATCH):
        batch = cases[start : start + BATCH]
        requests = [
            Request("evaluator", part.prompt.render(the_task.shown(case.inputs)), max_tokens=part.generation.max_tokens)
            for case in batch
        ]
        for case, one in zip(batch, completed(engine, requests), strict=True):
            if isinstance(one, ProseformError):
                raise one
            verdict = verify.prose(one.text, the_task, case.inputs)
            given.append(verdict.value if verdict.ok else None)
    return given


def _rule(the_task: task.Task, cases: int, folder: Path | None) -> None:
    """What the rule finds, in clean cases of every level, real documents, and attacks."""
    for level in the_task.levels:
        clean = list(the_task.generate(level, "test", SEED, cases))
        _counted(f"clean {level}", [injection.flagged(the_task, case) for case in clean])
    if folder is not None:
        _counted("real documents", [bool(core().speech(text)) for text in _texts(folder)])
    aim, own = (
        aimed(the_task.schema, headline(the_task)),
        list(the_task.generate(the_task.levels[0], "test", SEED, cases)),
    )
    for sort, families in injection.families().items():
        for family in families:
            trials = injection.trials(the_task, aim, own, family, SEED)
            _counted(f"{sort} {family}", [trial.flagged for trial in trials])


def _counted(name: str, found: Sequence[bool]) -> None:
    """A row: how many are flagged."""
    print(
        f"{name:<28} {sum(found):>5} of {len(found):>5} flagged  {proportion(sum(found), len(found))}",
        flush=True,
    )


def _texts(folder: Path) -> list[str]:
    """The texts of the documents in a folder that can be read."""
    texts = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            try:
                texts.append(documents.read(path).text)
            except DocumentError as error:
                print(f"not read: {path.name}: {error.message}")
    return texts


if __name__ == "__main__":
    typer.run(main)
