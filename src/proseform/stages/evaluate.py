"""evaluate: measure the variants base, SFT, GRPO, and the formatter, on held-out cases.

It has two results. *Records* are the texts that the models wrote; their key holds the planned requests, the models, and
the generation settings. The *report* judges the records. So a new rubric, verifier, threshold or style sheet needs no
new generation, and :func:`recompute` makes a report from stored records alone.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from proseform import config, digest, records, report
from proseform import task as tasks
from proseform.abstention import Abstention
from proseform.bundle import of as bundle_of
from proseform.errors import StoreError
from proseform.launch import Job
from proseform.outcome import Outcome
from proseform.registry import track
from proseform.stages import abstention, cache, frozen, keys, policy, retention, served
from proseform.store import Ref, Result, fetch, there, write_json
from proseform.suites import Study, Subject
from proseform.suites.plans import judge, plan, plan_digest
from proseform.task import Task

SUBJECTS = (Subject("base", trained=False), Subject("sft"), Subject("grpo", shipped=True))
"""The variants: the base without training, the evaluator after SFT, and after GRPO, which goes into the bundle."""
SECOND = Subject("second", second=True)
"""Of free prose: the evaluator that goes into the bundle, with a formatter of another seed."""
RECORDED = ("proseform.infer.measure", "proseform.stages.assembly")
"""Modules that records pass through: the worker that generates, and the assembly of bundles."""
JUDGED = frozenset(
    f"proseform.{name}"
    for name in ("reward", "rubric", "stats", "abstention", "injection", "suites.foreign", "suites.strangers")
)
"""Modules that judge records later; records do not pass through them."""
LOADED = frozenset({"proseform.infer.local"})
"""Modules that load models; records that an engine by URL has generated do not pass through them."""
MEASURED = "measured.json"
"""The file that names the sources of a report; see :func:`recompute`."""
_KEY = {
    "evaluator_reward": "reward",
    "lift": "of which GRPO",
    "formatter_exact": "formatter exact",
    "schema_valid": "valid",
}
"""The figures in the run's table, with their titles."""


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
    """Measure the trained models.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        dataset: Holds the held-out cases.
        sft: The evaluator after SFT.
        grpo: The evaluator after GRPO, which goes into the bundle.
        formatter: The formatter.
        measured: Gets the result: ``report.json``, ``report.html``, ``records.parquet``, ``measured.json``.
        shown: Artifacts of KFP's pages, filled on every run, also if the result is adopted.
    """
    knobs, the_task = config.load(run), cache.load_task(task)
    trained = {"sft": sft, "grpo": grpo, "formatter": formatter}
    study = records.study(cache.folder(dataset), the_task, knobs)
    learnt = abstention.learnt(the_task, knobs, dataset)
    generated = _records(the_task, knobs, study, dataset, trained)
    digests = {name: cache.ref(artifact).digest for name, artifact in {"dataset": dataset, **trained}.items()}
    inputs = {
        "records": generated.ref.digest,
        "abstention": "" if learnt is None else learnt.ref.digest,
        "task": [the_task.contract, the_task.data],
        "rubric": [knobs.grpo.rubric, knobs.grpo.accuracy_exponent],
        "run": knobs.name,
        "format": knobs.dataset.format,
        **digests,
    }

    def body(_work: Path, out: Path) -> dict[str, Any]:
        folder = policy.fetched(generated)
        about = json.loads((folder / records.ABOUT).read_text(encoding="utf-8"))
        known = abstention.read(learnt)
        bundle = replace(bundle_of(about["bundle"]), abstention=known).digest
        measurement = {
            "task": the_task.name,
            "run": knobs.model_dump(mode="json", by_alias=True),
            "dataset": str(cache.ref(dataset)),
            "records": str(generated.ref),
            "abstention": None if known is None else asdict(known),
            "meta": {
                "run": knobs.name,
                "format": knobs.dataset.format,
                "machine": about["machine"],
                "digests": {**digests, "records": generated.ref.digest, "bundle": bundle},
            },
            "training": {
                name: [*track.read_metrics(cache.folder(artifact) / "metrics.jsonl")]
                for name, artifact in trained.items()
            },
        }
        write_json(out / MEASURED, measurement)
        written = _report(folder, replace(study, abstention=known), measurement, out)
        figures = {name: figure["value"] for name, figure in written["figures"].items() if figure}
        words = [f"{words} {figures[name]:.2f}" for name, words in _KEY.items() if name in figures]
        if study.split != "test":
            words.append(f"on the split {study.split}")
        left_out = len(about["left_out"])
        if left_out:
            words.append(f"{left_out} cases too long and left out")
        return {"key": ", ".join(words), **figures, "left_out": left_out, "bundle": bundle}

    cache.hand_over(cache.once("evaluate", inputs, body, apart=LOADED.union(RECORDED)), measured)
    if shown is not None:
        shown.fill(cache.folder(measured))


def recompute(folder: Path, out: Path) -> dict[str, Any]:
    """Judge stored records again and write a new report; nothing is generated.

    Where the texts of a user's own were deleted, verdicts and scores are taken over from the report in ``folder``, and
    the new one says so (``meta.note``).

    Args:
        folder: A report's folder, with ``measured.json``.
        out: Gets ``report.json``, ``report.html`` and ``records.parquet``; created if missing.

    Returns:
        The report.

    Raises:
        StoreError: The dataset or the records no longer exist.
        TaskError: The task is not installed.
    """
    path = folder / MEASURED
    if not path.is_file():
        raise StoreError(f"{folder}: no {path.name} here.", hint="Give the folder of a report, as the run printed it.")
    measurement = json.loads(path.read_text(encoding="utf-8"))
    knobs, the_task = config.Run.model_validate(measurement["run"]), tasks.load(measurement["task"])
    fetched = cache.home().root / "fetched"
    study = records.study(fetch(Ref.parse(measurement["dataset"]), fetched), the_task, knobs)
    if measurement.get("abstention"):
        study = replace(study, abstention=Abstention.read(measurement["abstention"]))
    out.mkdir(parents=True, exist_ok=True)
    return _report(fetch(Ref.parse(measurement["records"]), fetched), study, measurement, out, folder / records.RECORDS)


def variants(run: config.Run) -> tuple[Subject, ...]:
    """The variants of a run: those that its own training began with and made.

    A run that begins with weights which were trained elsewhere (``sft.evaluator.start``) has not begun with the base,
    and without a step of GRPO what ``grpo`` hands on is what ``sft`` did.
    """
    if not run.sft.evaluator.start:
        return SUBJECTS
    return tuple(one for one in SUBJECTS if one.shipped or (one.trained and run.grpo.steps))


def _records(
    task: Task, run: config.Run, study: Study, dataset: cache.Artifact, trained: Mapping[str, cache.Artifact]
) -> Result:
    """The texts of all variants, by a worker that is launched as training is (here, or as a job), or by URL."""
    base = policy.base(run, task.name, dataset)
    own = run.formatter.kind == "seq2seq"  # the formatter has a base of its own
    subjects = variants(run)
    formatter_base = policy.base(run, task.name, dataset, "formatter") if own else base
    second = frozen.second(task, run, dataset) if frozen.wanted(task, run) else None
    if second is not None:
        subjects += (SECOND,)
    inputs = {
        "asks": {subject.name: plan_digest(plan(study, subject)) for subject in subjects},
        "task": task.contract,
        "models": {
            "base": base.ref.digest,
            **({"formatter_base": formatter_base.ref.digest} if own else {}),
            **{name: cache.ref(artifact).digest for name, artifact in trained.items()},
        },
        "generation": run.generation.model_dump(mode="json"),
        "max_length": run.model.max_length,
        "dtype": run.model.dtype,
        "format": run.dataset.format,
        "batch": run.evaluate.batch,
        "processes": run.evaluate.processes,
        "own": bool(run.dataset.file),
    }
    if second is not None:
        inputs["second"] = second.ref.digest
    place = cache.home().cluster
    engine = place.evaluate.engine if place is not None and place.evaluate.engine.url else None
    if engine is not None:
        inputs["engine"] = engine.model_dump(mode="json", include={"dialect", "models"})
    apart = JUDGED | LOADED if engine is not None else JUDGED

    def body(work: Path, out: Path) -> dict[str, Any]:
        untrained = policy.Policy(policy.fetched(base), None)
        unshaped = policy.Policy(policy.fetched(formatter_base), None)
        policies = {name: policy.of(artifact) for name, artifact in trained.items()}
        pairs = {
            "base": (untrained, unshaped),
            "sft": (policies["sft"], policies["formatter"]),
            "grpo": (policies["grpo"], policies["formatter"]),
        }
        if second is not None:
            pairs[SECOND.name] = (policies["grpo"], policy.made(second))
        bundles = {
            subject.name: policy.assemble(work / "bundles" / subject.name, task, run, *pairs[subject.name])
            for subject in subjects
        }
        until = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=run.evaluate.retention_days)
        settings = {
            "task": task.name,
            "run": run.model_dump(mode="json", by_alias=True),
            "subjects": [
                {
                    "name": subject.name,
                    "trained": subject.trained,
                    "shipped": subject.shipped,
                    "second": subject.second,
                    "bundle": str(work / "bundles" / subject.name),
                }
                for subject in subjects
            ],
            "delete_after": until.isoformat() if run.dataset.file else "",
            "engine": served.specs(engine, bundles, work / "bundles") if engine is not None else {},
        }
        sources, libraries = {"dataset": str(cache.ref(dataset))}, keys.libraries(RECORDED, apart)
        if engine is not None:
            libraries.pop("torch", None)  # by which ranks wait for one another; here is one
        output = str(work / policy.OUTPUT)
        world, threads = 1 if engine is not None else run.evaluate.processes, run.launch.threads
        job = Job("records", str(work), output, sources, settings, world, threads, libraries)
        policy.work_off("proseform.infer.measure", job, out, here=engine is not None)
        about = json.loads((out / records.ABOUT).read_text(encoding="utf-8"))
        shipped = next(subject.name for subject in SUBJECTS if subject.shipped)
        dated = {"texts": _apart(out), "delete_after": settings["delete_after"]}
        write_json(out / records.ABOUT, {**about, "bundle": bundles[shipped].document, **dated})
        shutil.rmtree(work / "bundles")
        return {"key": f"{about['records']} texts", "records": about["records"]}

    return cache.once("records", inputs, body, roots=RECORDED, apart=apart)


def _apart(results: Path) -> str:
    """Commit the texts of a user's own cases as a separate payload; its reference, empty if there are none."""
    folder = results / records.APART
    if not folder.is_dir():
        return ""
    until = {"delete_after": str(records.delete_after(folder / records.TEXTS))}
    done = cache.home().store.commit(retention.STAGE, digest.of_files(folder), folder, until, 0.0)
    shutil.rmtree(folder)
    return str(done.ref)


def _report(
    folder: Path, study: Study, measurement: Mapping[str, Any], out: Path, before: Path | None = None
) -> dict[str, Any]:
    """Judge the records in a folder, and write the report on them; ``before`` holds them as they were judged once."""
    about = json.loads((folder / records.ABOUT).read_text(encoding="utf-8"))
    texts, study = str(about["texts"]), study.without(about.get("left_out", ()))
    meta, judged = measurement["meta"], _judged(folder, about, study)
    if judged is None:
        on = f" (delete_after {about['delete_after']})" if about.get("delete_after") else ""
        gone = f"The texts of these records were deleted when their time was up{on}"
        if before is None:
            raise StoreError(f"{gone}; they cannot be judged anew.", hint="Measure again: `pipelines run --fresh`.")
        judged = records.read(before)
        meta = {**meta, "note": f"{gone}: verdicts and scores are those of the earlier report, not judged anew."}
    summary = report.summarise(judged, study, meta=meta, metrics=measurement["training"], texts=not texts)
    write_json(out / "report.json", summary)
    (out / "report.html").write_text(report.render(summary), encoding="utf-8")
    records.write(out / records.RECORDS, [outcome.sealed() for outcome in judged] if texts else judged)
    return summary


def _judged(folder: Path, about: Mapping[str, Any], study: Study) -> list[Outcome] | None:
    """The judged records of a folder; None where their texts were deleted."""
    outcomes = records.read(folder / records.RECORDS)
    if about["texts"]:
        ref = Ref.parse(about["texts"])
        if not there(ref):
            return None
        outcomes = records.with_texts(outcomes, fetch(ref, cache.home().root / "fetched") / records.TEXTS)
    return judge(outcomes, study)


@dataclass(frozen=True, slots=True)
class Shown:
    """A report as KFP's pages show one: its artifacts have these shapes.

    Attributes:
        page: Gets the HTML report, a file at its ``path``.
        metrics: Gets the key figures, by ``log_metric(name, number)``.
        confusion: Gets the headline's confusion, by ``log_confusion_matrix(labels, rows)``; empty without a headline.
    """

    page: Any
    metrics: Any
    confusion: Any

    def fill(self, folder: Path) -> None:
        """Show the report in a folder."""
        summary = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        page = Path(self.page.path)
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "report.html", page)
        for name, figure in summary["figures"].items():
            if figure:
                self.metrics.log_metric(name, figure["value"])
        if confusion := summary["confusion"]:
            # KFP draws squares only: the last column, of answers that state no label, becomes a row without gold too.
            square = [*confusion["counts"], [0] * len(confusion["columns"])]
            self.confusion.log_confusion_matrix(confusion["columns"], square)
