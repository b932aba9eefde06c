"""What a bundle knows of the cases that it may answer, and how that is calibrated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proseform.abstention.kind import DECIMALS, Kind
from proseform.verdict import Why


@dataclass(frozen=True, slots=True)
class Strange:
    """Why a case is not answered.

    Attributes:
        input: The input for which it is not.
        why: In which way it lies beyond the bound, or contradicts itself.
        distance: How far it lies from the training cases, in standard deviations; 0 where that is not why.
    """

    input: str
    why: Why
    distance: float = 0.0

    @property
    def foreign(self) -> bool:
        """Whether the input lies beyond the bound; else it contradicts itself."""
        return self.why != "contradictory_dates"

    def __str__(self) -> str:
        """``letter: unknown_words``."""
        return f"{self.input}: {self.why}"


@dataclass(frozen=True)
class Abstention:
    """What a bundle knows of the cases that it may answer.

    Attributes:
        inputs: Each input of the task to its kind.
        bound: The distance beyond which a case is strange, in standard deviations.
        share: Of cases like the training cases, at most this share lies beyond the bound, in (0, 1).
        cases: On how many held-out cases that was calibrated.
    """

    inputs: Mapping[str, Kind]
    bound: float
    share: float
    cases: int

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Abstention:
        """From JSON, as :func:`dataclasses.asdict` gives it.

        Raises:
            KeyError: Inputs, or what is known of one, are missing.
            TypeError: A field is missing or unknown.
            ValueError: Hashes that are no base64.
        """
        return cls(**{**fields, "inputs": {name: Kind.read(kind) for name, kind in fields["inputs"].items()}})

    def distance(self, inputs: Mapping[str, str]) -> float:
        """How far a case lies from the training cases: as far as the furthest of its inputs."""
        return _furthest(self.inputs, inputs)

    def strange(self, inputs: Mapping[str, str]) -> tuple[Strange, ...]:
        """Why a case lies beyond the bound, furthest first; empty where it does not.

        Args:
            inputs: Texts by name; those of other names are not looked at.
        """
        beyond = [
            Strange(name, why, round(distance, 2))
            for name, kind in self.inputs.items()
            for why, distance in kind.distances(inputs[name]).items()
            if distance > self.bound
        ]
        return tuple(sorted(beyond, key=lambda one: -one.distance))


def least(share: float) -> int:
    """The fewest held-out cases on which a share can be calibrated.

    >>> least(0.02)
    49
    """
    return math.ceil(round(1 / share, DECIMALS)) - 1


def fitted(
    train: Sequence[Mapping[str, str]], held_out: Iterable[Mapping[str, str]], share: float
) -> Abstention | None:
    """What a bundle is to know; None where there are too few held-out cases, see :func:`least`, or none to learn from.

    Args:
        train: Inputs of the training cases.
        held_out: Inputs of cases that nothing was trained on, like those that will be asked.
        share: Of cases like these, how many may be taken for strange, in (0, 1).
    """
    if not train:
        return None
    texts = {name: [inputs[name] for inputs in train] for name in train[0]}
    kinds = {name: Kind.of(own, [other for one, other in texts.items() if one != name]) for name, own in texts.items()}
    distances = sorted(_furthest(kinds, inputs) for inputs in held_out)
    if len(distances) < least(share):
        return None
    rank = math.ceil(round((1 - share) * (len(distances) + 1), DECIMALS))
    return Abstention(kinds, round(distances[rank - 1] + 10**-DECIMALS, DECIMALS), share, len(distances))


def _furthest(kinds: Mapping[str, Kind], inputs: Mapping[str, str]) -> float:
    """The largest distance of any input."""
    return max(distance for name, kind in kinds.items() for distance in kind.distances(inputs[name]).values())
