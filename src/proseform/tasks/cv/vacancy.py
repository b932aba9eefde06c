"""Jobs of the level ``real``: professions, skills, studies and papers out of the task's words."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from proseform.tasks.cv import advert
from proseform.tasks.cv.data import data
from proseform.tasks.cv.drawing import WISHED, Job, Level, apart, experience, used
from proseform.tasks.cv.judgement import LANGUAGE_LEVELS, SKILL_LEVELS, Importance, Kind, Need
from proseform.tasks.cv.synonyms import permit

DEGREES = {"vocational": "vocational", "bachelor": "Bachelor's", "master": "Master's"}
"""The levels that jobs ask for, in their words."""


def professions() -> Sequence[Mapping[str, Any]]:
    """All professions."""
    return list(data("words/skills")["profession"])


def titles(profession: Mapping[str, Any]) -> list[str]:
    """What jobs of a profession are called."""
    return [profession["title"], *profession["titles"]]


def job(rng: random.Random, shape: Level, profession: Mapping[str, Any]) -> Job:
    """A job of a profession: what is required, its years of experience last, then what is preferred."""
    required, preferred = rng.randint(*shape.requirements), rng.randint(*shape.preferred)
    pool = rng.sample(profession["skills"], min(len(profession["skills"]), 2 * required + preferred))
    chosen, spare = pool[: required + preferred], pool[required + preferred :]
    needs = [
        _skill(rng, "required" if index < required else "preferred", skill, spare, shape)
        for index, skill in enumerate(chosen)
    ]
    named = {skill for need in needs for skill in need.alternatives}
    for kind in rng.sample(shape.kinds, min(len(shape.kinds), rng.randint(*shape.others))):
        importance: Importance = "preferred" if preferred and rng.random() < WISHED else "required"
        needs.append(_other(rng, kind, importance, profession, named))
    worked, (first, last) = experience(rng, shape), apart(needs)
    rng.shuffle(first)
    return Job(rng.choice(titles(profession)), (*first, worked, *last))


def _skill(rng: random.Random, importance: Importance, skill: str, spare: list[str], shape: Level) -> Need:
    """A skill that is asked for in one of four ways."""
    draw = rng.random()
    if draw < shape.used:
        return used(rng, importance, skill)
    if draw < shape.used + shape.either and spare:
        return Need("skill", importance, f"{skill} or {spare.pop()}")
    if draw < shape.used + shape.either + shape.plain:
        return Need("skill", importance, skill)
    level = rng.choice(SKILL_LEVELS)
    return Need("skill", importance, skill, rng.choice(data("words/deeds.en")["levels"][level]), level)


def _other(
    rng: random.Random, kind: Kind, importance: Importance, profession: Mapping[str, Any], named: set[str]
) -> Need:
    """A requirement of another kind; no certificate that names a skill which the job asks for."""
    credentials = data("words/credentials")
    match kind:
        case "language":
            level = rng.choice(LANGUAGE_LEVELS[2:])
            return Need(kind, importance, rng.choice(credentials["language"])["en"], level, level)
        case "degree":
            level = rng.choice([*DEGREES])
            return Need(kind, importance, rng.choice([*data("words/study")["field"]]), DEGREES[level], level)
        case "certificate":
            own = [one for one in credentials["certificate"] if one["profession"] == profession["title"]]
            free = [
                one
                for one in own or credentials["certificate"]
                if not any(skill.casefold() in f"{one['short']} {one['long']}".casefold() for skill in named)
            ]
            return Need(
                kind, importance, rng.choice(rng.choice(free or credentials["certificate"])["short"].split("|"))
            )
        case "place":
            return Need(kind, importance, advert.city(rng))
        case _:
            held = rng.choice(credentials["permit"])
            return Need("permit", importance, permit(held["name"], rng.choice(held["values"])))
