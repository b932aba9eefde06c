r"""An input, as a value: the text as it was given, the text as the model sees it, and the findings.

Nothing invisible reaches a model: control characters, zero-width and bidirectional marks, the tag block and lone
surrogates are removed or replaced, and each is reported as a finding. Line ends become ``\n``. Everything else is kept.
:meth:`Input.locate` maps a span of the model's text back to the text as it was given.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from proseform.offsets import Offsets, substituted

NEWLINES = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""Every line end that is not a line feed."""

SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")
"""Surrogates: two halves that form one character, or a half that is alone."""

INVISIBLE = re.compile("[\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")
"""Zero width, bidirectional controls and the tag block, which can hide instructions to a model."""

COMPOSABLE = re.compile("[\x00-\x7f]?[^\x00-\x7f]+")
"""A piece that Unicode normalises by itself: no ASCII character composes with what precedes it."""

MOST_MARKS = 30
"""Marks on one letter that are put in order together: Unicode's normal forms compare each with those before it, and no
language has more (UAX #15, stream-safe text)."""

JOINERS = re.compile("(?<![\u0590-\U0010ffff])[\u200c\u200d]+")
"""Zero-width joiners where they are noise: after Latin. In Persian, Hindi and emoji they are spelling."""

SELECTORS = re.compile("(?<=[\ufe00-\ufe0f\U000e0100-\U000e01ef])[\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
"""Variation selectors after a variation selector: one is spelling, a run of them is hidden data."""

CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
"""Control characters other than tab and line ends."""

_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
"""What may be changed of a text in ASCII: most have nothing of it, and are looked at once instead of six times."""

MOST_FINDINGS = 20
"""Findings of one kind that are listed one by one; the rest are counted in one more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about an input that whoever reads the answer should know.

    Attributes:
        kind: One word: ``control``, ``invisible``, ``surrogate``, ``special_token``, ``encoding`` …
        message: One sentence for people.
        start: Where it begins in the raw text, in code points; None where it has no place.
        end: Where it ends.
    """

    kind: str
    message: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an input came from.

    Attributes:
        file: The file's name; empty for text that came in a request or a dataset row.
        kind: What was read: ``text``, ``pdf``, ``docx``, ``odt``, ``rtf``, ``html``, ``markdown``, ``json``.
        encoding: The encoding that was used; empty where there was none to choose.
        pages: Pages of a paged document; 0 for every other kind.
    """

    file: str = ""
    kind: str = "text"
    encoding: str = ""
    pages: int = 0


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a case.

    Attributes:
        raw: The text as given, or as a reader extracted it; may hold lone surrogates, which cannot be encoded.
        text: The text as the model sees it.
        offsets: From ``text`` to ``raw``.
        origin: Where it came from.
        findings: What was removed, replaced or noticed, in order of place within each kind.
    """

    raw: str
    text: str
    offsets: Offsets
    origin: Origin = Origin()
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, raw: str | Input, *, origin: Origin | None = None, findings: Iterable[Finding] = ()) -> Input:
        r"""Clean a text; an input stays as it is.

        >>> name = Input.of("Ana\u200b Silva\x00")
        >>> name.text, name.locate(4, 9), [finding.kind for finding in name.findings]
        ('Ana Silva', (5, 10), ['invisible', 'control'])
        """
        if isinstance(raw, Input):
            return raw if origin is None and not findings else replace(
                raw, origin=origin or raw.origin, findings=(*raw.findings, *findings)
            )  # fmt: skip
        text, offsets, cleaned = clean(raw)
        return cls(raw, text, offsets, origin or Origin(), (*findings, *cleaned))

    def locate(self, start: int, end: int) -> tuple[int, int]:
        """Where ``text[start:end]`` stands in ``raw``; see :meth:`proseform.offsets.Offsets.locate`."""
        return self.offsets.locate(start, end)

    def with_findings(self, findings: Iterable[Finding]) -> Input:
        """The same input with further findings."""
        return replace(self, findings=(*self.findings, *findings))


def clean(raw: str) -> tuple[str, Offsets, tuple[Finding, ...]]:
    """Remove what no model should see; gives text, offsets and findings. Cleaning twice changes nothing."""
    text, offsets = raw, Offsets.same(len(raw))
    if raw.isascii() and not _ODD.search(raw):
        return text, offsets, ()
    findings: list[Finding] = []
    for kind, pattern, new, words in _STEPS:
        if not pattern.search(text):
            continue
        if words:
            findings += _listed(kind, words, [offsets.locate(*span) for span in _spans(pattern, text)])
        text, step = substituted(pattern, _whole if kind == "surrogate" else new, text)
        offsets = offsets.then(step)
    return text, offsets, tuple(findings)


def composed(match: re.Match[str]) -> str:
    """A piece that :data:`COMPOSABLE` matches, in NFC."""
    return nfc(match[0])


def nfc(text: str) -> str:
    r"""A text in NFC, but that marks on one letter are put in order :data:`MOST_MARKS` at a time.

    >>> nfc("e\u0301") == "\u00e9"
    True
    """
    if text.isascii():
        return text
    cuts = [match.end() for match in _marked().finditer(text)]
    return "".join(unicodedata.normalize("NFC", text[start:end]) for start, end in pairwise((0, *cuts, len(text))))


@cache
def _marked() -> re.Pattern[str]:
    """So many marks in a row as no letter has."""
    marks = [code for code in range(0x300, 0x1F000) if unicodedata.combining(chr(code))]
    starts = [code for code in marks if not unicodedata.combining(chr(code - 1))]
    ends = [code for code in marks if not unicodedata.combining(chr(code + 1))]
    ranges = "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))
    return re.compile(f"[{ranges}]{{{MOST_MARKS}}}")


def of_each(values: Mapping[str, str | Input]) -> dict[str, Input]:
    """Named texts, such as a case's inputs, as inputs; see :meth:`Input.of`."""
    return {name: Input.of(value) for name, value in values.items()}


def _whole(match: re.Match[str]) -> str:
    """Two halves of a surrogate pair as their character, a lone one as U+FFFD."""
    return match[0].encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _spans(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Spans of a pattern's matches, adjacent ones joined; surrogate pairs are passed over."""
    start = end = -1
    for match in pattern.finditer(text):
        if pattern is SURROGATES and match.end() - match.start() > 1:
            continue
        if match.start() != end:
            if end > start:
                yield start, end
            start = match.start()
        end = match.end()
    if end > start:
        yield start, end


def _listed(kind: str, words: str, spans: list[tuple[int, int]]) -> Iterator[Finding]:
    """A finding for each span, up to :data:`MOST_FINDINGS`, and one for the rest."""
    for start, end in spans[:MOST_FINDINGS]:
        yield Finding(kind, f"{words} ({end - start}).", start, end)
    if len(spans) > MOST_FINDINGS:
        yield Finding(kind, f"{words}: {len(spans) - MOST_FINDINGS} more places.")


_STEPS = (
    ("surrogate", SURROGATES, "", "Half of a character (a lone surrogate) was replaced by U+FFFD"),
    ("", NEWLINES, "\n", ""),
    ("invisible", INVISIBLE, "", "Invisible characters (zero width, direction, tags) were left out"),
    ("control", CONTROLS, "", "Control characters were left out"),
    ("", JOINERS, "", ""),
    ("invisible", SELECTORS, "", "A run of variation selectors was left out"),
)
