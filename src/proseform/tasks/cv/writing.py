"""Writing CVs and jobs as text. Every quote of an evaluation stands in the CV word for word."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from proseform.tasks.cv import drawing, form
from proseform.tasks.cv.career import NOTHING, Career, month

FORMS = ("sections", "bullets", "paragraph")
"""The forms of a dated CV."""
JOB_FORMS = ("plain", "markdown", "sentences")
"""The forms of a job beyond the short one."""
AT_WORK = 0.5
"""How often a skill is mentioned at an employment instead of among the skills."""
PLAIN_QUOTE = 0.5
"""How often a level is stated in the plainest wording."""
SKILLS_FIRST = 0.3
"""How often the skills stand before the work."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a CV shows.

    Attributes:
        name: Full name.
        title: The present title.
        quotes: The words for each skill with its level.
        worked: A stated duration; empty where the experience is dated.
        career: Dated work.
        hearsay: Sentences that name skills without being evidence.
    """

    name: str
    title: str
    quotes: tuple[str, ...]
    worked: str = ""
    career: Career = NOTHING
    hearsay: tuple[str, ...] = ()


def short_cv(profile: Profile) -> str:
    """A CV of a few lines: name, title, years, one skill a line."""
    return "\n".join([profile.name, profile.title, f"Experience: {profile.worked}", "Skills:", *profile.quotes])


def short_job(job: drawing.Job) -> str:
    """A job of a few lines: role, one skill a line, years."""
    return "\n".join(
        [job.role, "Requires:", *(f"{need} {skill}" for _, need, skill in job.wants), form.span(12 * job.years)]
    )


def quote(rng: random.Random, level: str, skill: str) -> str:
    """A wording of a skill with its level; the plainest half of the time."""
    phrases = drawing.data("phrases")["quotes"]
    phrase = phrases[0] if rng.random() < PLAIN_QUOTE else rng.choice(phrases)
    return str(phrase.format(level=level, skill=skill))


def dated_cv(rng: random.Random, profile: Profile, roles: Sequence[str]) -> str:
    """A CV with dated work, in one of :data:`FORMS`."""
    words = drawing.data("phrases")
    city, career = rng.choice(words["cities"]), profile.career
    work: list[list[str]] = [
        [f"{period}, {profile.title if index == 0 else rng.choice(roles)}, {rng.choice(words['companies'])}"]
        for index, period in enumerate(career.words)
    ]
    listed: list[str] = []
    for phrase in profile.quotes:
        if work and rng.random() < AT_WORK:
            rng.choice(work).append(rng.choice(words["evidence"]).format(quote=phrase))
        else:
            listed.append(phrase)
    graduated = (career.periods[-1][0] if career.periods else 12 * 2023) - rng.randint(-30, 30)
    studied = f"{month(graduated - 35, 'iso')} to {month(graduated, 'iso')}"
    education = f"{studied}, {rng.choice(words['degrees'])}, {rng.choice(words['schools'])}"
    other = [f"Enjoys {rng.choice(words['pastimes'])}", *profile.hearsay]
    rng.shuffle(other)
    sections = [
        ("Experience", [line for job in work for line in job] or ["None yet"]),
        ("Skills", listed),
        ("Education", [education]),
        ("Other", other),
    ]
    if rng.random() < SKILLS_FIRST:
        sections[0], sections[1] = sections[1], sections[0]
    head = [profile.name, f"{profile.title}, {city}", *([f"Updated {career.updated}"] if career.updated else [])]
    match rng.choice(FORMS):
        case "sections":
            body = [line for title, lines in sections if lines for line in ("", title, *lines)]
        case "bullets":
            body = [
                line for title, lines in sections if lines for line in (f"{title}:", *(f"- {text}" for text in lines))
            ]
        case _:
            body = [" ".join(f"{text}." for text in lines) for _, lines in sections if lines]
    return "\n".join([*head, *body])


def long_job(rng: random.Random, job: drawing.Job, background: Sequence[str]) -> str:
    """A job in one of :data:`JOB_FORMS`, with preferred skills apart and sentences that ask for nothing."""
    required, preferred = (
        [f"{need} {skill}" for kind, need, skill in job.wants if kind == importance]
        for importance in ("required", "preferred")
    )
    years = form.span(12 * job.years)
    match rng.choice(JOB_FORMS):
        case "plain":
            lines = [
                job.role,
                "Requires:",
                *required,
                years,
                *(["Prefers:", *preferred] if preferred else []),
                *background,
            ]
        case "markdown":
            nice = ["", "## Nice to have", "", *(f"- {text}" for text in preferred)] if preferred else []
            needed = [f"- {text}" for text in (*required, f"{years} of experience")]
            aside = [*background, ""] if background else []
            lines = [f"# {job.role}", "", *aside, "## Required", "", *needed, *nice]
        case _:
            wish = [f"A plus: {', '.join(preferred)}."] if preferred else []
            needs = f"You bring {', '.join(required)} and at least {years} of experience."
            lines = [f"We are hiring: {job.role}.", needs, *wish, *background]
    return "\n".join(lines)
