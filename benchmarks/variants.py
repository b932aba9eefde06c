"""The variants base, SFT and GRPO over seeds, and clean SFT at equal compute: `python -m benchmarks.variants`.

One dataset and one formatter; each seed has its own initial weights, order and sampling. Everything goes through the
stages, so that an interrupted run goes on and results of `make demo` are adopted. Writes docs/results/<run>.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from proseform import config
from proseform.machine import machine
from proseform.stages import cache, dataset, evaluate, grpo, sft
from proseform.stats import Estimate

Report = dict[str, Any]
SCORES = {
    "reward": "reward",
    "complete": "complete",
    "whole_right": "wholly right",
    "headline_right": "",
}
"""Scores in the words of the page; the last is right in the field that is the report's headline."""


class Timed(cache.Slot):
    """An artifact that knows how long its stage took."""

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
    chosen = options.parse_args()
    base = config.load(chosen.run)
    data, formatter = Timed(), Timed()
    dataset.run(chosen.task, chosen.run, data)
    sft.run(chosen.task, chosen.run, "formatter", data, formatter)
    rows, times = [], {"dataset": data.seconds(), "sft-formatter": formatter.seconds()}
    for seed in range(chosen.seeds):
        report, took = _seed(chosen.task, seeded(chosen.run, base, seed), data, formatter)
        rows.append(report)
        times |= took if seed == 0 else {}
        print(_line(seed, report), flush=True)
    extra = round(base.sft.evaluator.steps * times["grpo"] / times["sft-evaluator"])
    clean = _clean(chosen.task, chosen.run, base, extra, formatter) if chosen.clean else None
    page = _page(chosen.task, base, rows, clean, extra, times) + (f"\n{chosen.note}\n" if chosen.note else "")
    out = chosen.out or Path("docs/results") / f"{base.name}.md"
    out.write_text(page)
    print(page)


def seeded(run: str, base: config.Run, seed: int) -> str:
    """The run with another seed of the evaluator, as TOML text; lines of dotted keys may follow."""
    tiny = f"model.tiny.seed = {seed}\n" if base.model.source == "tiny" else ""
    return f'extends = "{run}"\n{tiny}sft.evaluator.seed = {seed}\ngrpo.seed = {seed}\n'


def _seed(task: str, run: str, data: Timed, formatter: Timed) -> tuple[Report, dict[str, float]]:
    """One seed: SFT, GRPO, and the report on both."""
    imitator, evaluator, measured = Timed(), Timed(), Timed()
    sft.run(task, run, "evaluator", data, imitator)
    grpo.run(task, run, data, imitator, evaluator)
    evaluate.run(task, run, data, imitator, evaluator, formatter, measured)
    took = {"sft-evaluator": imitator.seconds(), "grpo": evaluator.seconds(), "evaluate": measured.seconds()}
    return _report(measured), took


def _clean(task: str, run: str, base: config.Run, extra: int, formatter: Timed) -> Report:
    """SFT on clean annotations, with GRPO's compute spent on more steps of it."""
    steps = base.sft.evaluator.steps + extra
    text = f'extends = "{run}"\n[dataset]\nannotations = "clean"\n[sft.evaluator]\nsteps = {steps}\n'
    data, policy, measured = Timed(), Timed(), Timed()
    dataset.run(task, text, data)
    sft.run(task, text, "evaluator", data, policy)
    evaluate.run(task, text, data, policy, policy, formatter, measured)
    return _report(measured)


def _report(measured: Timed) -> Report:
    """The report behind an artifact."""
    report: Report = json.loads((cache.folder(measured) / "report.json").read_text())
    return report


def _variant(report: Report, variant: str) -> Report:
    """One variant of the evaluator."""
    figures: Report = next(row for row in report["variants"] if row["variant"] == variant)
    return figures


def _figure(estimate: dict[str, Any] | None) -> str:
    """A figure with its interval."""
    return "n/a" if estimate is None else str(Estimate(**estimate))


def _line(seed: int, report: Report) -> str:
    """One seed in one line."""
    before, after = _variant(report, "sft"), _variant(report, "grpo")
    return (
        f"seed {seed}: sampled reward {before['sampled']['reward']['value']:.3f} → "
        f"{after['sampled']['reward']['value']:.3f}, "
        f"greedy {before['greedy']['reward']['value']:.3f} → {after['greedy']['reward']['value']:.3f}, "
        f"lift {_figure(report['figures']['lift'])}"
    )


def _page(
    task: str, base: config.Run, rows: list[Report], clean: Report | None, extra: int, times: dict[str, float]
) -> str:
    """The page of results."""
    of = "" if task == "cv" else f"--task {task} "
    level = f" of level `{base.dataset.level}`" if base.dataset.level else ""
    command = f"python -m benchmarks.variants {of}--run {base.name} --seeds {len(rows)}{'' if clean else ' --no-clean'}"
    lines = [
        f"# Results of the run `{base.name}`",
        "",
        f"Printed by `{command}` on {machine()}.",
        f"{base.evaluate.cases} held-out cases{level}, seed {base.dataset.test_seed}, "
        f"greedy and {base.evaluate.samples} samples each at temperature {base.grpo.temperature:g}; "
        "95 % intervals by case, whose coverage is in [coverage.md](coverage.md).",
        *_lifts(rows),
        *_variants(rows, clean, extra),
        *_ends(rows[0]),
        *_unread(rows[0]),
        *_formatter(rows[0]),
        *_fields(rows[0]),
        *_levels(rows[0]),
    ]
    taken = [(stage, f"{seconds:.0f}") for stage, seconds in {**times, "in all": sum(times.values())}.items()]
    lines += _table("Stage times (seed 0)", ("stage", "seconds"), taken)
    return "\n".join(lines) + "\n"


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A section of one table."""
    lines = ["", f"## {title}", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _lifts(rows: list[Report]) -> list[str]:
    """What GRPO adds, seed by seed, paired by case."""
    columns = ("seed", "lift of the sampled reward", "SFT sampled", "GRPO sampled", "SFT greedy", "GRPO greedy")
    cells = [
        (
            str(seed),
            _figure(report["figures"]["lift"]),
            *(
                _figure(_variant(report, name)[mode]["reward"])
                for mode in ("sampled", "greedy")
                for name in ("sft", "grpo")
            ),
        )
        for seed, report in enumerate(rows)
    ]
    lifted = sum(report["figures"]["lift"]["low"] > 0 for report in rows)
    words = f"Lifted with the whole interval above 0: **{lifted} of {len(rows)} seeds**."
    return [*_table("What GRPO adds, seed by seed", columns, cells), "", words]


def _variants(rows: list[Report], clean: Report | None, extra: int) -> list[str]:
    """Every variant by decoding, over seeds."""
    cells = []
    for mode, variant in itertools.product(("greedy", "sampled"), [row["variant"] for row in rows[0]["variants"]]):
        estimates = [[_variant(report, variant)[mode][name] for report in rows] for name in SCORES]
        if any(map(any, estimates)):
            cells.append((variant, mode, *map(_spread, estimates)))
    for mode in ("greedy", "sampled") if clean else ():
        figures = [_figure(_variant(clean, "sft")[mode][name]) for name in SCORES]
        cells.append((f"clean SFT, {extra} more steps (equal compute), seed 0", mode, *figures))
    words = "Means over seeds, with the lowest and the highest seed"
    words += "; clean SFT with the interval of its one seed." if clean else "."
    columns = ("variant", "decoding", *(name or _headline(rows[0]) for name in SCORES.values()))
    return [*_table("The variants", columns, cells), "", words]


def _ends(report: Report) -> list[str]:
    """JSON, end to end."""
    cells = [
        (variant, decoding, *(_figure(figures[name]) for name in ("ok", "whole_right", "headline_right")))
        for variant, decodings in report["answers"].items()
        for decoding, figures in decodings.items()
        if figures["ok"]
    ]
    columns = ("variant", "decoding", "valid", "wholly right", _headline(report))
    return _table("JSON, end to end (seed 0)", columns, cells)


def _unread(report: Report) -> list[str]:
    """What is earned without reading an input, and by chance."""
    blind = report["blind"]
    columns = ("answered by", "reward", "wholly right", _headline(report))
    cells = [
        (row["how"], *(_figure(row[name]) for name in ("reward", "whole_right", "headline_right")))
        for row in blind["rows"]
    ]
    if chance := blind["chance"]:
        cells.append((f"chance: always `{chance['label']}`", "n/a", "n/a", _figure(chance["right"])))
    return _table("Without reading, and by chance (seed 0)", columns, cells)


def _formatter(report: Report) -> list[str]:
    """The formatter by itself."""
    cells = [
        (
            row["of"],
            "constrained" if row["constrained"] else "free",
            *(_figure(row[name]) for name in ("ok", "exact", "share")),
        )
        for row in report["formatter"]
    ]
    return _table("The formatter", ("prose", "decoding", "valid", "exact", "share of content"), cells)


def _fields(report: Report) -> list[str]:
    """Right, field by field."""
    columns = ("field", "the evaluator's prose", "the answer", "the formatter on gold prose")
    cells = [
        (row["field"], *(_figure(row[name]) for name in ("prose", "answer", "formatter"))) for row in report["fields"]
    ]
    return _table("Field by field, end to end (seed 0)", columns, cells)


def _levels(report: Report) -> list[str]:
    """Levels that were not trained on."""
    columns = ("level", "reward", "wholly right", _headline(report), "valid JSON")
    cells = [
        (
            row["level"],
            *(_figure(row["greedy"][name]) for name in ("reward", "whole_right", "headline_right")),
            _figure(row["constrained"]["ok"]),
        )
        for row in report["levels"]
    ]
    return _table("Other levels (seed 0, not trained on)", columns, cells) if cells else []


def _headline(report: Report) -> str:
    """That the field is right which people read first."""
    return f"{report['meta']['headline'] or 'headline'} right"


def _spread(estimates: list[dict[str, Any] | None]) -> str:
    """The mean over seeds, with the lowest and the highest."""
    values = [estimate["value"] for estimate in estimates if estimate]
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})" if values else "n/a"


if __name__ == "__main__":
    main()
