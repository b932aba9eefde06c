"""A document as a value: what stands on its pages, in which order, in which layout; no writer's markup.

Blocks are the regions of the first page from the top: the head over the full width, then one or two columns. A reader
may take a sidebar before or after the main column; every other layout has one reading order.
"""

from __future__ import annotations

from dataclasses import dataclass

LAYOUTS = (
    "one-column", "two-columns", "sidebar", "table", "centred", "tight", "letter-spaced", "small-caps", "bullets",
    "form", "pages", "hidden",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 0 is the person's name."""

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Line:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """An entry of a list, with the mark that stands before it."""

    text: str
    mark: str = "•"


@dataclass(frozen=True, slots=True)
class Dated:
    """A line whose date stands at the far margin."""

    text: str
    date: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table of two columns."""

    label: str
    text: str


Part = Heading | Line | Item | Dated | Row


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document.

    Attributes:
        layout: One of :data:`LAYOUTS`.
        script: A table of ``lexicon.toml``.
        language: Its language, by BCP 47.
        rtl: Whether it is written from right to left.
        top: What stands over the full width.
        columns: One or two columns below; of a sidebar the narrow one comes first.
        running: What is repeated at the head of every page, beside the page's number; empty where nothing is.
        hidden: Texts that no reader may give, each hidden in another way that the format has.
    """

    layout: str
    script: str
    language: str
    rtl: bool
    top: tuple[Part, ...]
    columns: tuple[tuple[Part, ...], ...]
    running: str = ""
    hidden: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The person's name."""
        return next(part.text for part in self.top if isinstance(part, Heading))

    @property
    def blocks(self) -> list[list[str]]:
        """The texts of each block in reading order."""
        return [[text for part in block for text in texts(part)] for block in (self.top, *self.columns)]

    @property
    def orders(self) -> list[list[int]]:
        """The orders of blocks that are right."""
        blocks = list(range(1 + len(self.columns)))
        return [blocks, [0, 2, 1]] if self.layout == "sidebar" else [blocks]

    @property
    def marks(self) -> list[str]:
        """The marks of lists, which a reader may give or not."""
        return [part.mark for block in (self.top, *self.columns) for part in block if isinstance(part, Item)]


def texts(part: Part) -> list[str]:
    """The texts of a part in reading order."""
    match part:
        case Dated(text, date):
            return [text, date]
        case Row(label, text):
            return [label, text]
        case _:
            return [part.text]
