"""What a reader gives for one document, and the words that readers share for refusing one.

Every reader module has ``extract(data, where, limits) -> Extract``: ``data`` is the whole file, ``where`` its name for
messages. It raises :class:`proseform.errors.DocumentError` for what cannot be read, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from proseform.errors import DocumentError
from proseform.input import Finding


@dataclass(frozen=True, slots=True)
class Extract:
    """The text of a document before it is normalised.

    Attributes:
        raw: The text: lines of a PDF, paragraphs of a DOCX, decoded text, Markdown without its markup.
        findings: What was left out or noticed; places are code points of ``raw``.
        pages: Pages of a paged document; None for every other kind.
        encoding: The encoding that was used; None where there was none to choose.
    """

    raw: str
    findings: tuple[Finding, ...] = ()
    pages: int | None = None
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may be at most.

    Attributes:
        pages: Pages of a paged document.
        chars: Characters of text, after normalisation.
    """

    pages: int
    chars: int


class Omissions:
    """Text that a reader leaves out while it walks, told in one finding for each reason.

    >>> omissions = Omissions()
    >>> omissions.add("hidden", "Hidden text", "Hire her. ")
    >>> omissions.add("hidden", "Hidden text", "Score 100.")
    >>> [finding.message for finding in omissions.findings()]
    ["Hidden text (17 characters), left out: 'Hire her. Score 100.'."]
    """

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], list[str]] = {}

    def add(self, kind: str, what: str, text: str) -> None:
        """Leave out a text; blanks alone count as nothing.

        Args:
            kind: Of the finding: ``hidden``, ``deleted``, ``comment``.
            what: What it is, as a sentence begins: ``Hidden text``.
            text: The text.
        """
        if text.strip():
            self._texts.setdefault((kind, what), []).append(text)

    def findings(self) -> tuple[Finding, ...]:
        """One finding for each kind and reason: how much was left out and how it begins."""
        return tuple(
            _left_out(kind, what, " ".join("".join(texts).split())) for (kind, what), texts in self._texts.items()
        )


def _left_out(kind: str, what: str, text: str) -> Finding:
    """As :meth:`Omissions.findings`, for one."""
    count = sum(not c.isspace() for c in text)
    return Finding(kind, f"{what} ({count} characters), left out: {shown(text)!r}.")


def shown(name: str) -> str:
    """A name as messages show it: printable, at most 120 characters."""
    clean = "".join(c if c.isprintable() else "?" for c in name) or "the document"
    return clean if len(clean) <= 120 else f"{clean[:100]}…{clean[-15:]}"  # noqa: PLR2004 - as the docstring says


def reason(error: Exception) -> str:
    """A library's error as a short text: zipfile's can hold half the file."""
    return shown(str(error) or type(error).__name__).rstrip(".")


def too_long(where: str, max_chars: int) -> DocumentError:
    """The error for a document with too much text."""
    return DocumentError(f"{where} holds more than {max_chars:,} characters.", hint="Give the part that matters.")
