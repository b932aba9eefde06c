"""Generated cases, exact and reproducible from a seed; and the same evaluation as a careless annotator writes it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from proseform.case import Case
from proseform.claims.dates import covered
from proseform.tasks.cv import career, drawing, form, judgement, writing
from proseform.tasks.cv.resume import from_json
from proseform.tasks.cv.unread import unread

if TYPE_CHECKING:
    from proseform.case import Split

__all__ = ["annotate", "from_json", "generate", "identify", "unread"]

RANDOM_RECOMMENDATION = 0.35
"""Share of careless annotations whose recommendation is drawn at random."""
LEFT_OUT = {"gaps": 0.55, "experience": 0.10, "strengths": 0.05, "met": 0.03, "score": 0.03}
"""How often a careless annotator leaves a section out; gaps mostly, so that a greedy imitation has none."""
SLIP = 0.02
"""How often a careless annotator writes another verdict on a line of evidence."""
SAME_PROFESSION = 0.7
"""Share of dated CVs whose title is the job's."""
NO_EXPERIENCE = 0.05
"""Share of expert CVs without any work."""
ALIAS = 0.5
"""How often an expert CV calls a skill by its other name, where it has one."""
LEVELLED = 0.5
"""How often hearsay in an expert CV states a level."""
BACKGROUND = 0.5
"""How often an expert job names a skill that it does not ask for."""


def generate(level: str, split: Split, seed: int, count: int) -> Iterator[Case]:
    """Cases of a level: the first ``n`` are the same whatever ``count`` is.

    Raises:
        InputError: Unknown level.
    """
    drawing.level(level)
    rng = random.Random(f"proseform/cv/{level}/{split}/{seed}")
    for index in range(count):
        yield _case(rng, level, split, f"{level}-{split}-{seed}-{index:06d}")


def annotate(case: Case, rng: random.Random) -> str:
    """The case's evaluation by a careless annotator: evidence mostly right, sections left out, verdicts guessed."""
    answer = dict(case.answer)
    answer["requirements"] = [
        {**item, "verdict": rng.choice(("met", "below", "missing"))} if rng.random() < SLIP else item
        for item in answer["requirements"]
    ]
    if rng.random() < RANDOM_RECOMMENDATION:
        answer["recommendation"] = rng.choice(("reject", "consider", "interview"))
    parts = form.sections(answer)
    return form.layout({name: text for name, text in parts.items() if rng.random() >= LEFT_OUT.get(name, 0.0)})


def identify(case: Case) -> tuple[str, ...]:
    """The groups of a case that states none: its person, by the candidate's name."""
    return (_person(str(case.answer["candidate"])),)


def _person(name: str) -> str:
    """The group of everything that is about one person."""
    return f"person:{name.lower().replace(' ', '-')}"


def _case(rng: random.Random, level: str, split: Split, identity: str) -> Case:
    """The next case."""
    shape = drawing.level(level)
    name = drawing.person(rng, split, plain=shape.plain_names)
    job = drawing.job(rng, split, level)
    chance = rng.choice(drawing.FITNESS)
    levels = {skill: drawing.shown(rng, needed, chance) for _, needed, skill in job.wants}
    title = job.role if shape.dated and rng.random() < SAME_PROFESSION else rng.choice(drawing.roles(level))
    pool = [skill for skill in drawing.skills(level, title) if skill not in levels]
    extra = {
        skill: rng.choice(form.SKILL_LEVELS) for skill in rng.sample(pool, min(len(pool), rng.randint(*shape.extra)))
    }
    shows = [(skill, have) for skill, have in {**levels, **extra}.items() if have != "none"]
    rng.shuffle(shows)
    if shape.ordered:
        shows.sort()
    enough = job.years == 1 or rng.random() < chance
    if shape.dated:
        quotes = {skill: writing.quote(rng, have, _called(rng, skill, aliases=shape.rugged)) for skill, have in shows}
        none = shape.rugged and rng.random() < NO_EXPERIENCE
        months = (
            0
            if none
            else rng.randint(12 * job.years, 12 * job.years + 40)
            if enough
            else rng.randint(3, 12 * job.years - 1)
        )
        work = career.draw(rng, months, rugged=shape.rugged)
        months, periods = covered(work.periods), work.words
        hearsay = _hearsay(rng, level, levels, dict(shows))
        cv = writing.dated_cv(
            rng,
            writing.Profile(name, title, tuple(quotes.values()), career=work, hearsay=hearsay),
            drawing.roles(level),
        )
        text = writing.long_job(rng, job, _background(rng, level, levels) if shape.rugged else ())
    else:
        quotes = {skill: f"{have} {skill}" for skill, have in shows}
        months = 12 * (rng.randint(job.years, 9) if enough else rng.randint(1, job.years - 1))
        work, periods, hearsay = career.NOTHING, (form.span(months),), ()
        cv = writing.short_cv(writing.Profile(name, title, tuple(quotes.values()), worked=periods[0]))
        text = writing.short_job(job)
    items = [
        {
            "skill": skill,
            "importance": importance,
            "needed": needed,
            "found": levels[skill],
            "quote": quotes.get(skill, ""),
        }
        for importance, needed, skill in job.wants
    ]
    answer = judgement.judge(
        candidate=name, role=job.role, requirements=items, required_years=job.years, months=months, periods=periods
    )
    return Case(
        id=identity,
        level=level,
        split=split,
        inputs={"cv": cv, "job": text},
        prose=form.write(answer),
        answer=answer,
        groups=(_person(name), f"job:{job.identity}"),
        facts={"months": months, "periods": [list(period) for period in work.periods], "hearsay": list(hearsay)},
    )


def _called(rng: random.Random, skill: str, *, aliases: bool) -> str:
    """What the CV calls a skill."""
    other = drawing.data("synonyms").get(skill) if aliases else None
    return str(other) if other and rng.random() < ALIAS else skill


def _hearsay(rng: random.Random, level: str, levels: Mapping[str, str], shows: Mapping[str, str]) -> tuple[str, ...]:
    """Sentences that name skills without evidence, those that the job misses first; never a level that the CV shows."""
    shape, words = drawing.level(level), drawing.data("phrases")
    absent = [skill for skill, have in levels.items() if have == "none"]
    others = rng.sample(drawing.skills(level), shape.hearsay[1])
    sentences = []
    for skill in dict.fromkeys([*absent, *others][: rng.randint(*shape.hearsay)]):
        if shape.rugged and rng.random() < LEVELLED:
            level_said = rng.choice([item for item in form.SKILL_LEVELS if item != shows.get(skill)])
            sentences.append(rng.choice(words["hearsay_with_level"]).format(quote=f"{level_said} {skill}"))
        elif skill not in shows:
            sentences.append(rng.choice(words["hearsay"]).format(skill=skill))
    return tuple(sentences)


def _background(rng: random.Random, level: str, levels: Mapping[str, str]) -> tuple[str, ...]:
    """At most one sentence of a job that names a skill it does not ask for."""
    skill = rng.choice(drawing.skills(level))
    if skill in levels or rng.random() >= BACKGROUND:
        return ()
    return (rng.choice(drawing.data("phrases")["background"]).format(skill=skill),)
