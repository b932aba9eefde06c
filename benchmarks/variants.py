"""The variants base → SFT → GRPO over seeds, with clean SFT at equal compute beside it: `python -m benchmarks.variants`.

One dataset and one formatter; for each seed its own initial weights, order and sampling. Everything goes through the
stages, so a run that was cut short goes on, and what a demo has made is adopted. Writes docs/results/<run>.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proseform import config
from proseform.machine import machine
from proseform.stages import cache, dataset, evaluate, grpo, sft

Report = dict[str, Any]


@dataclass
class Made:
    """An artifact outside KFP."""

    uri: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)

    def seconds(self) -> float:
        """How long the stage took when it ran."""
        return float(json.loads((cache.folder(self) / "result.json").read_text())["seconds"])


def main() -> None:
    """Measure, print, and write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--task", default="cv")
    options.add_argument("--run", default="small")
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument(
        "--clean", action=argparse.BooleanOptionalAction, default=True, help="clean SFT at equal compute beside it"
    )
    options.add_argument("--note", default="", help="a sentence for the page, such as what ran beside it")
    options.add_argument("--out", type=Path, help="default: docs/results/<run>.md")
    given = options.parse_args()
    base = config.load(given.run)
    data, formatter = Made(), Made()
    dataset.run(given.task, given.run, data)
    sft.run(given.task, given.run, "formatter", data, formatter)
    rows, times = [], {"dataset": data.seconds(), "sft-formatter": formatter.seconds()}
    for seed in range(given.seeds):
        report, took = _seed(given.task, _variant(given.run, base, seed), data, formatter)
        rows.append(report)
        times |= took if seed == 0 else {}
        print(_line(seed, report), flush=True)
    extra = round(base.sft.evaluator.steps * times["grpo"] / times["sft-evaluator"])
    clean = _clean(given.task, given.run, base, extra, formatter) if given.clean else None
    page = _page(base, rows, clean, extra, times) + (f"\n{given.note}\n" if given.note else "")
    out = given.out or Path("docs/results") / f"{base.name}.md"
    out.write_text(page)
    print(page)


def _variant(run: str, base: config.Run, seed: int, extra: str = "") -> str:
    """The run with another seed, as TOML text."""
    tiny = f"[model.tiny]\nseed = {seed}\n" if base.model.source == "tiny" else ""
    return f'extends = "{run}"\n{extra}{tiny}[sft.evaluator]\nseed = {seed}\n[grpo]\nseed = {seed}\n'


def _seed(task: str, run: str, data: Made, formatter: Made) -> tuple[Report, dict[str, float]]:
    """One seed: SFT, GRPO, and the report on both."""
    imitator, evaluator, measured = Made(), Made(), Made()
    sft.run(task, run, "evaluator", data, imitator)
    grpo.run(task, run, data, imitator, evaluator)
    evaluate.run(task, run, data, imitator, evaluator, formatter, measured)
    took = {"sft-evaluator": imitator.seconds(), "grpo": evaluator.seconds(), "evaluate": measured.seconds()}
    return _report(measured), took


def _clean(task: str, run: str, base: config.Run, extra: int, formatter: Made) -> Report:
    """SFT on clean annotations, with GRPO's compute spent on more steps of it."""
    steps = base.sft.evaluator.steps + extra
    text = f'extends = "{run}"\n[dataset]\nannotations = "clean"\n[sft.evaluator]\nsteps = {steps}\n'
    data, policy, measured = Made(), Made(), Made()
    dataset.run(task, text, data)
    sft.run(task, text, "evaluator", data, policy)
    evaluate.run(task, text, data, policy, policy, formatter, measured)
    return _report(measured)


def _report(measured: Made) -> Report:
    """The report behind an artifact."""
    found: Report = json.loads((cache.folder(measured) / "report.json").read_text())
    return found


def _variant(report: Report, variant: str) -> Report:
    """One variant of the evaluator."""
    found: Report = next(row for row in report["variants"] if row["variant"] == variant)
    return found


def _figure(estimate: dict[str, Any] | None) -> str:
    """A figure with its interval."""
    return "n/a" if estimate is None else f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def _line(seed: int, report: Report) -> str:
    """One seed in one line."""
    before, after = _variant(report, "sft"), _variant(report, "grpo")
    return (
        f"seed {seed}: sampled reward {before['sampled']['reward']['value']:.3f} → {after['sampled']['reward']['value']:.3f}, "
        f"greedy {before['greedy']['reward']['value']:.3f} → {after['greedy']['reward']['value']:.3f}, "
        f"lift {_figure(report['figures']['lift'])}"
    )


def _page(base: config.Run, rows: list[Report], clean: Report | None, extra: int, times: dict[str, float]) -> str:
    """The page of results."""
    names = (
        ("reward", "reward"),
        ("complete", "complete"),
        ("whole_right", "wholly right"),
        ("headline_right", "recommendation right"),
    )
    command = f"python -m benchmarks.variants --run {base.name} --seeds {len(rows)}{'' if clean else ' --no-clean'}"
    lines = [
        f"# Results of the run `{base.name}`", "",
        f"Printed by `{command}` on {machine()}.",
        f"{base.evaluate.cases} held-out cases of level `{base.dataset.level}`, greedy and {base.evaluate.samples} samples each at "
        f"temperature {base.grpo.temperature:g}; 95 % intervals by case.", "",
        "## What GRPO adds, seed by seed", "",
        "| seed | lift of the sampled reward | SFT sampled | GRPO sampled | SFT greedy | GRPO greedy |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for seed, report in enumerate(rows):
        before, after = _variant(report, "sft"), _variant(report, "grpo")
        cells = (
            report["figures"]["lift"],
            before["sampled"]["reward"],
            after["sampled"]["reward"],
            before["greedy"]["reward"],
            after["greedy"]["reward"],
        )
        lines.append(f"| {seed} | {' | '.join(map(_figure, cells))} |")
    lifted = sum(report["figures"]["lift"]["low"] > 0 for report in rows)
    lines += [
        "",
        f"Lifted with the whole interval above 0: **{lifted} of {len(rows)} seeds**.",
        "",
        "## The variants",
        "",
    ]
    lines += [
        "| variant | decoding | " + " | ".join(words for _, words in names) + " |",
        "|---|---|" + "---|" * len(names),
    ]
    for variant, mode in (
        ("base", "greedy"),
        ("sft", "greedy"),
        ("grpo", "greedy"),
        ("sft", "sampled"),
        ("grpo", "sampled"),
    ):
        cells = [_spread([_variant(report, variant)[mode][name] for report in rows]) for name, _ in names]
        lines.append(f"| {variant} | {mode} | {' | '.join(cells)} |")
    for mode in ("greedy", "sampled") if clean else ():
        cells = [_figure(_variant(clean, "sft")[mode][name]) for name, _ in names]
        lines.append(f"| clean SFT, {extra} more steps (equal compute), seed 0 | {mode} | {' | '.join(cells)} |")
    lines += [
        "",
        "Means over seeds, with the lowest and the highest seed"
        + ("; clean SFT with the interval of its one seed." if clean else "."),
    ]
    lines += [
        "",
        "## JSON, end to end (seed 0)",
        "",
        "| variant | decoding | valid | wholly right | recommendation right |",
        "|---|---|---|---|---|",
    ]
    for row in rows[0]["variants"]:
        for decoding in ("free", "constrained"):
            cells = [row[decoding][name] for name in ("ok", "whole_right", "headline_right")]
            if any(cells):
                lines.append(f"| {row['variant']} | {decoding} | {' | '.join(map(_figure, cells))} |")
    lines += [
        "",
        "## The formatter",
        "",
        "| prose | decoding | valid | exact | share of content |",
        "|---|---|---|---|---|",
    ]
    for row in rows[0]["formatter"]:
        decoding = "constrained" if row["constrained"] else "free"
        lines.append(
            f"| {row['of']} | {decoding} | {_figure(row['ok'])} | {_figure(row['exact'])} | {_figure(row['share'])} |"
        )
    lines += [
        "",
        "## Field by field, end to end (seed 0)",
        "",
        "| field | the evaluator's prose | the answer | the formatter on gold prose |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['field']} | {_figure(row['prose'])} | {_figure(row['answer'])} | {_figure(row['formatter'])} |"
        for row in rows[0]["fields"]
    ]
    if len(rows[0]["levels"]) > 1:
        lines += [
            "",
            "## Harder levels (seed 0, not trained on)",
            "",
            "| level | reward | wholly right | recommendation right | valid JSON |",
            "|---|---|---|---|---|",
        ]
        for row in rows[0]["levels"]:
            cells = (
                *(row["greedy"][name] for name in ("reward", "whole_right", "headline_right")),
                row["constrained"]["ok"],
            )
            lines.append(f"| {row['level']} | {' | '.join(map(_figure, cells))} |")
    lines += ["", "## Stage times (seed 0)", "", "| stage | seconds |", "|---|---|"]
    lines += [f"| {stage} | {seconds:.0f} |" for stage, seconds in {**times, "in all": sum(times.values())}.items()]
    return "\n".join(lines) + "\n"


def _spread(estimates: list[dict[str, Any] | None]) -> str:
    """The mean over seeds, with the lowest and the highest."""
    values = [estimate["value"] for estimate in estimates if estimate]
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})" if values else "n/a"


if __name__ == "__main__":
    main()
