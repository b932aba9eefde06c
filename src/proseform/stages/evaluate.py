"""evaluate: measure the variants base, SFT, GRPO, and the formatter, on held-out cases."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proseform import config, jsonl, launch, outcome, report, verify
from proseform.case import Case, read_cases
from proseform.errors import ProseformError
from proseform.infer import Engine, Request, ask
from proseform.infer.answer import Formatted, close, completed, formatted
from proseform.machine import machine
from proseform.registry import track
from proseform.schema import Schema
from proseform.stages import cache, policy
from proseform.store import write_json
from proseform.task import Task


def run(
    task: str,
    run: str,
    dataset: cache.Artifact,
    sft: cache.Artifact,
    grpo: cache.Artifact,
    formatter: cache.Artifact,
    measured: cache.Artifact,
    shown: Shown | None = None,
) -> None:
    """Measure what training has made.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        dataset: Holds the held-out cases.
        sft: The evaluator after SFT.
        grpo: The evaluator after GRPO, which goes into the bundle.
        formatter: The formatter.
        measured: Is handed the result: ``report.json``, ``report.html``, ``outcomes.jsonl``.
        shown: What the pipeline's own pages are to show of it, on every run, adopted or not.
    """
    wanted, the_task = config.load(run), cache.load_task(task)
    trained = {"sft": sft, "grpo": grpo, "formatter": formatter}
    digests = {name: cache.ref(artifact).digest for name, artifact in {"dataset": dataset, **trained}.items()}
    base = policy.base(wanted, task, dataset)
    inputs = {
        "task": [the_task.contract, the_task.data],
        "evaluate": wanted.evaluate.model_dump(mode="json"),
        "generation": wanted.generation.model_dump(mode="json"),
        "max_length": wanted.model.max_length,
        "format": wanted.dataset.format,
        **digests,
    }

    def body(work: Path, out: Path) -> dict[str, Any]:
        untrained = policy.Policy(policy.fetched(base), None)
        made = {name: policy.of(artifact) for name, artifact in trained.items()}
        pairs = {
            "base": (untrained, untrained),
            "sft": (made["sft"], made["formatter"]),
            "grpo": (made["grpo"], made["formatter"]),
        }
        bundles = {
            variant: policy.assemble(work / "bundles" / variant, the_task, wanted, *pair)
            for variant, pair in pairs.items()
        }
        measure = _Measure(the_task, wanted, cache.folder(dataset), work)
        for variant in pairs:
            measure.variant(variant, work / "bundles" / variant)
        meta = {
            "run": wanted.name, "run_digest": wanted.digest, "format": wanted.dataset.format, "machine": machine(),
            "digests": {**digests, "bundle": bundles["grpo"].digest},
        }  # fmt: skip
        return measure.write(out, meta, {name: cache.folder(artifact) for name, artifact in trained.items()})

    cache.hand_over(cache.once("evaluate", inputs, body), measured)
    if shown is not None:
        shown.fill(cache.folder(measured))


@dataclass(frozen=True, slots=True)
class Shown:
    """A report as KFP's pages show one: its artifacts have these shapes.

    Attributes:
        page: Gets the HTML report, a file at its ``path``.
        metrics: Gets the key figures, by ``log_metric(name, number)``.
        confusion: Gets the headline's confusion, by ``log_confusion_matrix(labels, rows)``; stays empty without a headline.
    """

    page: Any
    metrics: Any
    confusion: Any

    def fill(self, folder: Path) -> None:
        """Show the report in a folder."""
        found = json.loads((folder / "report.json").read_text())
        page = Path(self.page.path)
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "report.html", page)
        for name, figure in found["figures"].items():
            if figure:
                self.metrics.log_metric(name, figure["value"])
        if confusion := found["confusion"]:
            # KFP draws squares only: the last column, of answers that state no label, becomes a row without gold too.
            square = [*confusion["counts"], [0] * len(confusion["columns"])]
            self.confusion.log_confusion_matrix(confusion["columns"], square)


_KEY = {
    "evaluator_reward": "reward",
    "lift": "of which GRPO",
    "formatter_exact": "formatter exact",
    "schema_valid": "valid",
}
"""The figures that stand in the run's table."""


class _Measure:
    """Generates texts and collects their outcomes.

    Args:
        task: The task.
        run: The run.
        dataset: The dataset's folder.
        work: Where progress goes.
    """

    def __init__(self, task: Task, run: config.Run, dataset: Path, work: Path) -> None:
        self.task, self.run, self.work = task, run, work
        self.rubric = task.rubric(run.grpo.rubric, run.grpo.accuracy_exponent)
        about = json.loads((dataset / "dataset.json").read_text())
        self.level, self.schema = str(about["level"]), Schema(about["schema"])
        self.cases = _first(dataset / "cases-test.jsonl", run.evaluate.cases)
        self.harder = {
            level: _first(dataset / f"cases-test-{level}.jsonl", run.evaluate.cases) for level in run.evaluate.levels
        }
        self.strange = jsonl.rows(dataset / "schemas-test.jsonl")[: run.evaluate.schemas]
        self.rows: list[outcome.Row] = []
        self._asked = 0

    def total(self) -> int:
        """Texts that will be asked for."""
        cases, strange = len(self.cases), len(self.strange)
        base, sft = 3 * cases, (2 + self.run.evaluate.samples) * cases
        grpo = (3 + self.run.evaluate.samples) * cases + 2 * (2 * cases + strange)
        return base + sft + grpo + 2 * sum(len(cases) for cases in self.harder.values())

    def variant(self, variant: str, folder: Path) -> None:
        """Measure one variant; the shipped one also with its formatter alone, and on harder levels."""
        from proseform.infer.local import LocalEngine

        engine = LocalEngine(folder, check_files=False)
        try:
            prose = self._evaluations(engine, variant, self.cases)
            if variant != "base":
                self._samples(engine, variant)
            self._answers(engine, variant, self.cases, prose, constrained=True)
            if variant != "sft":
                self._answers(engine, variant, self.cases, prose, constrained=False)
            if variant == "grpo":
                for constrained in (False, True):
                    self._formatter(engine, prose, constrained=constrained)
                for cases in self.harder.values():
                    self._answers(engine, variant, cases, self._evaluations(engine, variant, cases), constrained=True)
        finally:
            close(engine)

    def write(self, out: Path, meta: Mapping[str, Any], trained: Mapping[str, Path]) -> dict[str, Any]:
        """Write report and outcomes; the key figures."""
        metrics = {name: [*track.read_metrics(folder / "metrics.jsonl")] for name, folder in trained.items()}
        found = report.summarise(self.rows, self.task, meta=meta, level=self.level, metrics=metrics, cases=self.cases)
        write_json(out / "report.json", found)
        (out / "report.html").write_text(report.render(found), encoding="utf-8")
        (out / "outcomes.jsonl").write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows), encoding="utf-8"
        )
        figures = {name: figure["value"] for name, figure in found["figures"].items() if figure}
        key = ", ".join(f"{words} {figures[name]:.2f}" for name, words in _KEY.items() if name in figures)
        return {"key": key, **figures, "bundle": meta["digests"]["bundle"]}

    def _evaluations(self, engine: Engine, variant: str, cases: list[Case]) -> list[str]:
        """Greedy evaluations, and their outcomes."""
        texts = self._texts(engine, [ask(engine.bundle, "evaluator", case.inputs) for case in cases])
        self.rows += [
            outcome.judged(case, self.task, self.rubric, text, variant=variant)
            for case, text in zip(cases, texts, strict=True)
        ]
        return texts

    def _samples(self, engine: Engine, variant: str) -> None:
        """Sampled evaluations: what the policy does when it is not held to its likeliest word."""
        # A seed of its own for each text: with one for all cases their draws would go together, and intervals would lie.
        many = [(case, seed) for seed, case in enumerate(self.cases * self.run.evaluate.samples)]
        temperature = self.run.grpo.temperature
        wanted = [
            ask(engine.bundle, "evaluator", case.inputs, temperature=temperature, seed=seed) for case, seed in many
        ]
        for (case, _), text in zip(many, self._texts(engine, wanted), strict=True):
            self.rows.append(outcome.judged(case, self.task, self.rubric, text, variant=variant, mode="sampled"))

    def _answers(self, engine: Engine, variant: str, cases: list[Case], prose: list[str], *, constrained: bool) -> None:
        """JSON end to end, out of the variant's own prose."""
        texts = self._format(engine, prose, [self.schema] * len(prose), constrained=constrained)
        for case, text in zip(cases, texts, strict=True):
            self.rows.append(
                outcome.answered(case, self.task, self.schema, text, variant=variant, constrained=constrained)
            )

    def _formatter(self, engine: Engine, own: list[str], *, constrained: bool) -> None:
        """The formatter alone: on gold prose, on the evaluator's own, on random schemas."""
        read = [verify.prose(prose, self.task, case.inputs) for prose, case in zip(own, self.cases, strict=True)]
        said = [verdict.value if verdict.ok else None for verdict in read]
        sources = (
            ("gold", [(case.id, self.schema, case.prose, case.answer) for case in self.cases]),
            (
                "own",
                [
                    (case.id, self.schema, prose, value)
                    for case, prose, value in zip(self.cases, own, said, strict=True)
                ],
            ),
            ("schemas", [(row["id"], Schema(row["schema"]), row["prose"], row["answer"]) for row in self.strange]),
        )
        for of, items in sources:
            texts = self._format(
                engine,
                [prose for _, _, prose, _ in items],
                [schema for _, schema, _, _ in items],
                constrained=constrained,
            )
            for (name, schema, _, value), text in zip(items, texts, strict=True):
                wanted = None if value is None else {field: value[field] for field in schema.fields if field in value}
                self.rows.append(outcome.formatted(name, schema, text, wanted, of=of, constrained=constrained))  # type: ignore[arg-type]

    def _format(
        self, engine: Engine, prose: Sequence[str], schemas: Sequence[Schema], *, constrained: bool
    ) -> list[str]:
        """JSON of some prose: on the very path that serving takes, or unconstrained to see what the model itself would write."""
        if constrained:
            made: list[str] = []
            for start in range(0, len(prose), self.run.evaluate.batch):
                some = slice(start, start + self.run.evaluate.batch)
                made += [
                    done.text if isinstance(done, Formatted) else ""
                    for done in formatted(engine, prose[some], schemas[some])
                ]
                self._tell(len(prose[some]))
            return made
        pairs = zip(prose, schemas, strict=True)
        return self._texts(
            engine,
            [ask(engine.bundle, "formatter", {"prose": text, "schema": schema.signature()}) for text, schema in pairs],
        )

    def _texts(self, engine: Engine, wanted: list[Request]) -> list[str]:
        """Completions in batches; a prompt that leaves no room is answered with nothing."""
        texts: list[str] = []
        for batch in _batched(wanted, self.run.evaluate.batch):
            for completion in completed(engine, batch):
                if isinstance(completion, ProseformError) and getattr(completion, "reason", "") != "too_long":
                    raise completion
                texts.append("" if isinstance(completion, ProseformError) else completion.text)
            self._tell(len(batch))
        return texts

    def _tell(self, asked: int) -> None:
        """Progress: so many more texts."""
        self._asked += asked
        launch.report_progress(self.work, self._asked, self.total())


def _batched(items: list[Request], size: int) -> Iterable[list[Request]]:
    """Slices of a list."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _first(path: Path, count: int) -> list[Case]:
    """The first cases of a file."""
    return list(itertools.islice(read_cases(jsonl.read(path), path.name), count))
