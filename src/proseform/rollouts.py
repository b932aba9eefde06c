"""Rollouts on disk: what GRPO sampled and what it earned, a row a completion, in Parquet.

The file says which task, rubric and dataset they belong to, so that they can be scored again by another reward. A
rollout holds the id of its case, and its case's content is in the dataset. Rollouts on cases of a user's own are not
kept: they are texts about people, and would outlive the date on which those are deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from proseform.errors import StoreError
from proseform.rubric import Rubric

FILE = "rollouts.parquet"
_ABOUT = b"proseform.rollouts"
_SCHEMA = pa.schema(
    [
        *((name, pa.int64()) for name in ("step", "group", "place", "tokens")),
        *((name, pa.string()) for name in ("case", "text", "fault")),
        ("reward", pa.float64()),
        ("trained", pa.bool_()),
        ("terms", pa.map_(pa.string(), pa.float64())),
    ]
)


@dataclass(frozen=True, slots=True)
class About:
    """What rollouts belong to.

    Attributes:
        task: The task's name.
        rubric: The rubric in force; None where JSON was rewarded.
        dataset: The reference of the dataset whose training cases were asked.
        generations: Completions of each prompt: a group.
        format_name: The named format of JSON that was rewarded; empty for prose, and for the whole schema.
    """

    task: str
    rubric: Rubric | None
    dataset: str
    generations: int
    format_name: str = ""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One completion.

    Attributes:
        step: Optimiser step, from 1.
        group: Its group within the step, from 0; a prompt that is asked again has another.
        place: Its place within the step, from 0.
        tokens: Of the completion, prefill not counted.
        case: The case's id.
        text: The completion, prefill included.
        fault: Why the reward could not score it; empty where it could.
        reward: What it earned; None where there is a fault.
        terms: Raw score of each term; empty where there is a fault.
        trained: Whether the step was trained on it; false where a method of ``grpo.signal`` discarded it.
    """

    step: int
    group: int
    place: int
    tokens: int
    case: str
    text: str
    fault: str
    reward: float | None
    terms: Mapping[str, float]
    trained: bool = True

    def to_json(self) -> str:
        """One line of ASCII JSON."""
        return json.dumps(asdict(self))


def write(path: Path, rollouts: Iterable[Rollout], about: About) -> None:
    """Write rollouts in the order of their steps and places; equal rollouts give equal bytes."""
    rows = [asdict(one) for one in sorted(rollouts, key=lambda one: (one.step, one.place))]
    columns = [{**row, "terms": list(row["terms"].items())} for row in rows]
    schema = _SCHEMA.with_metadata({_ABOUT: json.dumps(asdict(about)).encode()})
    pq.write_table(pa.Table.from_pylist(columns, schema=schema), path, compression="zstd")


def read(path: Path) -> tuple[About, list[Rollout]]:
    """What :func:`write` wrote.

    Raises:
        StoreError: No such file, or no rollouts.
    """
    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[_ABOUT])
    except (FileNotFoundError, pa.ArrowInvalid, KeyError) as error:
        raise StoreError(f"{path}: no rollouts can be read from here.", hint="GRPO writes rollouts.parquet.") from error
    rows: list[dict[str, Any]] = table.to_pylist()
    rubric = None if about["rubric"] is None else Rubric(**about["rubric"])
    return About(**{**about, "rubric": rubric}), [Rollout(**{**row, "terms": dict(row["terms"])}) for row in rows]
