"""Samples a few groups as GRPO would, before anything is trained: the same prompts, prefill, temperature and budget.

Left out: GRPO's own random state, so that the completions are not those of its first step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proseform import bundle as bundles
from proseform import config, direct
from proseform import task as tasks
from proseform.case import Case, load_cases
from proseform.errors import RowError, StoreError
from proseform.infer import decode, length, loading, tokens
from proseform.store import Ref, fetch
from proseform.task import Task
from proseform.train import grpo, head, signal, weights
from proseform.train.scorer import Rewards, Scorer
from proseform.train.signal import Group, Signal

_ROWS = 64
"""Completions that are sampled, and scored by the model, at once."""


@dataclass(frozen=True, slots=True)
class Source:
    """The folders of a model.

    Attributes:
        base: A Hugging Face folder, with the tokenizer.
        adapter: A PEFT adapter on it; None where the base is the whole model.
    """

    base: Path
    adapter: Path | None = None


def source(folder: Path, fetched: Path) -> Source:
    """The evaluator in a folder: a payload of sft or grpo, a bundle, or an ordinary model folder.

    Args:
        folder: The folder.
        fetched: Where the base of an adapter is fetched to, if it is not local.

    Raises:
        StoreError: None of these, or the base of an adapter is not there.
    """
    if (folder / bundles.MANIFEST).is_file():
        part = bundles.read(folder, check_files=False).evaluator
        return Source(folder / part.base, folder / part.adapter if part.adapter else None)
    if (folder / weights.MANIFEST).is_file():
        trained, about = folder / weights.WEIGHTS, weights.read_manifest(folder)
        return Source(fetch(Ref.parse(about["base"]), fetched), trained) if about["adapter"] else Source(trained)
    if (folder / "config.json").is_file():
        return Source(folder)
    raise StoreError(
        f"{folder}: no model here.",
        hint="Give a model's folder (config.json), a bundle's (bundle.json), or what sft has written (model.json).",
    )


def ask(model: Source, task: Task, run: config.Run, groups: int, seed: int) -> Signal:
    """Sample groups, score them, and give their figures.

    Args:
        model: Whose completions.
        task: An installed task.
        run: Its ``[grpo]``, ``[generation]``, ``[dataset]`` and ``model.max_length`` are used.
        groups: How many.
        seed: Of the sampling and of the cases.

    Raises:
        ConfigError: An unknown rubric.
        InputError: An unknown format.
        RowError: Most cases are longer than the context, or the run's own file holds none for training.
        StoreError: No model in the folder.
    """
    import torch

    torch.set_num_threads(run.launch.threads)
    knobs, name = run.grpo, grpo.format_of(run)
    task = task.narrowed(name)
    loaded, tokenizer = loading.load_model(model.base, model.adapter, run.model.dtype)
    weights.pad(tokenizer)
    rubric = grpo.rubric_of(task, knobs)
    cases = [direct.asked(case, task, rubric) for case in _cases(task, run, tokenizer, groups, seed)]
    prefill = grpo.prefill_of(task, knobs)
    opening = tokens.continuation(tokenizer, prefill) if prefill else []
    prompts = [[*tokens.encode(tokenizer, grpo.prompt(task, case, knobs)), *opening] for case in cases]
    budget = run.generation.evaluator.max_tokens
    rows = [
        decode.Row(list(ids), budget, knobs.temperature, seed * 1_000_003 + place * knobs.generations + draw)
        for place, ids in enumerate(prompts)
        for draw in range(knobs.generations)
    ]
    entropies = [
        value
        for start in range(0, len(rows), _ROWS)
        for value in _sampled(loaded, tokenizer, rows[start : start + _ROWS])
    ]
    texts = [prefill + str(tokenizer.decode(row.ids, skip_special_tokens=True)) for row in rows]
    lines = [case.to_json() for case in cases for _ in range(knobs.generations)]
    with Scorer(task.name, rubric, format_name=name) as scorer:
        best, scores = Rewards(scorer, rubric).best, scorer.score(texts, lines)
    size = knobs.generations
    return signal.signal(
        [Group(texts[at : at + size], scores[at : at + size]) for at in range(0, len(texts), size)],
        best,
        entropy=sum(entropies) / max(1, len(entropies)),
        tokens=sum(len(row.ids) for row in rows) / len(rows),
        cut=sum(row.finish == "length" for row in rows) / len(rows),
    )


def asked(folder: Path, task: str, run: config.Run, groups: int, seed: int, fetched: Path) -> Signal:
    """:func:`ask` of the model in a folder; see :func:`source`."""
    weights.quiet()
    known = tasks.load(task)
    return ask(source(folder, fetched), known if run.grpo.reward == "json" else known.readable(), run, groups, seed)


def _cases(task: Task, run: config.Run, tokenizer: Any, groups: int, seed: int) -> list[Case]:
    """Training cases that fit the context: of the run's own file, else of its level."""
    if run.dataset.file:
        known = [case for case in load_cases(Path(run.dataset.file).expanduser()) if case.split == "train"]
    else:
        known = list(task.generate(run.dataset.level or task.levels[0], "train", seed, 2 * groups))
    if not known:
        raise RowError(f"{run.dataset.file}: has no case of the split train.")
    return length.fitting(tokenizer, task, known, run.model.max_length, "ask")[:groups]


def _sampled(model: Any, tokenizer: Any, rows: Sequence[decode.Row]) -> list[float]:
    """Complete some rows in place; the entropy at each sampled token, in nats."""
    import torch

    pad = tokenizer.pad_token_id
    decode.run(model, rows, None, pad=pad, stop=loading.stop_ids(model, tokenizer))
    before, behind = (
        max(len(part) for part in parts) for parts in zip(*((r.prompt, r.ids) for r in rows), strict=True)
    )
    if behind == 0:
        return []
    ids = [[pad] * (before - len(r.prompt)) + r.prompt + r.ids + [pad] * (behind - len(r.ids)) for r in rows]
    seen = [[0] * (before - len(r.prompt)) + [1] * len(r.prompt + r.ids) + [0] * (behind - len(r.ids)) for r in rows]
    given = torch.tensor(ids, device=model.device), torch.tensor(seen, device=model.device)
    with torch.inference_mode():
        _, spread = head.log_probabilities(model, *given, behind, rows[0].temperature, entropy=True)
    assert spread is not None  # asked for
    return [float(value) for row, values in zip(rows, spread, strict=True) for value in values[: len(row.ids)]]
