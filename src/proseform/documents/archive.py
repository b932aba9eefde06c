"""Zip archives that hold a document (DOCX, ODT), opened within limits.

zipfile unpacks no more of a part than the directory declares, so the directory alone decides what is too large. How
long a part takes and how much memory is known by its tags, which are counted before a parser sees them.
"""

from __future__ import annotations

import io
import lzma
import posixpath
import zipfile
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from proseform.documents.extract import reason
from proseform.errors import DocumentError

if TYPE_CHECKING:
    from lxml.etree import _Element

MAX_UNPACKED = 64 * 1024 * 1024
MAX_XML = 16 * 1024 * 1024
MAX_PARTS = 2000
MAX_TAGS = 400_000
"""Opening and closing tags of one part: a page has about 1,000; this many take half a second and 100 MB."""

_SMALLER = "Save it without pictures and embedded files, or as PDF."


class Archive:
    """An opened archive; names of parts are compared without regard to case or to the kind of slash.

    Args:
        data: The archive.
        where: Its name for messages.
        kind: What it is for messages: ``DOCX``.

    Raises:
        DocumentError: Damaged, encrypted, or too large.
    """

    def __init__(self, data: bytes, where: str, kind: str) -> None:
        self.where, self.kind = where, kind
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            infos = self._zip.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise self.damaged(reason(error)) from error
        if any(info.flag_bits & 1 for info in infos):
            raise DocumentError(
                f"{where} is an encrypted zip archive.", hint="Save a copy without a password and give that."
            )
        size = sum(info.file_size for info in infos)
        xml = sum(info.file_size for info in infos if info.filename.endswith((".xml", ".rels")))
        if size > MAX_UNPACKED or xml > MAX_XML or len(infos) > MAX_PARTS:
            what = f"{len(infos)} parts of {size / 2**20:.0f} MiB, {xml / 2**20:.0f} MiB of them XML"
            raise DocumentError(f"{where} unpacks to {what}: too large.", hint=_SMALLER)
        self._infos = {_folded(info.filename): info for info in infos}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parts, in lower case, with slashes."""
        return tuple(self._infos)

    def __contains__(self, name: str) -> bool:
        """Whether there is a part of that name."""
        return _folded(name) in self._infos

    def damaged(self, why: str) -> DocumentError:
        """The error for an archive that cannot be read."""
        return DocumentError(
            f"{self.where} is a damaged {self.kind}: {why}.",
            hint="Open it in a word processor and save it again, or as PDF.",
        )

    def read(self, name: str) -> bytes | None:
        """A part; None where there is none.

        Raises:
            DocumentError: The part is damaged.
        """
        info = self._infos.get(_folded(name))
        try:
            return None if info is None else self._zip.read(info)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError) as error:
            raise self.damaged(reason(error)) from error  # a RuntimeError is also a compression that is not known

    def xml(self, name: str) -> _Element | None:
        """The root element of a part; None where there is none.

        Raises:
            DocumentError: The part is damaged, or has more tags than ``MAX_TAGS``.
        """
        data = self.read(name)
        return None if data is None else parse_xml(data, self.where, self.damaged)


def parse_xml(data: bytes, where: str, damaged: Callable[[str], DocumentError]) -> Any:
    """The root element of XML, without its comments and instructions; entities of its own are not expanded.

    Raises:
        DocumentError: It is no XML (as ``damaged`` says), or it has more tags than ``MAX_TAGS``.
    """
    from lxml import etree  # a text file does without

    tags = data.count(b"<")
    if tags > MAX_TAGS:
        raise DocumentError(f"{where} holds {tags:,} XML tags, at most {MAX_TAGS:,} are read.", hint=_SMALLER)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise damaged(reason(error)) from error


def beside(name: str, target: str) -> str:
    """The name of a part that another one refers to; a target that begins with a slash is absolute."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), target)).lstrip("/")


def _folded(name: str) -> str:
    """A name as it is compared; some programs write backslashes."""
    return name.replace("\\", "/").lstrip("/").casefold()
