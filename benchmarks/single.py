"""Two models or one: prose and a formatter, beside a model that writes the JSON itself: `python -m benchmarks.single`.

Both ways learn from the same cases and the same careless annotators, in as many steps: what the hybrid spends on
evaluator and formatter, the single model spends on JSON (the annotators' own, the unreadable ones left out), and as
many of GRPO come after, by the gated reward. Everything goes through the stages, so that an interrupted run goes on and
the results of `make demo` are adopted. Measured on the same held-out cases, the first try of each: free, and held to
the schema's grammar; seconds of a case asked alone, weights on disk. Writes docs/results/single.md.

Left out: SmolLM2, whose SFT takes hours on two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.variants import seeded
from proseform import closure, config, jsonl
from proseform import task as tasks
from proseform.case import Case, load_cases
from proseform.infer import Completion, Engine, Request, ask
from proseform.infer.local import LocalEngine
from proseform.leaves import picked
from proseform.machine import machine
from proseform.outcome import Outcome, headline, judged_json
from proseform.schema import Schema
from proseform.stages import cache, dataset, grpo, policy, sft
from proseform.stages.assembly import assemble
from proseform.stats import proportion
from proseform.store import link
from proseform.task import Task
from proseform.train import grpo as direct

HYBRID, SINGLE, UNTUNED = "prose and formatter", "one model", "one model, SFT alone"
SCORES = {"ok": "valid", "whole_right": "wholly right", "headline_right": "recommendation right"}
"""Scores in the words of the page; all are shares of all cases."""
ALONE = 50
"""Cases that are asked one by one, for the time that an answer takes."""


@dataclass
class Way:
    """What one way gave, over seeds.

    Attributes:
        scores: Each score's values over all cases and seeds.
        seconds: Of the stages of each answer that was asked for alone.
        weights: Bytes on disk, of distinct files.
    """

    scores: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: list[tuple[float, ...]] = field(default_factory=list)
    weights: int = 0


def main() -> None:
    """Train what is not there yet, measure, print, and write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--task", default="cv")
    options.add_argument("--run", default="small")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--cases", type=int, default=500)
    options.add_argument("--out", type=Path, default=Path("docs/results/single.md"))
    chosen = options.parse_args()
    base, task = config.load(chosen.run), tasks.load(chosen.task)
    data, rows, formatter = cache.Slot(), cache.Slot(), cache.Slot()
    dataset.run(task.name, chosen.run, data)
    sft.run(task.name, chosen.run, "formatter", data, formatter)
    left_out = _asking_for_json(task, single_run(chosen.run, base, 0), data, rows)
    cases = load_cases(cache.folder(data) / "cases-test.jsonl", chosen.cases)
    ways: dict[tuple[str, str], Way] = defaultdict(Way)
    for seed in range(chosen.seeds):
        hybrid, one = seeded(chosen.run, base, seed), single_run(chosen.run, base, seed)
        evaluator, direct_sft, direct_grpo = cache.Slot(), cache.Slot(), cache.Slot()
        _trained(task, hybrid, data, cache.Slot(), evaluator)
        _trained(task, one, rows, direct_sft, direct_grpo)
        for name, run, parts in (
            (HYBRID, hybrid, (evaluator, formatter)),
            (UNTUNED, one, (direct_sft, direct_sft)),
            (SINGLE, one, (direct_grpo, direct_grpo)),
        ):
            for decoding, way in _measured(task, config.load(run), name, parts, cases):
                _add(ways[name, decoding], way)
        print(f"seed {seed} is measured", flush=True)
    page = _page(chosen, base, ways, len(cases), left_out)
    chosen.out.write_text(page, encoding="utf-8")
    print(page)


def single_run(run: str, base: config.Run, seed: int) -> str:
    """The run of the single model: all steps of SFT in one, GRPO on JSON, and a formatter's budget of tokens."""
    steps = base.sft.evaluator.steps + base.sft.formatter.steps
    return (
        f'{seeded(run, base, seed)}sft.evaluator.steps = {steps}\ngrpo.reward = "json"\n'
        f"generation.evaluator.max_tokens = {base.generation.formatter.max_tokens}\n"
    )


def _asking_for_json(task: Task, run: str, data: cache.Artifact, into: cache.Artifact) -> int:
    """A dataset whose evaluator is asked for JSON, and writes what careless annotators meant.

    Returns:
        Rows whose annotation states no whole answer, which are left out.
    """
    knobs = config.load(run)
    seen = task.narrowed(direct.format_of(knobs))

    def body(_work: Path, out: Path) -> dict[str, Any]:
        source, left_out = cache.folder(data), 0
        shutil.copytree(
            source, out, dirs_exist_ok=True, copy_function=link, ignore=shutil.ignore_patterns("result.json")
        )
        for split in ("train", "valid"):
            cases = {case.id: case for case in load_cases(source / f"cases-{split}.jsonl")}
            lines = []
            for row in jsonl.rows(source / f"evaluator-{split}.jsonl"):
                case = cases[row["id"]]
                verdict = task.read(row["completion"], case.inputs)
                if not verdict.ok:
                    left_out += 1
                    continue
                meant = picked(verdict.value, seen.schema.fields)
                prompt = direct.prompt(seen, case, knobs.grpo).to_json()
                lines.append({"id": case.id, "prompt": prompt, "completion": json.dumps(meant, ensure_ascii=False)})
            path = out / f"evaluator-{split}.jsonl"
            path.unlink()
            path.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines), encoding="utf-8")
        return {"left_out": left_out}

    inputs = {
        "dataset": cache.ref(data).digest,
        "format": knobs.dataset.format,
        "task": task.contract,
        "benchmark": closure.of_file(Path(__file__)),
    }
    done = cache.once("dataset-json", inputs, body, roots=["proseform.train.grpo"])
    cache.hand_over(done, into)
    return int(done.figures["left_out"])


def _trained(task: Task, run: str, data: cache.Artifact, imitator: cache.Artifact, evaluator: cache.Artifact) -> None:
    """SFT, and GRPO after it."""
    sft.run(task.name, run, "evaluator", data, imitator)
    grpo.run(task.name, run, data, imitator, evaluator)


def _measured(
    task: Task, run: config.Run, name: str, parts: Sequence[cache.Artifact], cases: Sequence[Case]
) -> Iterator[tuple[str, Way]]:
    """What a way gives, free and held to the grammar."""
    folder = cache.home().root / "work" / "single" / f"{name.replace(' ', '-')}-{run.grpo.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    bundle = assemble(folder, task, run, *map(policy.of, parts))
    engine = LocalEngine(folder, check_files=False, batch=run.evaluate.batch)
    asked = _hybrid if name == HYBRID else _single
    schema, head = Schema(bundle.schema), headline(task)
    weights = sum(path.stat().st_size for path in {*_weights(folder)})
    for decoding in ("free", "constrained"):
        held = decoding == "constrained"
        given = asyncio.run(asked(engine, task, run, cases, held))
        alone = [asyncio.run(asked(engine, task, run, [case], held))[0] for case in cases[:ALONE]]
        way = Way(seconds=[tuple(one.seconds for one in steps) for steps in alone], weights=weights)
        for case, steps in zip(cases, given, strict=True):
            record = Outcome("single", name, decoding, case.id, texts={"text": steps[-1].text})
            for score, value in judged_json(record, schema, case.answer, head).scores.items():
                way.scores[score].append(float(value or 0.0))
        yield decoding, way
    asyncio.run(engine.close())


async def _hybrid(
    engine: Engine, _task: Task, _run: config.Run, cases: Sequence[Case], held: bool
) -> list[tuple[Completion, ...]]:
    """Evaluations and the JSON of each; the evaluator is never held to anything."""
    bundle = engine.bundle
    schema = Schema(bundle.schema)
    prose = await _all(engine, [ask(bundle, "evaluator", case.inputs) for case in cases])
    values = [{"prose": one.text, "schema": bundle.formatter.prompt.shown(schema)} for one in prose]
    grammar = schema.grammar if held else None
    documents = await _all(engine, [ask(bundle, "formatter", value, schema=grammar) for value in values])
    return list(zip(prose, documents, strict=True))


async def _single(
    engine: Engine, task: Task, run: config.Run, cases: Sequence[Case], held: bool
) -> list[tuple[Completion, ...]]:
    """The JSON of each case, asked for as in training."""
    schema = Schema(engine.bundle.schema).grammar if held else None
    seen, budget = task.narrowed(direct.format_of(run)), engine.bundle.evaluator.generation.max_tokens
    requests = [
        Request("evaluator", direct.prompt(seen, case, run.grpo), schema=schema, max_tokens=budget) for case in cases
    ]
    return [(one,) for one in await _all(engine, requests)]


async def _all(engine: Engine, requests: Sequence[Request]) -> list[Completion]:
    """A completion of each request; a refusal, such as of a prompt that is too long, counts as nothing written."""
    outcomes = await engine.complete_all(requests)
    return [one if isinstance(one, Completion) else Completion("", "stop", 0, 0.0) for one in outcomes]


def _weights(folder: Path) -> Iterator[Path]:
    """The files of a bundle's weights; equal ones stand once in it."""
    seen = set()
    for path in sorted(folder.rglob("*.safetensors")):
        about = path.stat()
        if (about.st_dev, about.st_ino) not in seen:
            seen.add((about.st_dev, about.st_ino))
            yield path


def _add(to: Way, way: Way) -> None:
    """Another seed's."""
    for score, values in way.scores.items():
        to.scores[score] += values
    to.seconds += way.seconds
    to.weights = way.weights


def _page(
    chosen: argparse.Namespace, base: config.Run, ways: Mapping[tuple[str, str], Way], cases: int, left_out: int
) -> str:
    """The page of results."""
    steps = base.sft.evaluator.steps + base.sft.formatter.steps
    out = [
        "# Two models or one",
        "",
        f"Printed by `python -m benchmarks.single --run {chosen.run} --seeds {chosen.seeds} --cases {chosen.cases}` on "
        f"{machine()}. {cases} held-out cases of level `{base.dataset.level}` and {chosen.seeds} seeds; the first try "
        "of each, greedy; 95 % intervals over cases.",
        "",
        f"*{HYBRID}*: SFT of an evaluator ({base.sft.evaluator.steps} steps) and of a formatter "
        f"({base.sft.formatter.steps}), and {base.grpo.steps} steps of GRPO on prose by the rubric. *{SINGLE}*: "
        f"{steps} steps of SFT on the JSON that the same careless annotators meant, and {base.grpo.steps} of GRPO on "
        f"JSON by the gated reward. {left_out} annotations that state no whole answer are left out of the JSON rows.",
        "",
        f"| way | decoding | {' | '.join(SCORES.values())} | leaves right | ms a case: evaluator | formatter | "
        "weights, MB |",
        "|---" * (len(SCORES) + 6) + "|",
    ]
    for (name, decoding), way in ways.items():
        shares = [_share(way.scores[score]) for score in SCORES]
        leaves = sum(way.scores["share"]) / len(way.scores["share"])
        first, *rest = [median(column) for column in zip(*way.seconds, strict=True)]
        times = [f"{first * 1000:.0f}", f"{rest[0] * 1000:.0f}" if rest else "none"]
        out.append(
            f"| {name} | {decoding} | {' | '.join(shares)} | {leaves:.3f} | {' | '.join(times)} | "
            f"{way.weights / 1e6:.1f} |"
        )
    out += ["", f"Milliseconds are medians of {ALONE} cases a seed, asked one by one in process.", ""]
    return "\n".join(out)


def _share(values: Sequence[float]) -> str:
    """A share with its interval."""
    return str(proportion(round(sum(values)), len(values)))


if __name__ == "__main__":
    main()
