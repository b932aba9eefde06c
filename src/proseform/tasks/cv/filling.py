"""What stands in the fields of a line: numbers, dates, and people, schools and employers that nobody knows."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping

from proseform.tasks.cv import names
from proseform.tasks.cv.data import data

_FIELD = re.compile(r"\{(\w+)\}")
_NUMBERS = ((2, 12), (12, 90), (100, 900))
"""Ranges of which one is taken for a number."""
_STREETS = ("Street", "Road", "Lane", "Avenue", "Square", "Way", "Row", "Hill")
_LETTERS = "ABCEFGHJKLMNP"


class Filling:
    """Fills lines for one candidate.

    Args:
        rng: Where chance comes from.
        candidate: The candidate's name.
        city: Where the candidate lives.
    """

    def __init__(self, rng: random.Random, candidate: str, city: str) -> None:
        self._rng = rng
        self._first = "".join(letter for letter in candidate.lower().split()[0] if letter.isalpha())
        self._city = city
        self._drawn: Mapping[str, Callable[[], str]] = {
            "name": lambda: candidate, "city": lambda: city,
            "number": self._number, "grade": lambda: f"{rng.uniform(2, 4):.2f}",
            "year": lambda: str(rng.randint(1995, 2024)), "years": self._years, "day": self._day,
            "person": lambda: names.person(rng, plain=False), "country": self.made, "made": self.made,
            "employer": lambda: self._named("employer"), "school": lambda: self._named("school"),
            "street": lambda: f"{rng.randint(1, 240)} {self.made()} {rng.choice(_STREETS)}",
            "email": lambda: f"{self._first}{rng.choice(('', '.', '_'))}{rng.randint(1, 999)}@{self._host()}",
            "phone": lambda: f"+{rng.randint(1, 99)} {rng.randint(100, 999)} {rng.randint(1000000, 9999999)}",
            "link": lambda: f"www.{self._host()}/{self._first}",
            "code": lambda: f"{rng.choice(_LETTERS)}{rng.randint(1000000, 9999999)}",
        }  # fmt: skip

    def fill(self, line: str) -> str:
        """A line with its fields drawn.

        Raises:
            KeyError: A field that nobody knows.
        """
        return _FIELD.sub(lambda field: self._drawn[field[1]](), line)

    def made(self) -> str:
        """A word that nobody knows."""
        return names.word(self._rng, data("words/syllables")["employer"]["stem"])

    def _named(self, kind: str) -> str:
        """An employer or a school."""
        syllables = data("words/syllables")
        tradition = self._rng.choice(syllables["tradition"])
        drawn = {"stem": syllables[kind]["stem"], "family": tradition["family"], "city": self._city}
        return names.put_together(self._rng, self._rng.choice(syllables[kind]["patterns"]["en"]), drawn)

    def _host(self) -> str:
        """The host of an address."""
        return f"{self.made().lower()}.{self._rng.choice(('com', 'com', 'net', 'org', 'co'))}"

    def _number(self) -> str:
        """A number."""
        return str(self._rng.randint(*self._rng.choice(_NUMBERS)))

    def _years(self) -> str:
        """Some years in a row."""
        first = self._rng.randint(1998, 2020)
        return f"{first}-{first + self._rng.randint(1, 4)}"

    def _day(self) -> str:
        """A day of birth or of issue."""
        rng = self._rng
        mark = rng.choice("./-")
        return mark.join((f"{rng.randint(1, 28):02}", f"{rng.randint(1, 12):02}", str(rng.randint(1962, 2003))))
