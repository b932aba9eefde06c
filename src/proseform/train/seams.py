"""What GRPO's trainer is given beside TRL's own arguments, and how its state is kept with a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proseform import store
from proseform.case import Case
from proseform.train.methods import Methods
from proseform.train.prompts import Asked, Source
from proseform.train.recorder import Recorder
from proseform.train.scorer import Rewards
from proseform.train.stopping import StopRule

STATE = "proseform.json"
"""The file of a checkpoint that holds the states of source, methods and stop rule."""


@dataclass(frozen=True, slots=True)
class Seams:
    """What the trainer is given beside TRL's own.

    Attributes:
        source: Gives the prompts.
        methods: Ask more of it, and choose what is trained on.
        rule: Says when to stop.
        rewards: Score the completions.
        ask: A case to what the policy is asked.
        prefill: The beginning of every completion, given.
        recorder: Keeps the rollouts; None where they are not to be kept.
    """

    source: Source
    methods: Methods
    rule: StopRule
    rewards: Rewards
    ask: Callable[[Case], Asked]
    prefill: str
    recorder: Recorder | None = None

    def load(self, checkpoint: Path) -> None:
        """Restore the state from a checkpoint."""
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        self.source.load(state["source"])
        self.methods.load(state["methods"])
        self.rule.load(state["rule"])

    def save(self, checkpoint: Path) -> None:
        """Write the state that a resumed run needs."""
        parts: dict[str, Any] = {"source": self.source, "methods": self.methods, "rule": self.rule}
        store.write_json(checkpoint / STATE, {name: part.state() for name, part in parts.items()})
