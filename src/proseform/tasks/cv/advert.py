"""Jobs as advertisements: each requirement in a wording of its own, among noise about the company."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proseform.tasks.cv import names
from proseform.tasks.cv.data import data, deeds, more, one
from proseform.tasks.cv.drawing import Job, alternatives
from proseform.tasks.cv.judgement import Need

BULLETS = ("- ", "* ", "• ", "\u2013 ", "")
HEADED = 0.8
"""How often parts have headings."""
BARE = 0.4
"""How often a heading alone says whether something below it is required, where a manner has wordings for that."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How advertisements are put.

    Attributes:
        noise: Sentences of each kind that ask for nothing, fewest and most.
        wordings: A file of wordings, beside those of the language; empty for none.
        flowing: How often what is asked for is one paragraph, and how often one line with semicolons, instead of a
            list; with headings alone.
    """

    noise: Mapping[str, tuple[int, int]]
    wordings: str = ""
    flowing: tuple[float, float] = (0, 0)


PLAIN = Manner({"company": (1, 3), "tasks": (0, 3), "benefits": (0, 3), "process": (0, 1), "equal": (0, 1)})
LONG = Manner(
    {"company": (2, 10), "tasks": (2, 12), "benefits": (1, 10), "process": (0, 3), "equal": (0, 3)},
    "words/adverts.en",
    (0.2, 0.1),
)
"""Mostly 190 to 320 words, of many wordings."""


def text(rng: random.Random, job: Job, background: Sequence[str], manner: Manner = PLAIN, language: str = "en") -> str:
    """A job as an advertisement.

    Args:
        rng: Where chance comes from.
        job: What is asked for.
        background: Sentences that name skills and ask for nothing.
        manner: How it is put.
        language: What it is written in.
    """
    words = more(language, manner.wordings) if manner.wordings else deeds(language)
    filled = {"employer": names.word(rng, stem("employer", language)), "city": city(rng, language)}
    bullet, headed = rng.choice(BULLETS), rng.random() < HEADED
    said = {
        kind: [line.format(**filled) for line in rng.sample(words["noise"][kind], rng.randint(*counts))]
        for kind, counts in manner.noise.items()
    }
    said["tasks"] += background
    parts = [("company", said["company"]), ("tasks", said["tasks"])]
    for importance in ("required", "preferred"):
        asked = [sentence(rng, need, words, headed=headed) for need in job.needs if need.importance == importance]
        parts.append((importance, _laid(rng, asked, bullet, manner.flowing if headed else (0, 0))))
    tail = [("benefits", said["benefits"]), ("process", said["process"]), ("equal", said["equal"])]
    rng.shuffle(tail)
    lines = [one(rng, words["headline"]).format(role=job.role)]
    for kind, rows in [*parts, *tail]:
        if rows:
            heading = [rng.choice(words["advert"][kind]).format(**filled)] if headed else []
            lines += ["", *heading, *rows]
    return "\n".join(lines)


def _laid(rng: random.Random, asked: Sequence[str], bullet: str, flowing: tuple[float, float]) -> list[str]:
    """What is asked for, as lines: a list, or in these shares of the cases a paragraph or a row."""
    if asked and any(flowing):
        paragraph, row = flowing
        draw = rng.random()
        if draw < paragraph:
            return [" ".join(f"{one.rstrip('.')}." for one in asked)]
        if draw < paragraph + row:
            return ["; ".join(one.rstrip(".") for one in asked)]
    return [f"{bullet}{one}" for one in asked]


def sentence(rng: random.Random, need: Need, words: Mapping[str, Any], *, headed: bool = False) -> str:
    """A requirement in one of the wordings of its kind; subject and needs stand in it word for word, case included.

    Args:
        rng: Where chance comes from.
        need: What is asked for.
        words: The wordings.
        headed: Whether it stands below a heading that says how much it matters.
    """
    kind = _kind(need)
    bare = words.get("bare", {}).get(kind) if headed else None
    line = rng.choice(bare if bare and rng.random() < BARE else words["require"][kind][need.importance])
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
