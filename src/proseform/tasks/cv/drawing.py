"""Drawing the facts of a case: person, job, and what the CV shows. No text is written here.

Splits are disjoint by construction: a stable hash of a full name, or of a job's content, says which split may use it,
at every level and for every seed.
"""

from __future__ import annotations

import hashlib
import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from proseform.case import Split
from proseform.errors import InputError
from proseform.tasks.cv.form import SKILL_LEVELS

_TENTHS: Mapping[int, Split] = {0: "test", 1: "valid"}


@dataclass(frozen=True, slots=True)
class Level:
    """A difficulty; pairs are the fewest and the most.

    Attributes:
        requirements: Required skills of a job.
        preferred: Preferred skills of a job.
        extra: Skills of a CV that the job does not ask for.
        years: Most years that a job asks for.
        professions: Professions that roles and skills come from; 0 takes the level's own flat lists.
        ordered: Whether skills stand in alphabetical order, in job and CV.
        dated: Whether experience is dated work in a CV of sections, instead of a stated number of years in a short one.
        rugged: Whether overlaps, date styles, "present", no experience, other names for skills and hearsay with levels
            occur.
        hearsay: Skills that a CV mentions without evidence.
        plain_names: Whether only the first :data:`PLAIN` names of each list are used.
    """

    requirements: tuple[int, int]
    preferred: tuple[int, int] = (0, 0)
    extra: tuple[int, int] = (1, 2)
    years: int = 5
    professions: int = 0
    ordered: bool = False
    dated: bool = False
    rugged: bool = False
    hearsay: tuple[int, int] = (0, 0)
    plain_names: bool = True


LEVELS: Mapping[str, Level] = {
    "starter": Level(requirements=(2, 3), ordered=True),
    "junior": Level(requirements=(1, 5), extra=(1, 4), years=8),
    "professional": Level(
        requirements=(2, 5), preferred=(0, 2), extra=(1, 5), years=8, professions=8,
        dated=True, hearsay=(0, 2), plain_names=False,
    ),
    "expert": Level(
        requirements=(3, 7), preferred=(1, 3), extra=(2, 7), years=12, professions=22,
        dated=True, rugged=True, hearsay=(1, 3), plain_names=False,
    ),
}  # fmt: skip
PLAIN = 60
"""Names of each list that are single ASCII words."""
FITNESS = (0.25, 0.5, 0.8)
"""The chances that an item is met; one is drawn for each case, so that scores spread."""
NEARLY = 0.6
"""The chance that a skill which does not meet the need is shown at a lower level, where there is one."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a job asks for: role, years, and (importance, level, skill) in the job's order."""

    role: str
    years: int
    wants: tuple[tuple[str, str, str], ...]

    @property
    def identity(self) -> str:
        """Twelve hex digits of the content, whatever its order."""
        return _hash(f"{self.role}|{self.years}|{sorted(self.wants)}").hex()[:12]


def level(name: str) -> Level:
    """A difficulty by name.

    Raises:
        InputError: Unknown; the existing ones are named.
    """
    if name not in LEVELS:
        raise InputError(f"Task 'cv' has no level '{name}'; there are: {', '.join(LEVELS)}.")
    return LEVELS[name]


def split_of(identity: str) -> Split:
    """The split that may use a person or a job: eight tenths train, one valid, one test."""
    return _TENTHS.get(int.from_bytes(_hash(identity)[-4:], "big") % 10, "train")


@cache
def data(name: str) -> Mapping[str, Any]:
    """A data file of this folder."""
    return tomllib.loads((resources.files(__package__) / f"{name}.toml").read_text(encoding="utf-8"))


def person(rng: random.Random, split: Split, *, plain: bool) -> str:
    """A full name that this split may use."""
    names = data("people")
    first, last = (names[part][:PLAIN] if plain else names[part] for part in ("given", "family"))
    while True:
        name = f"{rng.choice(first)} {rng.choice(last)}"
        if _person_split(name) == split:
            return name


def roles(name: str) -> Sequence[str]:
    """The titles of a level's jobs."""
    return _roles_and_skills(name)[0]


def skills(name: str, role: str = "") -> Sequence[str]:
    """The skills of a level; of one of its professions where a role is given and the level has professions."""
    _, everything, by_role = _roles_and_skills(name)
    return by_role.get(role, everything)


def job(rng: random.Random, split: Split, name: str) -> Job:
    """A job of a level that this split may use."""
    shape = level(name)
    while True:
        role = rng.choice(roles(name))
        required, preferred = rng.randint(*shape.requirements), rng.randint(*shape.preferred)
        chosen = rng.sample(skills(name, role), required + preferred)
        if shape.ordered:
            chosen.sort()
        wants = tuple(
            ("required" if index < required else "preferred", rng.choice(SKILL_LEVELS), skill)
            for index, skill in enumerate(chosen)
        )
        drawn = Job(role, rng.randint(1, shape.years), wants)
        if split_of(f"job:{drawn.identity}") == split:
            return drawn


def shown(rng: random.Random, needed: str, chance: float) -> str:
    """The level that a CV shows of a skill, or ``none``: it meets the need with a given chance."""
    rank = SKILL_LEVELS.index(needed)
    if rng.random() < chance:
        return SKILL_LEVELS[rng.randint(rank, len(SKILL_LEVELS) - 1)]
    return SKILL_LEVELS[rng.randrange(rank)] if rank and rng.random() < NEARLY else "none"


@cache
def _roles_and_skills(name: str) -> tuple[Sequence[str], Sequence[str], Mapping[str, Sequence[str]]]:
    """A level's roles, all its skills, and the skills of each role."""
    lists, count = data("skills"), level(name).professions
    if not count:
        return lists[name]["roles"], lists[name]["skills"], {}
    by_role = {profession["title"]: profession["skills"] for profession in lists["profession"][:count]}
    return list(by_role), [skill for chosen in by_role.values() for skill in chosen], by_role


def _hash(text: str) -> bytes:
    """A stable hash; Python's own is salted."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


@cache
def _person_split(name: str) -> Split:
    """The split of a full name."""
    return split_of(f"person:{name}")
