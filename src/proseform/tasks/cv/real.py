"""Cases of the levels ``real``, ``sent``, ``german`` and ``french``: an advertisement and a CV as people write them."""

from __future__ import annotations

import random

from proseform.case import Split
from proseform.claims.dates import covered
from proseform.tasks.cv import advert, drawing, pages, sent, vacancy, writing
from proseform.tasks.cv.data import deeds, one
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
    language = shape.language
    profession = rng.choice(vacancy.professions(language))
    job = vacancy.job(rng, shape, profession)
    while drawing.split_of(f"job:{job.identity}") != split or _ambiguous(job, name):
        job = vacancy.job(rng, shape, profession)
    chance = rng.choice(drawing.FITNESS)
    own = rng.choice(vacancy.professions(language)) if rng.random() < OTHER_PROFESSION else profession
    pool = [skill for skill in own["skills"] if skill not in job.asked]
    extra = {
        skill: rng.choice(("", "", *SKILL_LEVELS))
        for skill in rng.sample(pool, min(len(pool), rng.randint(*shape.extra)))
    }
    facts = drawing.facts(rng, job, chance, unsaid=drawing.UNSAID)
    years = job.years or drawing.experience(rng, shape).months
    career = drawing.worked(rng, years, chance, rugged=True, free=shape.sent, language=language)
    absent = [drawing.alternatives(need)[0] for need, fact in facts.items() if need.kind == "skill" and fact is None]
    spare = [skill for skill in pool if skill not in extra]
    hearsay = _hearsay(rng, absent, spare, rng.randint(*shape.hearsay), language)
    titles = vacancy.titles(own, one(rng, deeds(language)["forms"]))
    title = rng.choice(titles)
    profile = writing.Profile(name, title, facts, extra, career=career, hearsay=hearsay, language=language)
    page = sent.SentPage if shape.sent else pages.Page
    cv, shown = page(rng, profile, own["sector"]).written(titles)
    background = _background(rng, spare, language) if rng.random() < BACKGROUND else ()
    return writing.Pair(
        job,
        advert.text(rng, job, background, advert.LONG if shape.sent else advert.PLAIN, language),
        cv,
        writing.timed(shown, job, career.words, covered(career.periods)),
        career,
        hearsay,
    )


def _ambiguous(job: drawing.Job, name: str) -> bool:
    """Whether a skill that is asked for stands in the candidate's name, as R does in "A. R. Okafor"."""
    words = {word.strip(".") for word in name.split()}
    return not words.isdisjoint(job.asked)


def _hearsay(rng: random.Random, absent: list[str], spare: list[str], count: int, language: str) -> tuple[str, ...]:
    """Sentences that name skills and are no evidence."""
    sentences = []
    for _ in range(count):
        pool = absent if absent and rng.random() < HEARSAY_OF_ABSENT else spare
        if pool:
            skill = pool.pop(rng.randrange(len(pool)))
            line = rng.choice(deeds(language)["hearsay"]).format(skill=skill)
            sentences.append(line[0].upper() + line[1:])
    return tuple(sentences)


def _background(rng: random.Random, spare: list[str], language: str) -> tuple[str, ...]:
    """A sentence of an advertisement that names a skill it does not ask for."""
    return (rng.choice(deeds(language)["background"]).format(skill=rng.choice(spare)),) if spare else ()
