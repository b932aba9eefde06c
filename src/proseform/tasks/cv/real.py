"""Cases of the levels ``real`` and ``sent``: an advertisement and a CV as people write them."""

from __future__ import annotations

import random

from proseform.case import Split
from proseform.tasks.cv import advert, drawing, pages, sent, vacancy, writing
from proseform.tasks.cv.data import data
from proseform.tasks.cv.judgement import SKILL_LEVELS

HEARSAY_OF_ABSENT = 0.7
"""How often hearsay is about a skill that is asked for and lacked, where there is one."""
BACKGROUND = 0.3
"""How often an advertisement names a skill that it does not ask for."""
OTHER_PROFESSION = 0.2
"""How often the candidate comes from another profession."""


def pair(rng: random.Random, name: str, split: Split, shape: drawing.Level) -> writing.Pair:
    """A job that this split may use, and the CV of a person of that name.

    Args:
        rng: Where chance comes from.
        name: The candidate's.
        split: The split.
        shape: How much of everything there is.
    """
    profession = rng.choice(vacancy.professions())
    job = vacancy.job(rng, shape, profession)
    while drawing.split_of(f"job:{job.identity}") != split or _ambiguous(job, name):
        job = vacancy.job(rng, shape, profession)
    chance = rng.choice(drawing.FITNESS)
    own = rng.choice(vacancy.professions()) if rng.random() < OTHER_PROFESSION else profession
    pool = [skill for skill in own["skills"] if skill not in job.asked]
    extra = {
        skill: rng.choice(("", "", *SKILL_LEVELS))
        for skill in rng.sample(pool, min(len(pool), rng.randint(*shape.extra)))
    }
    facts = drawing.facts(rng, job, chance, unsaid=drawing.UNSAID)
    career = drawing.worked(rng, job.years, chance, rugged=True, free=shape.sent)
    absent = [need.alternatives[0] for need, fact in facts.items() if need.kind == "skill" and fact is None]
    spare = [skill for skill in pool if skill not in extra]
    hearsay = _hearsay(rng, absent, spare, rng.randint(*shape.hearsay))
    titles = vacancy.titles(own)
    profile = writing.Profile(name, rng.choice(titles), facts, extra, career=career, hearsay=hearsay)
    page = sent.SentPage if shape.sent else pages.Page
    cv, shown = page(rng, profile, own["sector"]).written(titles)
    background = _background(rng, spare) if rng.random() < BACKGROUND else ()
    return writing.Pair(
        job,
        advert.text(rng, job, background, noise=advert.LONG_NOISE if shape.sent else advert.NOISE),
        cv,
        writing.timed(shown, job, career),
        career,
        hearsay,
    )


def _ambiguous(job: drawing.Job, name: str) -> bool:
    """Whether a skill that is asked for stands in the candidate's name, as R does in "A. R. Okafor"."""
    words = {word.strip(".") for word in name.split()}
    return not words.isdisjoint(job.asked)


def _hearsay(rng: random.Random, absent: list[str], spare: list[str], count: int) -> tuple[str, ...]:
    """Sentences that name skills and are no evidence."""
    sentences = []
    for _ in range(count):
        pool = absent if absent and rng.random() < HEARSAY_OF_ABSENT else spare
        if pool:
            skill = pool.pop(rng.randrange(len(pool)))
            line = rng.choice(data("words/deeds.en")["hearsay"]).format(skill=skill)
            sentences.append(line[0].upper() + line[1:])
    return tuple(sentences)


def _background(rng: random.Random, spare: list[str]) -> tuple[str, ...]:
    """A sentence of an advertisement that names a skill it does not ask for."""
    return (rng.choice(data("words/deeds.en")["background"]).format(skill=rng.choice(spare)),) if spare else ()
