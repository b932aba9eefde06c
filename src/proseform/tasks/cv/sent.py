"""CVs as people send them: one to three pages, with all that stands around the evidence, laid out as readers give it.

A page of :mod:`.pages`, and beside it what counts for nothing: contacts, personal data, aims, duties by the dozen, what
employers are, courses, school, referees, a declaration. How much of each there is, how much of it is made up, and how
lines are cut is drawn for each document, so that documents differ as people's do.
"""

from __future__ import annotations

import random
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from proseform.tasks.cv import advert, rough
from proseform.tasks.cv.data import data
from proseform.tasks.cv.drawing import Fact
from proseform.tasks.cv.filling import Filling
from proseform.tasks.cv.judgement import Need, Shown
from proseform.tasks.cv.pages import Page
from proseform.tasks.cv.writing import Profile

UPDATED = ("Updated {}", "Last updated: {}", "Date: {}", "As of {}")
"""How a CV says when it was written."""
FULLNESS = (-0.25, 0.55)
"""Mean and deviation of the logarithm of how full a document is: 1 is the median."""
MOST = 4.0
"""The fullest: three pages."""
MADE_UP = (0, 250)
"""Names that nobody knows on a document of fullness 1 whose openness is 1, fewest and most."""
WRAPPED = 0.3
"""How often a reader gives a document in lines of one width, its sentences cut."""
WIDTHS = (58, 104)
"""That width, in characters."""
SHOUTED = 0.35
"""How often headings are in capitals."""
MARKS = ("", "", "", ":", ":-", " :")
"""What stands behind headings."""
LABELS = ("Clients", "Products", "Brands", "Sites", "Accounts", "Partners", "Systems")
"""What names that nobody knows are called."""
ONE_NAME_IN = 6
"""The most of them in a line."""
TOLD, JOINED, TITLED = 0.7, 0.4, 0.3
"""How often each way to reach the candidate is told, all are in one line, and the CV says that it is one."""
AIRY, PARTED = 0.6, 0.3
"""How often a blank line stands above headings, and behind an employment."""


class SentPage(Page):
    """One CV as people send it.

    Args:
        rng: Where chance comes from.
        profile: What it is written from.
        sector: Which duties fit.
    """

    def __init__(self, rng: random.Random, profile: Profile, sector: str) -> None:
        super().__init__(rng, profile, sector)
        self._around, self._duties = data("words/around.en"), data("words/duties.en")
        self._fullness = min(MOST, rng.lognormvariate(*FULLNESS))
        self._openness, self._roughness = rng.random() ** 2, rng.random()
        self._places = {need.subject for need in profile.facts if need.kind == "place"}
        self._lacked = _names(need for need, fact in profile.facts.items() if fact is None and need.kind != "degree")
        self._settle()

    def _settle(self) -> None:
        """Let the candidate live in a city that nobody asks for, unless the place is shown."""
        while (city := advert.city(self._rng)) in self._places:
            pass
        self._live(city)

    def _live(self, city: str) -> None:
        """Where the candidate lives."""
        self._city = city
        self._filling = Filling(self._rng, self._profile.name, city)

    def _place(self, need: Need, fact: Fact) -> Shown:
        """A place: where the candidate lives."""
        shown = super()._place(need, fact)
        self._live(self._city)
        return shown

    def _many(self, few: float, most: float) -> int:
        """A count between two, for a document of fullness 1."""
        return round(self._rng.uniform(few, most) * self._fullness)

    def _some(self, lines: Iterable[str], few: float, most: float) -> list[str]:
        """So many of the lines, each filled, none twice; none that names what the candidate lacks."""
        pool = list(lines)
        drawn = self._rng.sample(pool, min(len(pool), self._many(few, most)))
        written = [rough.line(self._rng, self._filling.fill(one), self._filling, self._roughness) for one in drawn]
        return [line for line in written if not self._lacked.search(line)]

    def _employment(self, period: str, title: str) -> str:
        """The head of an employment, and what the employer is."""
        head = super()._employment(period, title)
        told = [
            *self._some(self._duties["employer"]["about"], 0, 0.8),
            *self._some(self._duties["employer"]["role_note"], 0, 0.8),
        ]
        return "\n".join((head, *told))

    def _fill(self) -> None:
        """Everything that counts for nothing."""
        super()._fill()
        rng, around, duties = self._rng, self._around, self._duties
        mixed: list[list[str]] = []
        lines = [*duties["duty"]["general"], *duties["duty"].get(self._sector, ())]
        for head, *shown in self._sections.work:
            deeds = [*shown, *self._some(lines, 1, 9)]
            rng.shuffle(deeds)
            mixed.append([head, *deeds])
        self._sections.work[:] = mixed
        for section, lines, few, most in (
            ("objective", around["objective"], 0, 1.6),
            ("profile", around["profile"], 0, 4),
            ("strengths", around["strengths"], 0, 9),
            ("interests", around["interests"], 0, 4),
            ("awards", around["awards"], 0, 1.6),
            ("volunteering", around["volunteering"], 0, 1.2),
            ("training", duties["training"]["courses"], 0, 3),
            ("publications", duties["publication"]["titles"], 0, 1.2),
            ("education", duties["schooling"]["detail"], 0, 3),
            ("education", duties["schooling"]["school"], 0, 2.5),
            ("references", around["references"], 0, 1.2),
            ("references", around["reference"], 0, 1.5),
            ("declaration", around["declaration"], 0, 1.6),
        ):
            for line in self._some(lines, few, most):
                self._sections.add(section, line)
        for title in self._some(duties["project"]["title"], 0, 3):
            self._sections.add("projects", title)
            for line in self._some(duties["project"]["about"], 0, 2) + self._some(duties["project"]["role"], 0, 1):
                self._sections.add("projects", line)
        self._sections.lines["personal"] = self._personal()
        self._made_up()

    def _personal(self) -> list[str]:
        """Lines of personal data, all joined in one way."""
        table: Mapping[str, Any] = self._around["personal"]
        joint = self._rng.choice(table["joint"])
        labels = self._rng.sample(list(table["label"]), min(len(table["label"]), self._many(0, 9)))
        return [f"{label}{joint}{self._filling.fill(self._rng.choice(table['label'][label]))}" for label in labels]

    def _made_up(self) -> None:
        """Names that nobody knows, where a document would have clients, products and people."""
        rng, left = self._rng, round(self._many(*MADE_UP) * self._openness)
        places = (*self._sections.work, self._sections.lines.setdefault("projects", []))
        while left > 0:
            count = rng.randint(1, ONE_NAME_IN)
            named = ", ".join(self._filling.made() for _ in range(count))
            rng.choice(places).append(f"{rng.choice(LABELS)}: {named}")
            left -= count

    def _head(self) -> list[str]:
        """Name, title and how to be reached, in one of many orders."""
        rng, contact, updated = self._rng, self._around["contact"], self._profile.career.updated
        told = [self._filling.fill(rng.choice(kinds)) for kinds in contact.values() if rng.random() < TOLD]
        rng.shuffle(told)
        if told and rng.random() < JOINED:
            told = [rng.choice((" | ", ", ", " • ")).join(told)]
        over = [self._filling.fill(rng.choice(self._around["title"]))] if rng.random() < TITLED else []
        own = rng.choice(([self._profile.title], [f"{self._profile.title}, {self._city}"], []))
        lived = [] if any(self._city in line for line in (*own, *told)) else [self._city]
        dated = [rng.choice(UPDATED).format(updated)] if updated else []
        return [*over, self._profile.name, *own, *lived, *dated, *told]

    def _laid_out(self) -> str:
        """The lines as a reader gives them."""
        rng = self._rng
        lines = self._sections.lines
        lines["skills"] = self._skills()
        bullet = self._bullet
        work = []
        for head, *deeds in self._sections.work:
            work += [head, *(f"{bullet}{deed}" for deed in deeds)]
            work += [""] * (rng.random() < PARTED)
        sections = {"experience": work, **lines}
        first = [name for name in ("objective", "profile") if sections.get(name)]
        last = [name for name in ("personal", "references", "declaration") if sections.get(name)]
        order = [name for name in sections if sections[name] and name not in (*first, *last)]
        rng.shuffle(order)
        shouted, mark, gap = rng.random() < SHOUTED, rng.choice(MARKS), [""] * (rng.random() < AIRY)
        body = self._head()
        for name in (*first, *order, *last):
            heading = rng.choice(self._around["heading"].get(name) or self._words["heading"][name])
            listed = bullet if name in ("strengths", "interests", "training", "awards") else ""
            body += [*gap, (heading.upper() if shouted else heading) + mark]
            body += [f"{listed}{line}" for line in sections[name]]
        body += self._some(self._around["signature"], 0, 2)
        return "\n".join(self._cut(body) if rng.random() < WRAPPED else body)

    def _skills(self) -> list[str]:
        """The skills, in one line, in some, or one a line."""
        rng, skills = self._rng, self._sections.lines.get("skills", [])
        rng.shuffle(skills)
        match rng.choice(("row", "rows", "list")) if skills else "list":
            case "row":
                return [", ".join(skills)]
            case "rows":
                return [", ".join(skills[at : at + 4]) for at in range(0, len(skills), 4)]
            case _:
                return [f"{self._bullet}{line}" for line in skills]

    def _cut(self, lines: list[str]) -> list[str]:
        """The lines as pages have them: of one width, with what stands at the head and the foot of a page."""
        for noise in self._some(self._duties["noise"]["page"], 0, 1):
            lines.insert(self._rng.randrange(len(lines) // 2, len(lines)), noise)
        width = self._rng.randint(*WIDTHS)
        cut = [textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""] for line in lines]
        return [part for parts in cut for part in parts]


def _names(needs: Iterable[Need]) -> re.Pattern[str]:
    """What finds a name of something that is needed, at word borders and in any case."""
    subjects = {one for need in needs for one in need.alternatives}
    words = subjects | {other for one in subjects for other in data("synonyms").get(one, ())}
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(words))) or '(?!)'})(?!\w)", re.IGNORECASE)
