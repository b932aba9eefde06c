"""CVs as people write them: sections in any order, employments with deeds, and much that counts for nothing.

What a candidate has of a need goes into the CV in one of many wordings; the words that show it are what an evaluation
quotes. Volunteering, study and projects have dates too, and are no employment.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proseform.tasks.cv import advert, names, vacancy, writing
from proseform.tasks.cv.data import data, deeds, one
from proseform.tasks.cv.drawing import Fact, alternatives
from proseform.tasks.cv.judgement import Need, Shown
from proseform.tasks.cv.writing import Profile

LONGEST_QUOTE = 110
"""Characters of a line that is quoted whole."""
AT_WORK = 0.6
"""How often a skill is shown by a deed instead of in a list."""
ALIAS = 0.3
"""How often a skill goes by another name, where it has one."""
IN_A_ROW = 0.4
"""How often a CV lists its skills in one line."""
PLAIN_DEEDS = (0, 2)
"""Deeds of an employment that show no skill that anybody asks for."""
_DOUBLED = re.compile(r"\b(\w+) \1\b")
"""A word twice in a row, as in "Demolition work work"."""


@dataclass(slots=True)
class Sections:
    """A CV's lines by section, while it is written; ``work`` has a list for each employment."""

    work: list[list[str]] = field(default_factory=list)
    lines: dict[str, list[str]] = field(default_factory=dict)

    def add(self, section: str, line: str) -> None:
        """Add a line to a section."""
        self.lines.setdefault(section, []).append(line)


class Page:
    """One CV.

    Args:
        rng: Where chance comes from.
        profile: What it is written from.
        sector: Which deeds fit.
    """

    def __init__(self, rng: random.Random, profile: Profile, sector: str) -> None:
        self._rng, self._profile, self._sector = rng, profile, sector
        self._words: Mapping[str, Any] = deeds(profile.language)
        self._sections = Sections()
        self._city = self._home()
        self._bullet = rng.choice(advert.BULLETS)

    def _home(self) -> str:
        """A city to live in; where the language has few, none that the job asks for, which would show it."""
        asked = {need.subject for need in self._profile.facts if need.kind == "place" and "cities" in self._words}
        while (city := advert.city(self._rng, self._profile.language)) in asked:
            pass
        return city

    def written(self, titles: list[str]) -> tuple[str, dict[Need, Shown]]:
        """The CV's text, and what it shows."""
        for index, period in enumerate(self._profile.career.words):
            title = self._profile.title if index == 0 else self._rng.choice(titles)
            self._sections.work.append([self._employment(period, title)])
        writers: dict[str, Callable[[Need, Fact], Shown]] = {
            "skill": self._skill, "degree": self._degree, "language": self._language,
            "certificate": self._certificate, "permit": self._permit, "place": self._place,
        }  # fmt: skip
        shown = {need: writers[need.kind](need, fact) for need, fact in self._profile.facts.items() if fact is not None}
        for skill, level in self._profile.extra.items():
            self._stated(writing.called(self._rng, skill, ALIAS), level)
        self._fill()
        return self._laid_out(), shown

    def _employment(self, period: str, title: str) -> str:
        """The head of an employment."""
        employer = names.put_together(
            self._rng,
            self._rng.choice(data("words/syllables")["employer"]["patterns"][self._profile.language]),
            self._employer(),
        )
        line = str(self._rng.choice(self._words["employment"]))
        city = advert.city(self._rng, self._profile.language)
        return line.format(period=period, title=title, employer=employer, city=city)

    def _employer(self) -> dict[str, Any]:
        """What an employer's name is put together from."""
        tradition = self._rng.choice(data("words/syllables")["tradition"])
        return {
            "stem": advert.stem("employer", self._profile.language),
            "family": tradition["family"],
            "city": self._city,
        }

    def _skill(self, need: Need, fact: Fact) -> Shown:
        """A skill: by deeds with their time, by a level, by stated years, or there and no more."""
        name = writing.called(self._rng, self._rng.choice(alternatives(need)), ALIAS)
        if need.months:
            return self._used(name, fact)
        return self._stated(name, fact.level)

    def _used(self, name: str, fact: Fact) -> Shown:
        """A skill that was used at one or two employments; only listed where the time is not said."""
        if not self._sections.work or not fact.whole:
            return self._stated(name, "", listed=True)
        career = self._profile.career
        chosen = writing.employed(self._rng, career)
        quotes = [self._deed(name) for _ in chosen]
        for index, quote in zip(chosen, quotes, strict=True):
            self._sections.work[index].append(quote)
        return writing.used_at(career, chosen, quotes)

    def _stated(self, name: str, level: str, *, listed: bool = False) -> Shown:
        """A skill in a list, with its level where it has one; or by a deed."""
        if not level and not listed and self._sections.work and self._rng.random() < AT_WORK:
            deed = self._deed(name)
            self._rng.choice(self._sections.work).append(deed)
            return Shown((deed,))
        word = self._rng.choice(self._words["levels"][level]) if level else ""
        template = self._rng.choice(self._words["skill_lines"]["level" if level else "plain"])
        line = template.format(skill=name, level=word)
        self._sections.add("skills", line)
        return Shown((line,), level)

    def _deed(self, name: str) -> str:
        """A deed that shows a skill."""
        while True:
            deed = self._rng.choice([kind for kind in self._words["deed"] if self._fits(kind)])
            if "{skill}" in (line := self._rng.choice(deed["templates"])):
                text: str = line.format(skill=name, number=self._number(line))
                if len(text) <= LONGEST_QUOTE and not _DOUBLED.search(text):
                    return text[0].upper() + text[1:]

    def _fits(self, deed: Mapping[str, Any]) -> bool:
        """Whether deeds of a kind fit the sector, and show anything."""
        return deed["kind"] != "plain" and self._sector in deed.get("sectors", [self._sector])

    def _number(self, line: str) -> int:
        """A number that fits a line."""
        bounds = self._words["numbers"]["percent" if "{number} %" in line else "count"]
        return self._rng.randint(*bounds)

    def _degree(self, need: Need, fact: Fact) -> Shown:
        """A degree in the field that is asked for."""
        quote = self._study(fact.level, need.subject)
        return Shown((quote,), fact.level, whole=fact.whole)

    def _study(self, level: str, subject: str) -> str:
        """Write a study; the words for degree and field."""
        study, language = data("words/study"), self._profile.language
        degree = self._rng.choice(next(rank for rank in study["level"] if rank["name"] == level)[language])
        quote = str(self._rng.choice(study["joins"][language][:4]).format(degree=degree, field=subject))
        dates = writing.studied(self._rng, self._profile.career, language)
        patterns = data("words/syllables")["school"]["patterns"][language]
        school = names.put_together(
            self._rng, self._rng.choice(self._words.get("schools", {}).get(level) or patterns),
            {**self._employer(), "stem": advert.stem("school", language)},
        )  # fmt: skip
        self._sections.add(
            "education", self._rng.choice((f"{dates}, {quote}, {school}", f"{quote}\n{school}, {dates}"))
        )
        return quote

    def _language(self, need: Need, fact: Fact) -> Shown:
        """A language, with its level, words for that, or words that say too little."""
        cefr = data("words/credentials")["cefr"][self._profile.language]
        word = fact.level if self._rng.random() < 0.5 else self._rng.choice(cefr[fact.level or "none"])  # noqa: PLR2004
        quote = (
            self._rng.choice(self._words["spoken"]).format(language=need.subject, level=word) if word else need.subject
        )
        self._sections.add("languages", quote)
        return Shown((quote,), fact.level)

    def _certificate(self, need: Need, fact: Fact) -> Shown:
        """A certificate that is held, has expired, or is not finished."""
        quote = need.subject if fact.whole else self._rng.choice(self._words["begun"]).format(name=need.subject)
        self._sections.add("certificates", quote)
        return Shown((quote,), whole=fact.whole)

    def _permit(self, need: Need, _fact: Fact) -> Shown:
        """A permit."""
        quote = self._rng.choice(vacancy.held(need.subject, self._profile.language))
        self._sections.add("permits", quote)
        return Shown((quote,))

    def _place(self, need: Need, _fact: Fact) -> Shown:
        """A place: where the candidate lives."""
        self._city = need.subject
        return Shown((need.subject,))

    def _fill(self) -> None:
        """Everything that counts for nothing."""
        rng, words = self._rng, self._words
        for work in self._sections.work:
            plain = next(deed for deed in words["deed"] if deed["kind"] == "plain")["templates"]
            work += [line.format(number=self._number(line)) for line in rng.sample(plain, rng.randint(*PLAIN_DEEDS))]
        if "education" not in self._sections.lines and rng.random() < 0.8:  # noqa: PLR2004
            asked = {need.subject for need in self._profile.facts}
            level = rng.choice(("vocational", "bachelor", "master"))
            fields = [field for field in vacancy.fields(self._profile.language, level) if field not in asked]
            self._study(level, rng.choice(fields))
        for sentence in self._profile.hearsay:
            self._sections.add(rng.choice(("interests", "profile", "projects")), sentence)
        if rng.random() < 0.5:  # noqa: PLR2004
            line = rng.choice(words["profile"]).format(title=self._profile.title, city=self._city)
            self._sections.add("profile", line)

    def _laid_out(self) -> str:
        """The lines as a text."""
        rng, career = self._rng, self._profile.career
        skills = self._sections.lines.get("skills", [])
        rng.shuffle(skills)
        row = [", ".join(skills)] if rng.random() < IN_A_ROW and skills else []
        self._sections.lines["skills"] = row or [f"{self._bullet}{line}" for line in skills]
        work = [
            line
            for head, *deeds in self._sections.work
            for line in (head, *(f"{self._bullet}{deed}" for deed in deeds))
        ]
        sections = {"experience": work, **self._sections.lines}
        order = [name for name in sections if sections[name] and name != "profile"]
        rng.shuffle(order)
        if "profile" in sections:
            order.insert(0, "profile")
        head = [self._profile.name, rng.choice((self._profile.title, f"{self._profile.title}, {self._city}"))]
        if self._city not in head[1]:
            head.append(self._city)
        head += [one(rng, self._words["updated"]).format(month=career.updated)] if career.updated else []
        blank = [""] if rng.random() < 0.7 else []  # noqa: PLR2004
        body = [line for name in order for line in (*blank, rng.choice(self._words["heading"][name]), *sections[name])]
        return "\n".join([*head, *body])
