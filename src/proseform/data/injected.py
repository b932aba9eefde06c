"""Training cases with text in an input that speaks to the model, of the trained families; their gold stays."""

from __future__ import annotations

import random
from collections.abc import Iterable

from proseform import config
from proseform.case import Case
from proseform.injection import aimed, attacks
from proseform.outcome import headline
from proseform.task import Task


def with_attacks(task: Task, cases: Iterable[Case], dataset: config.Dataset) -> list[Case]:
    """The cases, a share of them attacked; each family alike often.

    Whether a case is attacked, and how, hangs on its id and the seed alone.

    Args:
        task: Its schema says what attacks are after.
        cases: Training cases.
        dataset: Its share and its seed.
    """
    aim, families = aimed(task.schema, headline(task)), attacks.families("trained")
    changed = []
    for case in cases:
        rng = random.Random(f"injected-{dataset.seed}-{case.id}")
        attack = rng.random() < dataset.injected
        changed.append(attacks.attacked(case, rng.choice(families), aim, rng)[0] if attack else case)
    return changed
