"""Invented people and their CVs, composed from ``lexicon.toml`` by a seed, laid out as sheets."""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.documents.sheets import Dated, Heading, Item, Line, Part, Row, Sheet

MARKS = ("•", "◦", "▪", "\u2013", "►", "✓", "*", "·", "1.", "2)", "a)", "(b)")
_TOOLS = ("Python", "SQL", "Excel", "Kubernetes", "AutoCAD", "SAP", "Git", "Node.js", "TensorFlow", "Jira")
_NONCE = ("zor", "vax", "qim", "plu", "drek", "wib", "nuz", "gral")


@cache
def _lexicon() -> dict[str, dict[str, Any]]:
    """All tables of ``lexicon.toml``."""
    return tomllib.loads(Path(__file__).with_name("lexicon.toml").read_text(encoding="utf-8"))


def scripts() -> tuple[str, ...]:
    """The scripts that there are words of."""
    return tuple(_lexicon())


@dataclass(frozen=True, slots=True)
class Author:
    """Draws words of one script.

    Attributes:
        words: A table of the lexicon.
        random: Where draws come from.
    """

    words: dict[str, Any]
    random: random.Random

    def name(self) -> str:
        """A person's or a place's own name."""
        parts = ["".join(self.random.choices(self.words["syllables"], k=self.random.randint(2, 3))) for _ in range(2)]
        return " ".join(part.title() if self.words.get("title") else part for part in parts)

    def one(self, kind: str) -> str:
        """One word or phrase of a kind."""
        return self.random.choice(self.words[kind])

    def firm(self) -> str:
        """An employer or a school."""
        return self.one("firm").format(name=self.name().split()[0])

    def sentence(self) -> str:
        """What somebody did."""
        thing, other = self.random.sample(self.words["objects"], 2)
        return self.one("sentences").format(
            verb=self.one("verbs"), object=thing, other=other, tool=self.random.choice(_TOOLS),
            number=self.random.randint(2, 98),
        )  # fmt: skip

    def sentences(self, count: int) -> str:
        """Some of them as a paragraph."""
        return " ".join(self.sentence() for _ in range(count))

    def date(self, year: int) -> str:
        """A month of a year."""
        month = self.random.randint(1, 12)
        return self.one("dates").format(year=year, m=month, month=self.words["months"][month - 1])

    def span(self, year: int, years: int, *, now: bool = False) -> str:
        """From a month to a month."""
        return f"{self.date(year)} \u2013 {self.words['present'] if now else self.date(year + years)}"


def sheet(layout: str, script: str, seed: int, *, codec: str = "utf-8") -> Sheet:
    """A CV of an invented person.

    Args:
        layout: One of :data:`benchmarks.documents.sheets.LAYOUTS`.
        script: A table of the lexicon.
        seed: Whatever differs from sheet to sheet.
        codec: Only words that this encoding can write are drawn.

    Raises:
        LookupError: The encoding can write no word of some kind.
    """
    words = {
        key: [text for text in value if _written(text, codec)] if isinstance(value, list) else value
        for key, value in _lexicon()[script].items()
    }
    months, all_months = words["months"], _lexicon()[script]["months"]
    if not all(words[key] for key in ("syllables", "roles", "headings", "sentences")) or len(words["objects"]) < 2:  # noqa: PLR2004 - two are drawn
        raise LookupError(f"{codec} cannot write {script}")
    words["months"] = [month if month in months else str(number) for number, month in enumerate(all_months, 1)]
    words["headings"] = (words["headings"] * 6)[:6]
    words["labels"] = (words["labels"] * 4)[:4]
    author = Author(words, random.Random(f"{layout} {script} {seed} {codec}"))
    head = _head(author)
    sections = _sections(author, layout)
    if layout == "sidebar":
        side = (*head[2:], *sections[3], *sections[4], *sections[5])
        return _made(layout, script, words, tuple(head[:2]), (side, (*sections[0], *sections[1], *sections[2])))
    if layout == "two-columns":
        left, right = (*sections[0], *sections[1]), (*sections[2], *sections[3], *sections[4], *sections[5])
        return _made(layout, script, words, tuple(head), (left, right))
    body = tuple(part for section in sections for part in section)
    running = f"{author.name()} · {author.words['labels'][0]}" if layout == "pages" else ""
    hidden = tuple(
        " ".join("".join(author.random.choices(_NONCE, k=3)) for _ in range(6)) for _ in range(3)
    ) if layout == "hidden" else ()  # fmt: skip
    return _made(layout, script, words, tuple(head), (body,), running, hidden)


def _made(
    layout: str, script: str, words: dict[str, Any], top: tuple[Part, ...], columns: tuple[tuple[Part, ...], ...],
    running: str = "", hidden: tuple[str, ...] = (),
) -> Sheet:  # fmt: skip
    """A sheet of its parts."""
    return Sheet(layout, script, words["language"], bool(words.get("rtl")), top, columns, running, hidden)


def _written(text: str, codec: str) -> bool:
    """Whether an encoding has all letters of a text."""
    try:
        return bool(text.encode(codec))
    except UnicodeEncodeError:
        return False


def _head(author: Author) -> list[Part]:
    """Name, role and contact."""
    label = author.words["labels"]
    number = author.random.randint(100, 999)
    return [
        Heading(author.name(), 0),
        Line(author.one("roles")),
        Line(f"{label[0]}: {author.one('places')} {number}"),
        Line(f"{label[1]}: 0{number % 90 + 10} {number} {number * 7:04}"),
        Line(f"{label[2]}: cv{number}@example.org"),
    ]


def _sections(author: Author, layout: str) -> list[list[Part]]:
    """Profile, experience, education, skills, languages, interests."""
    many = 4 if layout == "pages" else 1
    marks = iter(MARKS * 40) if layout == "bullets" else iter(("•",) * 480)
    year = 2025
    experience: list[Part] = []
    for number in range(3 * many):
        years = author.random.randint(1, 2)
        year -= years
        experience += _role(author, layout, author.span(year, years, now=not number), marks, many)
    skills = author.random.sample(author.words["skills"], len(author.words["skills"]))
    tools = author.random.sample(_TOOLS, 4)
    languages: list[Part] = [
        Row(language, f"B{author.random.randint(1, 2)}") if layout in {"table", "form"} else Item(language, next(marks))
        for language in author.words["languages"]
    ]
    sections: list[list[Part]] = [
        [Line(author.sentences(3 * many))],
        experience,
        [_dated(layout, f"{author.firm()}, {author.one('roles')}", author.span(year - 8 + n, 1)) for n in (3, 0)],
        [Line(", ".join([*skills, *tools]))] if layout != "bullets" else [Item(text, next(marks)) for text in skills],
        languages,
        [Line(author.sentences(2))],
    ]
    headings = author.words["headings"]
    if layout == "letter-spaced" or (layout == "sidebar" and author.words.get("title")):
        headings = [heading.upper() for heading in headings]
    return [[Heading(heading), *section] for heading, section in zip(headings, sections, strict=True)]


def _role(author: Author, layout: str, span: str, marks: Any, many: int) -> list[Part]:
    """One employment."""
    if layout == "table":
        return [Row(span, f"{author.one('roles')}, {author.firm()}. {author.sentences(2)}")]
    deeds: list[Part] = [Item(author.sentence(), next(marks)) for _ in range(2 + many)]
    return [_dated(layout, author.one("roles"), span), Line(f"{author.firm()}, {author.one('places')}"), *deeds]


def _dated(layout: str, text: str, span: str) -> Part:
    """A title with its dates, as the layout puts them."""
    if layout == "table":
        return Row(span, text)
    if layout in {"two-columns", "tight", "small-caps"}:
        return Line(f"{text} ({span})")
    return Dated(text, span)
