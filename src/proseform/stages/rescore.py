"""Recorded completions scored again: explained one by one, or replayed under another reward. Nothing is generated.

Completions come from GRPO's ``rollouts.parquet``, from the ``records.parquet`` of a report's folder, or as JSON Lines.
They are scored in the scorer's process, which is ended where a reward hangs.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proseform import config, direct, jsonl, records, rollouts, verify
from proseform import task as tasks
from proseform.case import Case, load_cases
from proseform.checklist import explain as explaining
from proseform.checklist import replay as replaying
from proseform.checklist.explain import Explanation
from proseform.checklist.replay import Replayed
from proseform.errors import ConfigError, InputError, RowError, StoreError
from proseform.reward import Score
from proseform.rubric import Rubric
from proseform.stages import cache, watching
from proseform.stages.evaluate import MEASURED
from proseform.store import Ref, fetch
from proseform.task import Task
from proseform.train.scorer import Scorer

_BATCH = 512
"""Completions that go to the scorer in one line."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Completions with what they answer, and the reward in force when they were written.

    Attributes:
        task: The task.
        rubric: Its rubric; None where JSON is rewarded.
        pairs: Completion and case, the lowest reward first where rewards are recorded.
        format_name: The named format of JSON that was rewarded; empty for prose, and for the whole schema.
    """

    task: Task
    rubric: Rubric | None
    pairs: list[tuple[str, Case]]
    format_name: str = ""


def explain(
    file: Path, task: str = "", *, rubric: str = "", as_reward: str = "", case: str = "", most: int = 5
) -> list[Explanation]:
    """Each term of recorded completions, and what would lift it.

    Args:
        file: Rollouts, the records of a report's folder, or JSON Lines of ``completion`` and ``case``.
        task: The task of JSON Lines; files of stages name their own.
        rubric: Another rubric than the one in force; see :func:`chosen`.
        as_reward: ``prose`` or ``json``; empty takes what was rewarded.
        case: Explain completions of this case alone; empty takes all.
        most: Completions, at most.

    Raises:
        InputError: No task, an unknown rubric, a file or a row of another shape.
        StoreError: The file, or the dataset that it belongs to, is not there.
    """
    recorded = _recorded(file, task)
    if rubric or as_reward:
        in_force = direct.rubric(rubric) if as_reward == "json" else chosen(recorded.task, rubric)
    else:
        in_force = recorded.rubric
    if not direct.reads_json(in_force):
        recorded.task.readable()
    pairs = [pair for pair in recorded.pairs if case in {"", pair[1].id}][:most]
    if not pairs:
        known = ", ".join(dict.fromkeys(one.id for _, one in recorded.pairs[:_BATCH][:5]))
        raise InputError(f"{file}: no completion of case '{case}'; it has cases such as {known or 'none'}.")
    name = recorded.format_name if direct.reads_json(in_force) else ""
    narrowed = recorded.task.narrowed(name)
    pairs = [(text, direct.asked(about, narrowed, in_force)) for text, about in pairs]
    with Scorer(recorded.task.name, in_force, format_name=name) as scorer:
        return [_explained(text, about, narrowed, in_force, scorer) for text, about in pairs]


def replay(run: str, *, rubric: str = "", as_reward: str = "prose") -> dict[str, Any]:
    """What another reward would have paid for the rollouts of a run.

    Args:
        run: A pipeline run's name, or the path of ``rollouts.parquet`` or of its folder.
        rubric: The other rubric; see :func:`chosen`.
        as_reward: ``prose``, or ``json`` for the gated reward.

    Returns:
        ``task``, ``before`` and ``after`` (weights by term), ``parts`` (:func:`proseform.checklist.replay.summarise`)
        and ``terms`` (the mean of each raw term under the other reward).

    Raises:
        InputError: Unknown rubric.
        StoreError: No such run, no rollouts in it, or the dataset they belong to is not there.
    """
    about, rows = rollouts.read(_rollouts(run))
    task, cases = tasks.load(about.task), _cases(about.dataset)
    other = direct.rubric(rubric) if as_reward == "json" else chosen(task, rubric)
    name = about.format_name if direct.reads_json(other) else ""
    narrowed = task.narrowed(name)
    seen = {known: direct.asked(case, narrowed, other) for known, case in cases.items()}
    scores: list[Score] = []
    with Scorer(task.name, other, format_name=name) as scorer:
        for start in range(0, len(rows), _BATCH):
            some = rows[start : start + _BATCH]
            scores += scorer.score([row.text for row in some], [_known(seen, row.case).to_json() for row in some])
    replayed = [Replayed(row.step, row.group, row.reward, score) for row, score in zip(rows, scores, strict=True)]
    return {
        "task": task.name,
        "before": _weights(about.rubric),
        "after": _weights(other),
        "parts": replaying.summarise(replayed, about.generations),
        "terms": replaying.terms(replayed),
    }


def chosen(task: Task, rubric: str) -> Rubric:
    """A rubric by name or file.

    Args:
        task: The task, whose terms it weighs.
        rubric: A variant of the task's own, or the path of a ``rubric.toml``: its only variant, or the one that is
            named as the task's own. Empty takes the task's own.

    Raises:
        TaskError: No such variant, or weights that break the rubric's laws.
        ConfigError: Not TOML, or a term that the task does not score.
    """
    path = Path(rubric)
    if not rubric or not path.is_file():
        return task.readable().rubric(rubric)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{rubric}: not TOML ({error}).") from error
    variants = list(table.get("variants", {}))
    read = Rubric.from_toml(table, variants[0] if len(variants) == 1 else task.variant, rubric)
    if strange := sorted(read.weights.keys() - task.terms.keys()):
        raise ConfigError(
            f"{rubric}: weighs {', '.join(strange)}, which task '{task.name}' does not score; it scores "
            f"{', '.join(task.terms)}."
        )
    return read


def _explained(text: str, case: Case, task: Task, rubric: Rubric | None, scorer: Scorer) -> Explanation:
    """One completion explained."""
    line = case.to_json()
    if direct.reads_json(rubric):
        gold, verdict = direct.gold(case, rubric), verify.answer(direct.document(text, rubric), task.schema)
    else:
        gold, verdict = case.prose, verify.prose(text, task, case.inputs)
    return explaining.explain(
        text, case, gold, rubric, str(verdict), lambda texts: scorer.score(texts, [line] * len(texts))
    )


def _recorded(file: Path, task: str) -> Recorded:
    """The completions of a file."""
    if not file.is_file():
        raise StoreError(
            f"{file}: there is no such file.", hint=f"Give {rollouts.FILE}, {records.RECORDS}, or JSON Lines."
        )
    if file.suffix != ".parquet":
        return _lines(file, task)
    if (file.parent / MEASURED).is_file():
        return _report(file)
    about, rows = rollouts.read(file)
    cases = _cases(about.dataset)
    worst = sorted(rows, key=lambda row: (row.reward is not None, row.reward or 0.0))
    pairs = [(row.text, _known(cases, row.case)) for row in worst]
    return Recorded(tasks.load(about.task), about.rubric, pairs, about.format_name)


def _report(file: Path) -> Recorded:
    """The evaluations in prose of a report's records."""
    measured = json.loads((file.parent / MEASURED).read_text(encoding="utf-8"))
    run, task = config.Run.model_validate(measured["run"]), tasks.load(measured["task"])
    cases = _cases(measured["dataset"])
    prose = [outcome for outcome in records.read(file) if "reward" in outcome.scores]
    if any(outcome.text.startswith("sha256:") for outcome in prose):
        raise StoreError(
            f"{file}: holds digests in the place of texts, as the cases are a user's own.",
            hint="Give the completions as JSON Lines.",
        )
    worst = sorted(prose, key=lambda outcome: outcome.scores["reward"] or 0.0)
    rubric = task.rubric(run.grpo.rubric, run.grpo.accuracy_exponent)
    return Recorded(task, rubric, [(outcome.text, _known(cases, outcome.case)) for outcome in worst])


def _lines(file: Path, task: str) -> Recorded:
    """The completions of a file of JSON Lines."""
    if not task:
        raise InputError(f"{file}: JSON Lines do not say which task they belong to.", hint="Give --task NAME.")
    loaded = tasks.load(task)
    gold = {case.id: case for case in loaded.gold}
    pairs = []
    for number, line in enumerate(jsonl.read(file), start=1):
        if line.strip():
            where = f"{file.name}, line {number}"
            row = jsonl.parse(line, where)
            if not isinstance(row.get("completion"), str) or "case" not in row:
                raise RowError(f"{where}: expected 'completion', a text, and 'case', a case or the id of a gold one.")
            about = row["case"]
            case = Case.from_json(json.dumps(about), where) if isinstance(about, Mapping) else _known(gold, str(about))
            pairs.append((row["completion"], case))
    return Recorded(loaded, loaded.rubric(), pairs)


def _rollouts(run: str) -> Path:
    """The rollouts of a run, by its name or by a path."""
    path = Path(run)
    if path.is_file():
        return path
    if path.is_dir():
        return path / rollouts.FILE
    return watching.trained(run) / rollouts.FILE


def _cases(dataset: str) -> dict[str, Case]:
    """Every case of a dataset by its id."""
    folder = fetch(Ref.parse(dataset), cache.home().root / "fetched")
    return {case.id: case for path in sorted(folder.glob("cases-*.jsonl")) for case in load_cases(path)}


def _known(cases: Mapping[str, Case], name: str) -> Case:
    """A case by its id."""
    if name not in cases:
        raise InputError(f"No case '{name}'; there are cases such as {', '.join(list(cases)[:3]) or 'none'}.")
    return cases[name]


def _weights(rubric: Rubric | None) -> dict[str, str]:
    """The rubric in words, by term."""
    if rubric is None:
        return {"json": "gated"}
    return {
        term: f"{weight:g}" + (f" to the power {rubric.exponents[term]:g}" if term in rubric.exponents else "")
        for term, weight in rubric.weights.items()
    }
