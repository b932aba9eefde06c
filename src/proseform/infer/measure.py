"""The measuring worker: asks models what the suites plan, and writes what came as records. Judges nothing.

Any engine will do; the worker itself loads bundles into its own process, on a GPU where there is one, so that a
launcher can start it as a job like training, or asks a server that has their models. Asks go to the engine in the order
of the plans, in batches, so that equal plans give equal texts. Several ranks each ask of their own share of the cases,
side by side. An interruption costs at most the subject that was being asked.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from proseform import bundle as bundles
from proseform import config, launch, records, verify
from proseform import task as tasks
from proseform.errors import Refusal
from proseform.infer import Completion, Engine, Request, ask, length, tokens
from proseform.infer.answer import Formatted, close, completed, formatted
from proseform.machine import machine
from proseform.outcome import Outcome
from proseform.store import write_json
from proseform.suites import Ask, Study, Subject
from proseform.suites.plans import plan
from proseform.task import Task

_OTHERS = dt.timedelta(days=1)
"""Longest wait of a rank for those that have longer texts to write."""


@dataclass(frozen=True, slots=True)
class _Came:
    """What came of one ask: a text, or the word for why the engine refused."""

    text: str = ""
    refused: str = ""
    seconds: float = 0.0
    tokens: int = 0


def main(job: launch.Job) -> None:
    """Measure the subjects of a job into ``job.out``.

    The job's settings: ``task`` and ``run``; ``subjects``, each with ``name``, ``trained``, ``shipped``, ``second`` and
    ``bundle`` (a folder); ``delete_after``, where the cases are a user's own: the date on which their texts are to go;
    ``engine``, where the models are asked by URL: subject to fields of an :class:`~proseform.infer.spec.EngineSpec`.
    """
    task, run = tasks.load(str(job.settings["task"])), config.Run.model_validate(job.settings["run"])
    study = records.study(job.input("dataset"), task, run)
    subjects = [
        (Subject(row["name"], row["trained"], row["shipped"], row["second"]), Path(row["bundle"]))
        for row in job.settings["subjects"]
    ]
    until = str(job.settings["delete_after"])
    left_out = too_long(study, subjects[0][1])
    study = study.without(left_out)
    rank = int(os.environ.get("RANK", "0"))
    plans = [plan(study, subject) for subject, _ in subjects]
    shares = [share(asks, rank, job.world_size) for asks in plans]
    parts = Path(job.work) / "checkpoints"
    parts.mkdir(parents=True, exist_ok=True)
    before, total = 0, sum(map(len, shares))
    for (subject, bundle), asks in zip(subjects, shares, strict=True):
        part = _part(parts, subject, rank)
        if not part.exists():
            _write_whole(part, _asked(subject, bundle, asks, task, run, job, before, total), until)
        before += len(asks)
    _wait_for_others(job.world_size)
    if rank:
        return
    outcomes: list[Outcome] = []
    for (subject, _), asks in zip(subjects, plans, strict=True):
        rows = {row.id: row for other in range(job.world_size) for row in records.read(_part(parts, subject, other))}
        outcomes += [rows[one.record.id] for one in asks]
    if until:  # a user's own cases
        texts = Path(job.out) / records.APART
        texts.mkdir(mode=0o700)
        records.write_texts(texts / records.TEXTS, outcomes, until)
    by_url = next(iter(job.settings.get("engine", {}).values()), None)
    place = f"{by_url['dialect']} server at {by_url['url']}" if by_url else machine()
    write_json(Path(job.out) / records.ABOUT, {"machine": place, "records": len(outcomes), "left_out": left_out})
    records.write(Path(job.out) / records.RECORDS, [outcome.sealed() for outcome in outcomes] if until else outcomes)


def share(asks: Sequence[Ask], rank: int, ranks: int) -> list[Ask]:
    """The asks of one rank, in plan order: all of every so-many-th case, so that no ask waits for another rank's.

    Args:
        asks: A plan.
        rank: From 0.
        ranks: How many share the plan.
    """
    order = {case: place for place, case in enumerate(dict.fromkeys(one.record.case for one in asks))}
    return [one for one in asks if order[one.record.case] % ranks == rank]


def too_long(study: Study, bundle: Path) -> list[str]:
    """The ids of held-out cases that are longer than a bundle's context, as training leaves them out.

    Args:
        study: Its cases, those of harder levels too.
        bundle: Any subject's: all of them have one tokenizer and one context.

    Raises:
        RowError: Most cases of the level that was trained are.
    """
    evaluator = bundles.read(bundle, check_files=False).evaluator
    tokenizer = tokens.BundleTokenizer.load(bundle / evaluator.base)
    limit, ids = evaluator.generation.context_length, []
    for cases in (study.cases, *study.harder.values()):
        lengths = length.evaluations(tokenizer, study.task, cases)
        if cases is study.cases:
            length.check(lengths, limit, "evaluate")
        ids += [case.id for case, count in zip(cases, lengths, strict=True) if count > limit]
    return ids


def ask_all(
    engine: Engine,
    asks: Sequence[Ask],
    *,
    batch: int,
    tell: Callable[[int], None] = lambda _: None,
    served: Callable[[str, Mapping[str, str]], str] = lambda prose, _: prose,
) -> list[Outcome]:
    """Ask an engine, in plan order; what an ask waits for is asked in an earlier round.

    Args:
        engine: Any; it runs the subject's bundle.
        asks: Their records are completed; each ``after`` is the id of one of them.
        batch: Asks that go to the engine at once, at most.
        tell: Receives how many more are done.
        served: An evaluation as the formatter gets it in serving, of the evaluation as it was written and the values of
            its ask.
    """
    values = {one.record.id: one.values for one in asks}
    done: dict[str, Outcome] = {}
    left = list(asks)
    while left:
        ready = [one for one in left if not one.after or one.after in done]
        if not ready:
            raise ValueError(f"{left[0].record.id} waits for {left[0].after}, which nobody asks.")
        for some in _batched(ready, batch):
            prose = [served(done[one.after].text, values[one.after]) if one.after else None for one in some]
            given = [
                {**one.values, **({} if text is None else {"prose": text})}
                for one, text in zip(some, prose, strict=True)
            ]
            for one, with_prose, came in zip(some, given, _complete(engine, some, given), strict=True):
                done[one.record.id] = _completed(one, with_prose, came)
            tell(len(some))
        left = [one for one in left if one.record.id not in done]
    return [done[one.record.id] for one in asks]


def _served_prose(task: Task, run: config.Run, prose: str, values: Mapping[str, str]) -> str:
    """An evaluation as a bundle of the run hands it to its formatter."""
    if run.generation.accept != "recomputed":
        return prose
    inputs = {name: values[name] for name in task.inputs}
    return verify.evaluation(prose, task, inputs, recompute=True).text


def _asked(
    subject: Subject,
    bundle: Path,
    asks: Sequence[Ask],
    task: Task,
    run: config.Run,
    job: launch.Job,
    before: int,
    total: int,
) -> list[Outcome]:
    """Ask a bundle: in this process, or by URL."""
    engine, count = opened(bundle, job.settings.get("engine", {}).get(subject.name)), before

    def tell(more: int) -> None:
        nonlocal count
        count += more
        job.progress(count, total)

    try:
        return ask_all(engine, asks, batch=run.evaluate.batch, tell=tell, served=partial(_served_prose, task, run))
    finally:
        close(engine)


def opened(bundle: Path, spec: Mapping[str, Any] | None) -> Engine:
    """The engine of a bundle.

    Args:
        bundle: Its folder; tokenizers and prompts are taken from it in any case.
        spec: The fields of an :class:`~proseform.infer.spec.EngineSpec`; None loads the models into this process.

    Raises:
        ConfigError: No key in the key file.
    """
    if spec is None:
        from proseform.infer.local import LocalEngine

        return LocalEngine(bundle, check_files=False)
    from proseform.infer.context import encoders
    from proseform.infer.http import HttpEngine
    from proseform.infer.spec import EngineSpec

    manifest = bundles.read(bundle, check_files=False)
    return HttpEngine(EngineSpec(**spec), manifest, encoders(bundle, manifest))


def _complete(engine: Engine, asks: Sequence[Ask], values: Sequence[Mapping[str, str]]) -> list[_Came]:
    """The one place that speaks to an engine: what came of some asks, in order.

    Constrained answers take the path of serving, retries included; the few that are asked with another prompt than the
    bundle's are held to the schema by the engine alone.
    """
    served = [index for index, one in enumerate(asks) if one.constrained and one.prompt is None]
    plain = [index for index in range(len(asks)) if index not in set(served)]
    came: dict[int, _Came] = dict(
        zip(plain, _texts(engine, [_request(engine, asks[i], values[i]) for i in plain]), strict=True)
    )
    schemas = [schema for index in served if (schema := asks[index].schema) is not None]
    if served:
        outcomes = formatted(engine, [values[index]["prose"] for index in served], schemas)
        came |= {index: _served(outcome) for index, outcome in zip(served, outcomes, strict=True)}
    return [came[index] for index in range(len(asks))]


def _served(outcome: Formatted | Refusal) -> _Came:
    """What came of serving's path."""
    if isinstance(outcome, Refusal):
        return _Came(refused=outcome.reason)
    return _Came(outcome.text, "", outcome.seconds, outcome.tokens)


def _texts(engine: Engine, requests: Sequence[Request]) -> list[_Came]:
    """Completions. A refusal is what came; an engine that is away or faulty ends the measurement."""
    came = []
    for completion in completed(engine, requests) if requests else ():
        if isinstance(completion, Refusal):
            came.append(_Came(refused=completion.reason))
        elif isinstance(completion, Completion):
            came.append(_Came(completion.text, "", completion.seconds, completion.tokens))
        else:
            raise completion
    return came


def _request(engine: Engine, one: Ask, values: Mapping[str, str]) -> Request:
    """The request of one ask."""
    schema = one.schema.grammar if one.constrained and one.schema is not None else None
    request = ask(engine.bundle, one.role, values, schema=schema, temperature=one.temperature, seed=one.seed)
    return request if one.prompt is None else replace(request, prompt=one.prompt.render(values))


def _completed(one: Ask, values: Mapping[str, str], came: _Came) -> Outcome:
    """The record of an ask with what came; a formatter's keeps the prose that it was given."""
    given = {"given": values["prose"]} if one.role == "formatter" else {}
    verdicts = {"engine": came.refused} if came.refused else {}
    return replace(
        one.record, texts={**given, "text": came.text}, verdicts=verdicts, seconds=came.seconds, tokens=came.tokens
    )


def _batched(asks: Sequence[Ask], size: int) -> Iterator[Sequence[Ask]]:
    """Batches of one role each, and either constrained or free, in plan order."""
    kinds = dict.fromkeys((one.role, one.constrained) for one in asks)
    for kind in kinds:
        alike = [one for one in asks if (one.role, one.constrained) == kind]
        yield from (alike[start : start + size] for start in range(0, len(alike), size))


def _part(folder: Path, subject: Subject, rank: int) -> Path:
    """What a rank has made of a subject."""
    return folder / f"{subject.name}-{rank}.parquet"


def _wait_for_others(ranks: int) -> None:
    """Wait until every rank has written its parts; the launcher ends those that wait for one that failed."""
    if ranks == 1:
        return
    import torch.distributed as dist

    dist.init_process_group("gloo", timeout=_OTHERS)
    dist.barrier()
    dist.destroy_process_group()


def _write_whole(path: Path, outcomes: Sequence[Outcome], until: str) -> None:
    """Write records so that a reader sees all of them or no file."""
    staging = path.with_suffix(".part")
    staging.touch(mode=0o600)
    records.write(staging, outcomes, until)
    staging.rename(path)


if __name__ == "__main__":
    launch.worker(main)
