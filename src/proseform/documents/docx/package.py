"""The package of a DOCX (Open Packaging Conventions): its main part, and the parts that a part refers to.

A relation to a part that is not there, or to one outside, is no relation: Word opens such documents too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proseform.documents.archive import Archive, beside

if TYPE_CHECKING:
    from lxml.etree import _Element


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a package that is XML.

    Attributes:
        archive: The package.
        name: The part's name.
        root: Its root element.
        relations: Relation id to the kind of the relation (the last piece of its type) and the part's name.
    """

    archive: Archive
    name: str
    root: _Element
    relations: dict[str, tuple[str, str]]

    def related(self, kind: str) -> str:
        """The name of the first part of a kind, such as ``styles``; empty where there is none."""
        return next((name for one, name in self.relations.values() if one == kind), "")

    def part(self, kind: str) -> Part | None:
        """The first part of a kind, such as ``styles``."""
        return opened(self.archive, self.related(kind))

    def root_of(self, kind: str) -> Any:
        """The root element of the first part of a kind; None where there is none."""
        part = self.part(kind)
        return None if part is None else part.root


def main_part(archive: Archive) -> Part:
    """The part that holds the document's text: what the package says, else ``word/document.xml``.

    Raises:
        DocumentError: There is none.
    """
    names = [name for kind, name in _relations(archive, "").values() if kind == "officeDocument"]
    for name in (*names, "word/document.xml"):
        part = opened(archive, name)
        if part is not None:
            return part
    raise archive.damaged("it has no text part")


def opened(archive: Archive, name: str) -> Part | None:
    """A part by its name; None where there is none."""
    root = archive.xml(name) if name else None
    return None if root is None else Part(archive, name, root, _relations(archive, name))


def _relations(archive: Archive, name: str) -> dict[str, tuple[str, str]]:
    """The relations of a part, or of the package, that lead to parts which are there."""
    folder, _, file = name.rpartition("/")
    root = archive.xml(f"{folder}/_rels/{file}.rels" if folder else f"_rels/{file}.rels")
    relations = {}
    for one in () if root is None else root:
        target = beside(name, one.get("Target", ""))
        if one.get("TargetMode") != "External" and target in archive:
            relations[one.get("Id", "")] = one.get("Type", "").rpartition("/")[2], target
    return relations
