"""Writing CVs and jobs as text. Every quote of an evaluation stands in the CV word for word, and is about its thing."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from proseform.claims.dates import covered
from proseform.tasks.cv import drawing
from proseform.tasks.cv.career import NOTHING, Career, month
from proseform.tasks.cv.data import data, deeds
from proseform.tasks.cv.drawing import Fact
from proseform.tasks.cv.judgement import EXPERIENCE, Need, Shown

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
OTHER_FIELD = 0.7
"""How often a CV names a study that nobody asked for, where it names none that was."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a CV is written from.

    Attributes:
        name: Full name.
        title: The present title.
        facts: What the candidate has of what the job needs; None of what is lacked.
        extra: Skills that the job does not ask for, with their levels.
        worked: A stated duration; empty where the experience is dated.
        career: Dated work.
        hearsay: Sentences that name skills without being evidence.
        language: What it is written in.
    """

    name: str
    title: str
    facts: Mapping[Need, Fact | None]
    extra: Mapping[str, str]
    worked: str = ""
    career: Career = NOTHING
    hearsay: tuple[str, ...] = ()
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Pair:
    """A job and a CV, and what the one shows of the other.

    Attributes:
        job: What is asked for.
        text: The same as a text.
        cv: The CV.
        shown: What it shows of each need that it speaks of.
        career: Its dated work.
        hearsay: Its sentences that name skills without being evidence.
    """

    job: drawing.Job
    text: str
    cv: str
    shown: Mapping[Need, Shown]
    career: Career = NOTHING
    hearsay: tuple[str, ...] = ()


def timed(shown: Mapping[Need, Shown], job: drawing.Job, periods: Sequence[str], months: int) -> dict[Need, Shown]:
    """What a CV shows, its work included where the job asks for years of experience.

    Args:
        shown: What it shows of everything else.
        job: What is asked for.
        periods: The times that were worked, in the CV's words.
        months: How long that is, overlaps once.
    """
    return {**shown, job.experience: Shown(periods=tuple(periods), months=months)} if job.experience else {**shown}


@dataclass(slots=True)
class Lines:
    """A CV's lines by where they stand, while it is written.

    Attributes:
        work: For each employment its first line and what was done there.
        listed: Skills.
        education: Studies.
        languages: Languages.
        certificates: Certificates.
        other: Anything else.
    """

    work: list[list[str]] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    education: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)


def short_cv(rng: random.Random, profile: Profile, *, ordered: bool) -> tuple[str, dict[Need, Shown]]:
    """A CV of a few lines, and what it shows: name, title, years, one skill or language a line."""
    shown = {need: _stated(need, fact) for need, fact in profile.facts.items() if fact is not None}
    lines = [(one.quotes[0].rpartition(" ")[2], one.quotes[0]) for one in shown.values()]
    lines += [(skill, " ".join(filter(None, (level, skill)))) for skill, level in profile.extra.items()]
    rng.shuffle(lines)
    if ordered:
        lines.sort()
    text = "\n".join(
        [profile.name, profile.title, f"Experience: {profile.worked}", "Skills:", *(line for _, line in lines)]
    )
    return text, shown


def _stated(need: Need, fact: Fact) -> Shown:
    """A line of a short CV: a skill after its level, a language before it."""
    words = (need.subject, fact.level) if need.kind == "language" else (fact.level, need.subject)
    return Shown((" ".join(filter(None, words)),), fact.level, whole=fact.whole)


def short_job(job: drawing.Job) -> str:
    """A job of a few lines: role, one requirement a line."""
    return "\n".join([job.role, "Requires:", *map(asked, job.needs)])


def asked(need: Need) -> str:
    """A requirement in the job's words: its subject and how much of it, each of which an evaluation quotes."""
    match need.kind:
        case "experience":
            return need.needs
        case "language":
            return f"{need.subject} {need.needs}"
        case "degree":
            return f"{need.needs} in {need.subject}"
    if need.months:
        return f"{need.needs} of {need.subject}"
    return " ".join(filter(None, (need.needs, need.subject)))


def wording(rng: random.Random, level: str, skill: str) -> str:
    """A wording of a skill with its level, the plainest half of the time; the skill alone where there is none."""
    if not level:
        return skill
    phrases = data("phrases")["quotes"]
    phrase = phrases[0] if rng.random() < PLAIN_QUOTE else rng.choice(phrases)
    return str(phrase.format(level=level, skill=skill))


def dated_cv(
    rng: random.Random, profile: Profile, roles: Sequence[str], called: Mapping[str, str]
) -> tuple[str, dict[Need, Shown]]:
    """A CV with dated work, in one of :data:`FORMS`, and what it shows.

    Args:
        rng: Where chance comes from.
        profile: What it is written from.
        roles: Titles of other employments.
        called: What the CV calls a skill, where that is not its name.
    """
    words, career = data("phrases"), profile.career
    lines = Lines()
    for index, period in enumerate(career.words):
        title = profile.title if index == 0 else rng.choice(roles)
        lines.work.append([f"{period}, {title}, {rng.choice(words['companies'])}"])
    shown = {
        need: _written(rng, need, fact, lines, career, called)
        for need, fact in profile.facts.items()
        if fact is not None
    }
    for skill, level in profile.extra.items():
        _place(rng, lines, wording(rng, level, called.get(skill, skill)))
    _study(rng, lines, career, {need.subject for need in profile.facts})
    lines.other += [f"Enjoys {rng.choice(words['pastimes'])}", *profile.hearsay]
    for part in (lines.listed, lines.languages, lines.certificates, lines.other):
        rng.shuffle(part)
    return _laid_out(rng, profile, lines), shown


def called(rng: random.Random, skill: str, share: float) -> str:
    """What a CV calls a skill: by another name in a share of the cases, where it has one."""
    others = data("words/aliases")["en"].get(skill)
    return str(rng.choice(others)) if others and rng.random() < share else skill


def _written(
    rng: random.Random, need: Need, fact: Fact, lines: Lines, career: Career, called: Mapping[str, str]
) -> Shown:
    """Write what a candidate has of a need into a CV's lines."""
    words = data("phrases")
    if need.kind == "skill":
        name = rng.choice(need.alternatives)
        name = called.get(name, name)
        if need.months:
            return _used(rng, name, fact, lines, career)
        return Shown((_place(rng, lines, wording(rng, fact.level, name)),), fact.level)
    if need.kind == "degree":
        quote = rng.choice(words["studied"][fact.level]).format(name=need.subject)
        lines.education.append(_dated_study(rng, career, quote))
    elif need.kind == "language":
        quote = (
            rng.choice(words["stated_level"]).format(name=need.subject, level=fact.level)
            if fact.level
            else need.subject
        )
        lines.languages.append(quote)
    elif need.kind == "certificate":
        quote = need.subject if fact.whole else rng.choice(words["begun"]).format(name=need.subject)
        lines.certificates.append(quote)
    else:
        quote = rng.choice(words["stated_permit"]).format(name=need.subject)
        lines.other.append(quote)
    return Shown((quote,), fact.level, whole=fact.whole)


def _place(rng: random.Random, lines: Lines, words: str) -> str:
    """Put a skill at an employment or among the skills; the words that show it."""
    if not lines.work or rng.random() >= AT_WORK:
        lines.listed.append(words)
        return words
    sentence = str(rng.choice(data("phrases")["evidence"]).format(quote=words))
    rng.choice(lines.work).append(sentence)
    return words if " " in words else sentence


def _used(rng: random.Random, name: str, fact: Fact, lines: Lines, career: Career) -> Shown:
    """Put a skill at one or two employments, whose time counts; among the skills, where there is no time to count."""
    if not lines.work or not fact.whole:
        lines.listed.append(name)
        return Shown((name,))
    chosen = employed(rng, career)
    quotes = []
    for index, template in zip(chosen, rng.sample(data("phrases")["evidence"], len(chosen)), strict=True):
        quotes.append(str(template.format(quote=name)))
        lines.work[index].append(quotes[-1])
    return used_at(career, chosen, quotes)


def employed(rng: random.Random, career: Career) -> list[int]:
    """One or two of the employments, by their places in a career."""
    count = len(career.words)
    return sorted(rng.sample(range(count), min(count, rng.randint(1, 2))))


def used_at(career: Career, chosen: Sequence[int], quotes: Sequence[str]) -> Shown:
    """A skill that was used at these employments, by a quote from each."""
    months = covered(career.periods[index] for index in chosen)
    return Shown(tuple(quotes), periods=tuple(career.words[index] for index in chosen), months=months)


def _study(rng: random.Random, lines: Lines, career: Career, subjects: set[str]) -> None:
    """A study that nobody asked for, where there is none."""
    words = data("phrases")
    if lines.education or rng.random() >= OTHER_FIELD:
        return
    name = rng.choice([one for one in words["fields"] if one not in subjects])
    degree = rng.choice(words["studied"][rng.choice(("vocational", "bachelor", "master"))])
    lines.education.append(_dated_study(rng, career, degree.format(name=name)))


def _dated_study(rng: random.Random, career: Career, degree: str) -> str:
    """A degree with its years and its school."""
    return f"{studied(rng, career)}, {degree}, {rng.choice(data('phrases')['schools'])}"


def studied(rng: random.Random, career: Career, language: str = "en") -> str:
    """Three years of study that end about when a career begins."""
    style, joint = deeds(language)["dates"]["study"]
    graduated = (career.periods[-1][0] if career.periods else 12 * 2023) - rng.randint(-30, 30)
    return f"{month(graduated - 35, style, language)}{joint}{month(graduated, style, language)}"


def _laid_out(rng: random.Random, profile: Profile, lines: Lines) -> str:
    """The lines as a text."""
    city, career = rng.choice(data("phrases")["cities"]), profile.career
    sections = [
        ("Experience", [line for job in lines.work for line in job] or ["None yet"]),
        ("Skills", lines.listed),
        ("Education", lines.education),
        ("Languages", lines.languages),
        ("Certificates", lines.certificates),
        ("Other", lines.other),
    ]
    if rng.random() < SKILLS_FIRST:
        sections[0], sections[1] = sections[1], sections[0]
    head = [profile.name, f"{profile.title}, {city}", *([f"Updated {career.updated}"] if career.updated else [])]
    match rng.choice(FORMS):
        case "sections":
            body = [line for title, rows in sections if rows for line in ("", title, *rows)]
        case "bullets":
            body = [line for title, rows in sections if rows for line in (f"{title}:", *(f"- {text}" for text in rows))]
        case _:
            body = [" ".join(f"{text}." for text in rows) for _, rows in sections if rows]
    return "\n".join([*head, *body])


def long_job(rng: random.Random, job: drawing.Job, background: Sequence[str]) -> str:
    """A job in one of :data:`JOB_FORMS`, with preferred items apart and sentences that ask for nothing."""
    required, preferred = (
        [
            f"{need.needs} of experience" if need.kind == EXPERIENCE else asked(need)
            for need in job.needs
            if need.importance == importance
        ]
        for importance in ("required", "preferred")
    )
    match rng.choice(JOB_FORMS):
        case "plain":
            lines = [job.role, "Requires:", *required, *(["Prefers:", *preferred] if preferred else []), *background]
        case "markdown":
            nice = ["", "## Nice to have", "", *(f"- {text}" for text in preferred)] if preferred else []
            aside = [*background, ""] if background else []
            lines = [f"# {job.role}", "", *aside, "## Required", "", *(f"- {text}" for text in required), *nice]
        case _:
            wish = [f"A plus: {', '.join(preferred)}."] if preferred else []
            *most, last = required
            needs = f"You bring {', '.join(most)} and at least {last}." if most else f"You bring at least {last}."
            lines = [f"We are hiring: {job.role}.", needs, *wish, *background]
    return "\n".join(lines)
