"""What an RTF document is read into: stories (the text, a header, a text box), and the state that groups hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from proseform.documents.tables import row_lines


@dataclass(slots=True)
class Story:
    """A run of paragraphs: the text itself, a header, a footnote, a text box.

    Attributes:
        lines: The lines that are complete.
        pieces: The text of the paragraph that is not.
        marker: What its list puts before it.
        cell: The complete lines of the table cell that is not.
        cells: The complete cells of the table row that is not.
        boxes: Text boxes that are anchored in the paragraph.
    """

    lines: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    marker: str = ""
    cell: list[str] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)
    boxes: list[Story] = field(default_factory=list)

    def text(self) -> str:
        """The text since the last call, with the marker of its list."""
        text, self.pieces, marker, self.marker = "".join(self.pieces), [], self.marker, ""
        return marker + text if text.strip() else text

    def end(self, *, in_table: bool = False, heading: bool = False) -> None:
        """The end of a paragraph."""
        text = self.text()
        target = self.cell if in_table else self.lines
        target += ["", text] if heading and text.strip() else [text]
        for box in self.boxes:
            target += box.closed()
        self.boxes = []

    def end_cell(self) -> None:
        """The end of a table cell."""
        self.end(in_table=True)
        self.cells.append(self.cell)
        self.cell = []

    def end_row(self) -> None:
        """The end of a table row."""
        self.lines += row_lines(self.cells)
        self.cells = []

    def closed(self) -> list[str]:
        """All lines; what is not complete ends here."""
        if self.pieces or self.boxes:
            self.end(in_table=bool(self.cell or self.cells))
        if self.cell:
            self.end_cell()
        if self.cells:
            self.end_row()
        return self.lines


@dataclass(slots=True)
class State:
    """What holds within a group; a group within begins with a copy.

    Attributes:
        story: Where text goes; None leaves it out.
        at_end: What to do when the group ends.
        font: The number of the font.
        fallbacks: Characters behind a Unicode character that repeat it for old readers.
        hidden: Whether letters are hidden.
        deleted: Whether they are deleted.
        half_points: Twice their size in points.
        colour: The number of their colour; 0 is the reader's own.
        ground: The number of the colour behind them; 0 is that of their paragraph.
        paragraph_ground: The number of the colour behind the paragraph; 0 is the page's.
        boxed: Whether they stand in a text box, whose ground is not known.
        in_table: Whether paragraphs stand in a table.
        heading: Whether they are headings.
        table: The table that the group belongs to: ``fonts``, ``colours``, ``styles``.
        style: The number of the style that the group describes.
    """

    story: Story | None
    at_end: Callable[[], None] | None = None
    font: int = -1
    fallbacks: int = 1
    hidden: bool = False
    deleted: bool = False
    half_points: int = 24
    colour: int = 0
    ground: int = 0
    paragraph_ground: int = 0
    boxed: bool = False
    in_table: bool = False
    heading: bool = False
    table: str = ""
    style: int | None = None
