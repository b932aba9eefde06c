"""Generated cases, exact and reproducible from a seed; and the same evaluation as a careless annotator writes it.

:data:`write` is the task's writer: any answer as the evaluation that states it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from proseform.case import Case
from proseform.claims.dates import covered
from proseform.tasks.cv import drawing, form, judgement, real, writing
from proseform.tasks.cv.data import data
from proseform.tasks.cv.resume import from_json
from proseform.tasks.cv.unread import unread

if TYPE_CHECKING:
    from proseform.case import Split

__all__ = ["annotate", "from_json", "generate", "identify", "unread", "write"]

write = form.write

RANDOM_RECOMMENDATION = 0.35
"""Share of careless annotations whose recommendation is drawn at random."""
LEFT_OUT = {"gaps": 0.55, "strengths": 0.05, "met": 0.03, "score": 0.03}
"""How often a careless annotator leaves a section out; gaps mostly, so that a greedy imitation has none."""
NO_TIME = 0.10
"""How often a careless annotator leaves the line on experience out."""
SLIP = 0.02
"""How often a careless annotator writes another verdict on a line of evidence."""
SAME_PROFESSION = 0.7
"""Share of dated CVs whose title is the job's."""
ALIAS = 0.5
"""How often an expert CV calls a skill by its other name, where it has one."""
LEVELLED = 0.5
"""How often hearsay in an expert CV states a level."""
_YEAR = 12
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
        {**item, "verdict": rng.choice(("met", "partly", "missing"))} if rng.random() < SLIP else item
        for item in answer["requirements"]
        if item["kind"] != judgement.EXPERIENCE or rng.random() >= NO_TIME
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
    pair = real.pair(rng, name, split, shape) if shape.real else _pair(rng, name, level, split)
    needs = [(need, pair.shown.get(need, judgement.Shown())) for need in pair.job.needs]
    answer = judgement.judge(name, pair.job.role, needs, pair.career.updated)
    return Case(
        id=identity,
        level=level,
        split=split,
        inputs={"cv": pair.cv, "job": pair.text},
        prose=form.write(answer),
        answer=answer,
        groups=(_person(name), f"job:{pair.job.identity}"),
        facts={"periods": [list(period) for period in pair.career.periods], "hearsay": list(pair.hearsay)},
    )


def _pair(rng: random.Random, name: str, level: str, split: Split) -> writing.Pair:
    """A job and a CV of the levels below ``real``."""
    shape, job = drawing.level(level), drawing.job(rng, split, level)
    chance = rng.choice(drawing.FITNESS)
    facts = drawing.facts(rng, job, chance, unsaid=drawing.UNSAID if shape.plain else 0.0)
    title = job.role if shape.dated and rng.random() < SAME_PROFESSION else rng.choice(drawing.roles(level))
    profile = writing.Profile(name, title, facts, _extra(rng, level, title, job))
    if not shape.dated:
        months = _YEAR * drawing.years(rng, job.years // _YEAR, chance)
        cv, shown = writing.short_cv(rng, replace(profile, worked=form.span(months)), ordered=shape.ordered)
        return writing.Pair(job, writing.short_job(job), cv, writing.timed(shown, job, (form.span(months),), months))
    work = drawing.worked(rng, job.years, chance, rugged=shape.rugged)
    hearsay = _hearsay(rng, level, profile)
    called = {skill: writing.called(rng, skill, ALIAS) for skill in _skills(profile)} if shape.rugged else {}
    cv, shown = writing.dated_cv(rng, replace(profile, career=work, hearsay=hearsay), drawing.roles(level), called)
    text = writing.long_job(rng, job, _background(rng, level, profile) if shape.rugged else ())
    shown = writing.timed(shown, job, work.words, covered(work.periods))
    return writing.Pair(job, text, cv, shown, work, hearsay)


def _extra(rng: random.Random, level: str, title: str, job: drawing.Job) -> dict[str, str]:
    """Skills of a CV that the job does not ask for, with their levels."""
    pool = [skill for skill in drawing.skills(level, title) if skill not in job.asked]
    chosen = rng.sample(pool, min(len(pool), rng.randint(*drawing.level(level).extra)))
    bare = drawing.level(level).plain
    return {skill: "" if rng.random() < bare else rng.choice(judgement.SKILL_LEVELS) for skill in chosen}


def _skills(profile: writing.Profile) -> list[str]:
    """Every skill that a profile names, in order."""
    asked = [skill for need in profile.facts if need.kind == "skill" for skill in need.alternatives]
    return [*asked, *profile.extra]


def _hearsay(rng: random.Random, level: str, profile: writing.Profile) -> tuple[str, ...]:
    """Sentences that name skills without evidence, those that the job misses first; never one that the CV shows."""
    shape, words = drawing.level(level), data("phrases")
    absent = [
        skill
        for need, fact in profile.facts.items()
        if need.kind == "skill" and fact is None
        for skill in need.alternatives
    ]
    known = {*_skills(profile)} - {*absent}
    others = [skill for skill in rng.sample(drawing.skills(level), shape.hearsay[1]) if skill not in known]
    sentences = []
    for skill in dict.fromkeys([*absent, *others][: rng.randint(*shape.hearsay)]):
        if shape.rugged and rng.random() < LEVELLED:
            quote = f"{rng.choice(judgement.SKILL_LEVELS)} {skill}"
            sentences.append(rng.choice(words["hearsay_with_level"]).format(quote=quote))
        else:
            sentences.append(rng.choice(words["hearsay"]).format(skill=skill))
    return tuple(sentences)


def _background(rng: random.Random, level: str, profile: writing.Profile) -> tuple[str, ...]:
    """At most one sentence of a job that names a skill it does not ask for."""
    skill = rng.choice(drawing.skills(level))
    if skill in _skills(profile) or rng.random() >= BACKGROUND:
        return ()
    return (rng.choice(data("phrases")["background"]).format(skill=skill),)
