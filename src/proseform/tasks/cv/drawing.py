"""Drawing the facts of a case: person, job, and what the CV shows. No text is written here.

Splits are disjoint by construction: a stable hash of a full name, or of a job's content, says which split may use it,
at every level and for every seed.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from proseform.case import Split
from proseform.errors import InputError
from proseform.tasks.cv import career, names
from proseform.tasks.cv.career import Career
from proseform.tasks.cv.data import data, deeds
from proseform.tasks.cv.judgement import DEGREE_LEVELS, LANGUAGE_LEVELS, SCALES, SKILL_LEVELS, Importance, Kind, Need

_TENTHS: Mapping[int, Split] = {0: "test", 1: "valid"}


@dataclass(frozen=True, slots=True)
class Level:
    """A difficulty; pairs are the fewest and the most.

    Attributes:
        requirements: Required skills of a job.
        preferred: Preferred skills of a job.
        extra: Skills of a CV that the job does not ask for.
        years: Most years that a job asks for.
        plain: How often a skill is asked for without a level, there or not.
        used: How often a skill is asked for by years of use.
        either: How often an alternative to a skill will do.
        others: Requirements of other kinds: degree, language, certificate, permit.
        kinds: The kinds that they are drawn from.
        professions: Professions that roles and skills come from; 0 takes the level's own flat lists.
        ordered: Whether skills stand in alphabetical order, in job and CV.
        dated: Whether experience is dated work in a CV of sections, instead of a stated number of years in a short one.
        rugged: Whether overlaps, date styles, "present", no experience, other names for skills and hearsay with levels
            occur.
        real: Whether jobs are advertisements and CVs pages, of every profession there is.
        sent: Whether these are as long and as crowded as those that people send, and dated as freely.
        hearsay: Skills that a CV mentions without evidence.
        plain_names: Whether names are of the letters A to Z, and of two words.
        language: Of jobs and CVs, where they are real.
    """

    requirements: tuple[int, int]
    preferred: tuple[int, int] = (0, 0)
    extra: tuple[int, int] = (1, 2)
    years: int = 5
    plain: float = 0.0
    used: float = 0.0
    either: float = 0.0
    others: tuple[int, int] = (0, 0)
    kinds: tuple[Kind, ...] = ("language",)
    professions: int = 0
    ordered: bool = False
    dated: bool = False
    rugged: bool = False
    real: bool = False
    sent: bool = False
    hearsay: tuple[int, int] = (0, 0)
    plain_names: bool = True
    language: str = "en"


LANGUAGES = ("en", "de", "fr")
"""Those that jobs and CVs are written in."""
_OTHERS: tuple[Kind, ...] = ("degree", "language", "certificate", "permit")

_REAL = Level(
    requirements=(2, 4), preferred=(0, 2), extra=(2, 6), years=12, plain=0.5, used=0.15, either=0.1, others=(0, 2),
    kinds=(*_OTHERS, "place"), dated=True, rugged=True, real=True, hearsay=(0, 2), plain_names=False,
)  # fmt: skip
LEVELS: Mapping[str, Level] = {
    "starter": Level(requirements=(2, 3), ordered=True),
    "junior": Level(requirements=(1, 4), extra=(1, 4), years=8, plain=0.3, others=(0, 1)),
    "professional": Level(
        requirements=(2, 4), preferred=(0, 2), extra=(1, 5), years=8, plain=0.4, used=0.15, either=0.1, others=(0, 2),
        kinds=_OTHERS, professions=8, dated=True, hearsay=(0, 2), plain_names=False,
    ),
    "expert": Level(
        requirements=(3, 6), preferred=(1, 3), extra=(2, 7), years=12, plain=0.4, used=0.2, either=0.15, others=(1, 3),
        kinds=_OTHERS, professions=22, dated=True, rugged=True, hearsay=(1, 3), plain_names=False,
    ),
    "real": _REAL,
    "sent": replace(_REAL, extra=(3, 16), sent=True, hearsay=(0, 1)),
    "german": replace(_REAL, language="de"),
    "french": replace(_REAL, language="fr"),
}  # fmt: skip
FITNESS = (0.15, 0.45, 0.8)
"""The chances that an item is met; one is drawn for each case, so that scores spread."""
NEARLY = 0.6
"""The chance that what does not meet the need is shown all the same, at less than that, where there is less."""
WISHED = 0.5
"""The chance that a requirement of another kind is preferred, where the job prefers anything."""
LONG_USE = 5
"""Most years of use that a job asks for."""
LONGER = 40
"""Most months that a career is longer than is needed."""
NO_EXPERIENCE = 0.05
"""Share of rugged careers without any work."""
UNSAID = 0.15
"""The chance that a CV which does not meet a level names the thing without any."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a job asks for: role, and the requirements in the job's order."""

    role: str
    needs: tuple[Need, ...]

    @property
    def experience(self) -> Need | None:
        """The years of experience that it asks for, if any."""
        return next((need for need in self.needs if need.kind == "experience"), None)

    @property
    def years(self) -> int:
        """The same in months; 0 where it asks for none."""
        return self.experience.months if self.experience else 0

    @property
    def asked(self) -> set[str]:
        """Everything that it asks for by name, alternatives apart."""
        return {one for need in self.needs for one in alternatives(need)}

    @property
    def identity(self) -> str:
        """Twelve hex digits of the content, whatever its order."""
        return _hash(f"{self.role}|{sorted(map(repr, self.needs))}").hex()[:12]


def alternatives(need: Need) -> list[str]:
    """The things of which any will do, in whichever language the need is.

    >>> alternatives(Need("skill", "required", "Docker oder Podman"))
    ['Docker', 'Podman']
    """
    for language in LANGUAGES:
        first, joint, second = need.subject.partition(deeds(language)["either"].format(first="", second=""))
        if joint:
            return [first, second]
    return [need.subject]


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


def person(rng: random.Random, split: Split, *, plain: bool) -> str:
    """A full name that this split may use, of an open vocabulary: see :mod:`.names`."""
    while True:
        name = names.person(rng, plain=plain)
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
        drawn = _job(rng, name, shape)
        if split_of(f"job:{drawn.identity}") == split:
            return drawn


def _job(rng: random.Random, name: str, shape: Level) -> Job:
    """A job: what is required, its years of experience last, then what is preferred."""
    role = rng.choice(roles(name))
    required, preferred = rng.randint(*shape.requirements), rng.randint(*shape.preferred)
    pool = list(rng.sample(skills(name, role), required + preferred + required))
    chosen, spare = pool[: required + preferred], pool[required + preferred :]
    if shape.ordered:
        chosen.sort()
    needs = [
        _skill(rng, "required" if index < required else "preferred", skill, spare, shape)
        for index, skill in enumerate(chosen)
    ]
    kinds = rng.sample(shape.kinds, min(len(shape.kinds), rng.randint(*shape.others)))
    needs += [_other(rng, kind, "preferred" if preferred and rng.random() < WISHED else "required") for kind in kinds]
    worked, (first, last) = experience(rng, shape), apart(needs)
    return Job(role, (*first, worked, *last))


def experience(rng: random.Random, shape: Level) -> Need:
    """The years of experience that a job asks for."""
    years = rng.randint(1, shape.years)
    return Need("experience", "required", "", _years(years, shape.language), months=12 * years)


def apart(needs: Sequence[Need]) -> tuple[list[Need], list[Need]]:
    """What is required, and what is preferred, each in the order of the needs."""
    required = [need for need in needs if need.importance == "required"]
    return required, [need for need in needs if need.importance == "preferred"]


def used(rng: random.Random, importance: Importance, skill: str, shape: Level) -> Need:
    """A skill that is asked for by years of use."""
    years = rng.randint(1, LONG_USE)
    return Need("skill", importance, skill, _years(years, shape.language), months=12 * years)


def _years(number: int, language: str) -> str:
    """A number of years in words."""
    words = deeds(language)["years"]
    return str(words["one" if number == 1 else "more"].format(years=number))


def _skill(rng: random.Random, importance: Importance, skill: str, spare: list[str], shape: Level) -> Need:
    """A skill with a level, or by years of use, or without either; perhaps with an alternative."""
    if spare and rng.random() < shape.either:
        skill = f"{skill} or {spare.pop()}"
    draw = rng.random()
    if draw < shape.used:
        return used(rng, importance, skill, shape)
    if draw < shape.used + shape.plain:
        return Need("skill", importance, skill)
    asked = rng.choice(SKILL_LEVELS)
    return Need("skill", importance, skill, asked, asked)


def _other(rng: random.Random, kind: Kind, importance: Importance) -> Need:
    """A requirement of another kind."""
    words = data("phrases")
    match kind:
        case "language":
            asked = rng.choice(LANGUAGE_LEVELS[2:])
            return Need(kind, importance, rng.choice(words["languages"]), asked, asked)
        case "degree":
            asked = rng.choice(DEGREE_LEVELS[1:3])
            return Need(kind, importance, rng.choice(words["fields"]), asked, asked)
        case "certificate":
            return Need(kind, importance, rng.choice(words["certificates"]))
        case _:
            return Need(kind, importance, rng.choice(words["permits"]))


@dataclass(frozen=True, slots=True)
class Fact:
    """What a candidate has of a thing: its level, empty where the CV does not say; whether it is the whole thing."""

    level: str = ""
    whole: bool = True


def fact(rng: random.Random, need: Need, chance: float, *, unsaid: float = 0.0) -> Fact | None:
    """What a candidate has of what a job needs, or None: it meets the need with a given chance.

    Args:
        rng: Where chance comes from.
        need: A need of any kind but experience.
        chance: The chance that it is met.
        unsaid: The chance that, where a level is not met, the thing is named without one.
    """
    scale = SCALES.get(need.kind, ())
    rank = scale.index(need.level) if need.level else 0
    if rng.random() < chance:
        return Fact(scale[rng.randint(rank, len(scale) - 1)] if need.level else "")
    if need.kind in ("skill", "language") and need.level and unsaid and rng.random() < unsaid:
        return Fact()
    if need.kind == "certificate" and rng.random() < NEARLY:
        return Fact(whole=False)
    return Fact(scale[rng.randrange(rank)]) if rank and rng.random() < NEARLY else None


def facts(rng: random.Random, job: Job, chance: float, *, unsaid: float) -> dict[Need, Fact | None]:
    """What a candidate has of everything but experience that a job needs; see :func:`fact`."""
    return {need: fact(rng, need, chance, unsaid=unsaid) for need in job.needs if need.kind != "experience"}


def years(rng: random.Random, needed: int, chance: float) -> int:
    """Years of experience that a candidate states, from 1: as many as are needed with a given chance."""
    enough = needed == 1 or rng.random() < chance
    return rng.randint(needed, 9) if enough else rng.randint(1, needed - 1)


def worked(
    rng: random.Random, needed: int, chance: float, *, rugged: bool, free: bool = False, language: str = "en"
) -> Career:
    """A career of as many months as are needed with a given chance; of a rugged one there may be none.

    Args:
        rng: Where chance comes from.
        needed: Months that the job asks for.
        chance: The chance that there are as many, 0 to 1.
        rugged: See :func:`.career.draw`.
        free: Likewise.
        language: Likewise.
    """
    enough = needed == 12 or rng.random() < chance  # noqa: PLR2004 - a year
    low, high = (needed, needed + LONGER) if enough else (3, needed - 1)
    none = rugged and rng.random() < NO_EXPERIENCE
    return career.draw(rng, 0 if none else rng.randint(low, high), rugged=rugged, free=free, language=language)


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
