"""Kinds of formatter beside one another, trained on the same rows: `python -m benchmarks.formatters`.

Options: `[--task cv] [--run small] [--kinds causal,seq2seq,seq2seq@900] [--seeds 2] [--cases 200] [--set KEY=VALUE]`. A
number behind a kind is its steps, so that kinds can be compared at equal seconds too. Training goes through the stages
and is adopted where it is there; `--bundle FOLDER` measures the formatter of a bundle instead, on the run's cases. Each
is asked for the gold prose of held-out cases and for random schemas, constrained and greedy, by one thread in a process
of its own.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.forked import forked, wait
from proseform import bundle as bundles
from proseform import config, records, stats
from proseform import task as tasks
from proseform.infer import Completion, Request
from proseform.leaves import picked
from proseform.machine import machine
from proseform.stages import cache, dataset, policy, sft
from proseform.suites import Study

BATCHES = (1, 16)
_FEW = 40
"""Documents that are written one at a time, of which the time is taken."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a formatter is asked for.

    Attributes:
        request: The request.
        answer: The one right document.
    """

    request: Request
    answer: Mapping[str, Any]


@dataclass(slots=True)
class Figures:
    """What came of one formatter.

    Attributes:
        parameters: Of the model.
        memory_mb: What loading and writing added to the process, at its peak.
        exact: Right documents, by what was asked (``gold``, ``schemas``): how many, and of how many.
        cpu_ms: Processor time of a document of gold prose, by rows of a batch.
        passes: Of the decoder, likewise; a batch shares one.
    """

    parameters: int
    memory_mb: int
    exact: dict[str, tuple[int, int]]
    cpu_ms: dict[str, float]
    passes: dict[str, float]


def asked(study: Study, run: config.Run) -> dict[str, list[Asked]]:
    """The documents of each source: gold prose of held-out cases, and random schemas."""
    prompt, most = study.task.formatter, run.generation.formatter.max_tokens

    def one(prose: str, schema: Any, answer: Mapping[str, Any]) -> Asked:
        rendered = prompt.render({"prose": prose, "schema": prompt.shown(schema)})
        return Asked(Request("formatter", rendered, prompt.prefill, schema.grammar, max_tokens=most), answer)

    return {
        "gold": [one(case.prose, study.schema, picked(case.answer, study.schema.fields)) for case in study.cases],
        "schemas": [one(row.prose, row.schema, row.answer) for row in study.strange],
    }


def measured(folder: policy.Policy, kind: config.Kind, run: config.Run, of: Mapping[str, Sequence[Asked]]) -> Figures:
    """Load a formatter into this process, and have it write everything."""
    from proseform.infer.loading import load_model, merged
    from proseform.infer.role_model import RoleModel

    before = _memory_mb("VmRSS")
    model, tokenizer = load_model(folder.base, dtype=run.model.dtype, kind=kind, device="cpu")
    if folder.adapter:
        model = merged(model, folder.adapter)
    role_model = RoleModel.of(model, tokenizer, limit=run.model.max_length)
    exact, cpu_ms, passes = {}, {}, {}
    for source, documents in of.items():
        texts, cpu, made = _written(role_model, documents, max(BATCHES))
        right = sum(_same(text, one.answer) for text, one in zip(texts, documents, strict=True))
        exact[source] = right, len(documents)
        if source == "gold":
            cpu_ms[str(max(BATCHES))], passes[str(max(BATCHES))] = cpu, made
    _, cpu_ms["1"], passes["1"] = _written(role_model, of["gold"][:_FEW], 1)
    peak = _memory_mb("VmHWM") - before
    return Figures(model.num_parameters(), peak, exact, cpu_ms, passes)


def _written(role_model: Any, documents: Sequence[Asked], size: int) -> tuple[list[str], float, float]:
    """The texts of some documents, and for each of them milliseconds of processor time and passes."""
    from proseform.infer.worker import Job

    texts = [""] * len(documents)
    began, before = time.process_time(), role_model.passes
    for batch in role_model.batches([one.request for one in documents], size):
        outcomes = role_model.complete([Job(documents[index].request) for index in batch])
        for index, outcome in zip(batch, outcomes, strict=True):
            texts[index] = outcome.text if isinstance(outcome, Completion) else ""
    count = len(documents)
    return texts, 1000 * (time.process_time() - began) / count, (role_model.passes - before) / count


def _same(text: str, answer: Mapping[str, Any]) -> bool:
    """Whether a text is just that document."""
    try:
        return bool(json.loads(text) == answer)
    except ValueError:
        return False


def _memory_mb(field: str) -> int:
    """A line of this process's status, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) // 1024


def main(
    task: str = "cv",
    run: str = "small",
    kinds: str = "causal,seq2seq",
    seeds: Annotated[int, typer.Option(min=1)] = 2,
    cases: Annotated[int, typer.Option(min=1)] = 200,
    set_: Annotated[list[str] | None, typer.Option("--set", help="a knob of the run, KEY=TOML")] = None,
    bundle: Annotated[Path | None, typer.Option(help="a bundle's folder: its formatter, in the place of kinds")] = None,
) -> None:
    """Train what is not there yet, and print a table."""
    console = Console(width=120)
    data = cache.Slot()
    changes = "".join(f"{line.partition('=')[0]} = {line.partition('=')[2]}\n" for line in set_ or ())
    text = f'extends = "{run}"\n{changes}evaluate.cases = {cases}\nevaluate.schemas = {cases}\n'
    dataset.run(task, text, data)
    study = records.study(cache.folder(data), tasks.load(task), config.load(text))
    table = Table(
        *("kind", "steps", "seed", "parameters", "training s", "loss", "gold exact", "random schemas exact"),
        *(f"ms, passes at {size}" for size in BATCHES),
        "MB",
        title=f"{machine()}; task {task}, run {run} {' '.join(set_ or ())}",
    )
    for row in (
        _rows(task, text, kinds.split(","), seeds, data, study) if bundle is None else [_row(bundle, text, study)]
    ):
        table.add_row(*row)
    console.print(table)


def _rows(
    task: str, text: str, kinds: Sequence[str], seeds: int, data: cache.Slot, study: Study
) -> Iterator[tuple[str, ...]]:
    """The table's row of each kind and seed."""
    for word in kinds:
        kind, _, steps = word.partition("@")
        for seed in range(seeds):
            own = f'{text}formatter.kind = "{kind}"\nmodel.tiny.seed = {seed}\nsft.formatter.seed = {seed}\n'
            own += f"sft.formatter.steps = {steps}\n" if steps else ""
            trained, resolved = cache.Slot(), config.load(own)
            sft.run(task, own, "formatter", data, trained)
            about = json.loads((cache.folder(trained) / "model.json").read_text())["figures"]
            came = _apart(policy.of(trained), resolved, study)
            training = f"{about['seconds']:.0f}", f"{about['valid_loss']:.4f}"
            yield kind, str(about["steps"]), str(seed), f"{came.parameters:,}", *training, *_columns(came)


def _row(folder: Path, text: str, study: Study) -> tuple[str, ...]:
    """The table's row of a bundle's formatter."""
    part = bundles.read(folder).formatter
    adapter = folder / part.adapter if part.adapter else None
    came = _apart(policy.Policy(folder / part.base, adapter), config.load(text), study)
    return "bundle", "", "", f"{came.parameters:,}", "", "", *_columns(came)


def _columns(came: Figures) -> Iterator[str]:
    """What was measured, in the table's words."""
    yield from (_share(*came.exact[source]) for source in ("gold", "schemas"))
    yield from (f"{came.cpu_ms[str(size)]:.1f}, {came.passes[str(size)]:.1f}" for size in BATCHES)
    yield str(came.memory_mb)


def _share(right: int, count: int) -> str:
    """A share with its interval."""
    return str(stats.proportion(right, count))


def _apart(folder: policy.Policy, run: config.Run, study: Study) -> Figures:
    """What comes of one formatter, in a process of its own, so that memory is its own too."""
    with TemporaryDirectory() as name:
        out = Path(name) / "figures.json"

        def work() -> None:
            os.environ["OMP_NUM_THREADS"] = "1"
            out.write_text(json.dumps(asdict(measured(folder, run.formatter.kind, run, asked(study, run)))))

        wait(forked(work, Path(name) / "worker.log"))
        return Figures(**json.loads(out.read_text()))


if __name__ == "__main__":
    typer.run(main)
