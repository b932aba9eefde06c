"""Jobs of the level ``real`` and its like: professions, skills, studies and papers out of the task's words."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from proseform.tasks.cv import advert
from proseform.tasks.cv.data import data, deeds
from proseform.tasks.cv.drawing import WISHED, Job, Level, alternatives, apart, experience, used
from proseform.tasks.cv.judgement import LANGUAGE_LEVELS, SKILL_LEVELS, Importance, Kind, Need
from proseform.tasks.cv.synonyms import permit

NO_YEARS = 0.25
"""How often a job of the level ``sent`` asks for no years of experience in total."""


@cache
def professions(language: str = "en") -> Sequence[Mapping[str, Any]]:
    """All professions that jobs in a language are of, each with what such jobs ask for."""
    known = {one["title"]: one for one in data("words/skills")["profession"]}
    listed = data("words/professions")["profession"]
    return [_english(one) for one in known.values()] if language == "en" else [
        _translated(one, known[one["of"]]["sector"], language) for one in listed
    ]  # fmt: skip


def _english(profession: Mapping[str, Any]) -> Mapping[str, Any]:
    """A profession as skills.toml has it; any field of study, and all certificates where it has none of its own."""
    certificates = data("words/credentials")["certificate"]
    return {
        **profession,
        "titles": [profession["title"], *profession["titles"]],
        "fields": fields("en"),
        "degrees": list(deeds("en")["asked"]),
        "certificates": [one for one in certificates if one["profession"] == profession["title"]] or certificates,
        "spare": certificates,
    }


def _translated(profession: Mapping[str, Any], sector: str, language: str) -> Mapping[str, Any]:
    """A profession as professions.toml has it in a language."""
    words = profession[language]
    certificates = [{"short": one, "long": one} for one in words["certificates"]]
    return {
        "titles": words["titles"],
        "sector": sector,
        "skills": [*words["skills"], *profession["tools"]],
        "fields": [data("words/study")["field"][one][language] for one in profession["fields"]],
        "degrees": profession["degrees"],
        "certificates": certificates,
        "spare": certificates,
    }


@cache
def fields(language: str, level: str = "") -> Sequence[str]:
    """The fields of study that anybody has, by their names in a language; of a level, those that fit it."""
    if language == "en":
        return list(data("words/study")["field"])
    fitting = (one["fields"] for one in professions(language) if not level or level in one["degrees"])
    return list(dict.fromkeys(field for listed in fitting for field in listed))


def titles(profession: Mapping[str, Any], form: int = 0) -> list[str]:
    """What jobs of a profession are called, in one of the forms that a title has where it has several."""
    return [title.split("|")[form if "|" in title else 0] for title in profession["titles"]]


def held(subject: str, language: str) -> Sequence[str]:
    """What CVs write whose candidates hold a permit that a job asks for."""
    return next(kind[subject] for kind in _permits(language) if subject in kind)


@cache
def _permits(language: str) -> Sequence[Mapping[str, Sequence[str]]]:
    """The permits that jobs in a language ask for, by kind, each with what CVs write who hold it."""
    if kinds := deeds(language).get("permit"):
        return [{one: [line.format(permit=one) for line in kind["holds"]] for one in kind["asked"]} for kind in kinds]
    known, names = data("words/credentials")["permit"], data("synonyms")
    return [{one: names[one] for one in (permit(kind["name"], value) for value in kind["values"])} for kind in known]


def job(rng: random.Random, shape: Level, profession: Mapping[str, Any]) -> Job:
    """A job of a profession: what is required, then what is preferred.

    Its years of experience come last of what is required; at the level ``sent`` anywhere, or there are none.
    """
    required, preferred = rng.randint(*shape.requirements), rng.randint(*shape.preferred)
    pool = rng.sample(profession["skills"], min(len(profession["skills"]), 2 * required + preferred))
    chosen, spare = pool[: required + preferred], pool[required + preferred :]
    needs = [
        _skill(rng, "required" if index < required else "preferred", skill, spare, shape)
        for index, skill in enumerate(chosen)
    ]
    named = {skill for need in needs for skill in alternatives(need)}
    for kind in rng.sample(shape.kinds, min(len(shape.kinds), rng.randint(*shape.others))):
        importance: Importance = "preferred" if preferred and rng.random() < WISHED else "required"
        needs.append(_other(rng, kind, importance, profession, named, shape.language))
    worked, (first, last) = experience(rng, shape), apart(needs)
    if shape.sent and rng.random() >= NO_YEARS:
        first.append(worked)
    rng.shuffle(first)
    if not shape.sent:
        first.append(worked)
    return Job(rng.choice(titles(profession)), (*first, *last))


def _skill(rng: random.Random, importance: Importance, skill: str, spare: list[str], shape: Level) -> Need:
    """A skill that is asked for in one of four ways."""
    words, draw = deeds(shape.language), rng.random()
    if draw < shape.used:
        return used(rng, importance, skill, shape)
    if draw < shape.used + shape.either and spare:
        return Need("skill", importance, words["either"].format(first=skill, second=spare.pop()))
    if draw < shape.used + shape.either + shape.plain:
        return Need("skill", importance, skill)
    level = rng.choice(SKILL_LEVELS)
    return Need("skill", importance, skill, rng.choice(words["levels"][level]), level)


def _other(
    rng: random.Random,
    kind: Kind,
    importance: Importance,
    profession: Mapping[str, Any],
    named: set[str],
    language: str,
) -> Need:
    """A requirement of another kind; no certificate that names a skill which the job asks for."""
    match kind:
        case "language":
            level = rng.choice(LANGUAGE_LEVELS[2:])
            return Need(kind, importance, rng.choice(data("words/credentials")["language"])[language], level, level)
        case "degree":
            level = rng.choice(profession["degrees"])
            return Need(kind, importance, rng.choice(profession["fields"]), deeds(language)["asked"][level], level)
        case "certificate":
            free = [
                one
                for one in profession["certificates"]
                if not any(skill.casefold() in f"{one['short']} {one['long']}".casefold() for skill in named)
            ]
            return Need(kind, importance, rng.choice(rng.choice(free or profession["spare"])["short"].split("|")))
        case "place":
            return Need(kind, importance, advert.city(rng, language))
        case _:
            return Need("permit", importance, rng.choice(list(rng.choice(_permits(language)))))
