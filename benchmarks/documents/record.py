"""What is known of a document: a JSON file beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.documents.sheets import Sheet

Expected = Literal["read", "reported", "refused", "either"]


@dataclass(frozen=True, slots=True)
class Record:
    """What a reader has to give for one document.

    Attributes:
        file: Its name in the folder.
        writer: Who wrote it.
        layout: How.
        script: In which script.
        blocks: Its texts in reading order, by block.
        orders: Orders of blocks that are right.
        optional: Texts that may come out or not: list marks, running heads.
        hidden: Texts that must not come out.
        expected: Whether it is to be read, read with a finding, refused, or either read or refused; ``reported`` may be
            refused too.
        fold_case: Whether the writer drew other letters than it was given, as small capitals are.
    """

    file: str
    writer: str
    layout: str
    script: str
    blocks: list[list[str]] = field(default_factory=list)
    orders: list[list[int]] = field(default_factory=lambda: [[0]])
    optional: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    expected: Expected = "read"
    fold_case: bool = False

    @classmethod
    def of(cls, sheet: Sheet, file: str, writer: str) -> Record:
        """What is known of a sheet that a writer wrote."""
        optional = [*sheet.marks, *[sheet.running] * 20, *(f"{number} / {number}" for number in range(20))]
        return cls(
            file, writer, sheet.layout, sheet.script, sheet.blocks, sheet.orders, optional if sheet.running else
            sheet.marks, list(sheet.hidden), fold_case=sheet.layout == "small-caps",
        )  # fmt: skip

    def write(self, folder: Path) -> None:
        """Put it beside its document."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        (folder / f"{self.file}.json").write_text(text + "\n", encoding="utf-8")


def records(folder: Path) -> Iterator[Record]:
    """The records of a folder, in order of their files."""
    for path in sorted(folder.glob("*.*.json")):
        yield Record(**json.loads(path.read_text(encoding="utf-8")))
