"""Jobs as advertisements: each requirement in a sentence of its own, among noise about the company."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from proseform.tasks.cv import names
from proseform.tasks.cv.data import data, deeds, one
from proseform.tasks.cv.drawing import Job, alternatives
from proseform.tasks.cv.judgement import Need

NOISE = {"company": (1, 3), "tasks": (0, 3), "benefits": (0, 3), "process": (0, 1), "equal": (0, 1)}
"""Sentences of each kind that ask for nothing, fewest and most."""
LONG_NOISE = {"company": (2, 10), "tasks": (2, 12), "benefits": (1, 10), "process": (0, 3), "equal": (0, 3)}
"""The same of an advertisement of, mostly, 140 to 280 words."""
BULLETS = ("- ", "* ", "• ", "\u2013 ", "")
HEADED = 0.8
"""How often parts have headings."""


def text(
    rng: random.Random,
    job: Job,
    background: Sequence[str],
    noise: Mapping[str, tuple[int, int]] = NOISE,
    language: str = "en",
) -> str:
    """A job as an advertisement.

    Args:
        rng: Where chance comes from.
        job: What is asked for.
        background: Sentences that name skills and ask for nothing.
        noise: How many sentences of each kind ask for nothing.
        language: What it is written in.
    """
    words = deeds(language)
    filled = {"employer": names.word(rng, stem("employer", language)), "city": city(rng, language)}
    bullet, headed = rng.choice(BULLETS), rng.random() < HEADED
    said = {
        kind: [line.format(**filled) for line in rng.sample(words["noise"][kind], rng.randint(*counts))]
        for kind, counts in noise.items()
    }
    said["tasks"] += background
    parts = [("company", said["company"]), ("tasks", said["tasks"])]
    for importance in ("required", "preferred"):
        asked = [sentence(rng, need, words) for need in job.needs if need.importance == importance]
        parts.append((importance, [f"{bullet}{line}" for line in asked]))
    tail = [("benefits", said["benefits"]), ("process", said["process"]), ("equal", said["equal"])]
    rng.shuffle(tail)
    lines = [one(rng, words["headline"]).format(role=job.role)]
    for kind, rows in [*parts, *tail]:
        if rows:
            heading = [rng.choice(words["advert"][kind]).format(**filled)] if headed else []
            lines += ["", *heading, *rows]
    return "\n".join(lines)


def sentence(rng: random.Random, need: Need, words: Mapping[str, Any]) -> str:
    """A requirement in one of the wordings of its kind; subject and needs stand in it word for word, case included."""
    line = rng.choice(words["require"][_kind(need)][need.importance])
    first, second = alternatives(need)[0], alternatives(need)[-1]
    return str(line.format(
        skill=need.subject, field=need.subject, language=need.subject, certificate=need.subject, place=need.subject,
        permit=article(need.subject, words), first=first, second=second, years=need.needs, level=need.needs,
        degree=words["degrees"].get(need.level, ""),
    ))  # fmt: skip


def article(permit: str, words: Mapping[str, Any]) -> str:
    """A permit with the article that jobs give it."""
    for kind in words["permits"].values():
        head = kind.split("{", 1)[0]
        for known in ("the ", "a "):
            if head.startswith(known) and permit.startswith(head.removeprefix(known)):
                return f"{known}{permit}"
    return permit


def stem(kind: str, language: str = "en") -> Mapping[str, Any]:
    """What the invented name of an employer or a school is put together from, with the endings of a language."""
    table = data("words/syllables")[kind]["stem"]
    return {**table, "endings": deeds(language).get("endings", {}).get(kind, table["endings"])}


def city(rng: random.Random, language: str = "en") -> str:
    """A city where the language is spoken; of English, a city of any country, as English spells it."""
    regions = deeds(language).get("cities") or [country["cities"] for country in data("words/credentials")["country"]]
    return str(rng.choice(rng.choice(regions)))


def _kind(need: Need) -> str:
    """The kind of wordings that fits."""
    match need.kind:
        case "skill" if need.months:
            return "skill_years"
        case "skill" if need.level:
            return "skill_level"
        case "skill":
            return "either" if len(alternatives(need)) > 1 else "skill"
        case _:
            return need.kind
