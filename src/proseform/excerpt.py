r"""An excerpt of a long input: the lines that bear on another input, so that a short prompt is enough to judge by.

A task states in ``excerpts.toml`` which input is shown so (:func:`proseform.task.files.excerpts`)::

    [letter]
    by = "question"       # lines that share a word with this input
    within = 1800         # characters; a shorter text is shown whole
    common = "a and the"  # words that tell nothing

Lines are taken while there is room, each whole, with the next one where that goes on in lower case: the first two,
which say whose text it is; then those that share the most words with the other input, other names of things counted
among its words, or bear a date. They are shown in the order of the text. A paragraph in one line counts as several.
Only the evaluator sees less: quotes are looked up in the whole text, and so is what a text is said not to name. An
answer says that an excerpt was shown, and how much of the text that was.

Knowingly left out: word forms ("managed" is not "management"), and headings.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from proseform.claims.dates import bears_date
from proseform.input import Finding, Input

FIRST = 2
"""Lines at the beginning that are always taken."""
MOST = 100_000
"""Characters that are looked at: what stands behind them is not shown."""
_WORD = re.compile(r"[^\W_][\w+#.&'\u2019-]*")
LEAST = 500
"""Characters of the shortest excerpt that a task may ask for: whatever a piece is, it has room."""
_LONG = 240
"""Characters of a line that is a paragraph: no piece has more than two such lines."""
_SENTENCES = re.compile(
    rf"\S.{{0,{_LONG - 2}}}(?:[.;!?](?=\s)|[\u3002\uff01\uff1b\uff1f])"  # ends of sentences, in wide forms too
    rf"|\S.{{0,{_LONG - 1}}}(?=\s|$)"
    rf"|\S.{{0,{_LONG - 1}}}"
)
"""As many sentences as fit, or as many words, or as many characters."""
_EDGES = ".'\u2019-&"


class Names:
    """Other names of things, found by the words that a text has.

    Args:
        synonyms: Names to other names, as :attr:`proseform.task.Task.synonyms`.
    """

    def __init__(self, synonyms: Mapping[str, Iterable[str]]) -> None:
        self._synonyms = synonyms

    @cached_property
    def _known(self) -> Mapping[str, Sequence[tuple[frozenset[str], frozenset[str]]]]:
        """By one word of it, each name's words, with those of all names of its thing."""
        known: dict[str, list[tuple[frozenset[str], frozenset[str]]]] = defaultdict(list)
        for name, others in self._synonyms.items():
            names = [*map(words, (name, *others))]
            group = frozenset().union(*names)
            for one in filter(None, names):
                known[min(one)].append((one, group))
        return known

    def beside(self, known: frozenset[str]) -> frozenset[str]:
        """The words of all other names of whatever has a name of these words alone.

        >>> sorted(Names({"kubernetes": ("K8s",)}).beside(frozenset({"run", "kubernetes"})))
        ['k8s', 'kubernetes']
        """
        return frozenset().union(
            *(group for word in known for name, group in self._known.get(word, ()) if name <= known)
        )


@dataclass(frozen=True)
class Excerpt:
    """How an excerpt of an input is made.

    Attributes:
        by: The input whose words decide.
        within: Characters of the longest excerpt; what is shorter is shown whole.
        common: Words, case folded, that tell nothing although both inputs have them.
        dated: Whether a line with a date is worth as much as a word.
        names: Other names of what ``by`` speaks of.
    """

    by: str
    within: int
    common: frozenset[str]
    dated: bool
    names: Names

    @property
    def stated(self) -> list[str | int | bool]:
        """What the task states of it, in an order that is always the same."""
        return [self.by, self.within, self.dated, " ".join(sorted(self.common))]

    def of(self, text: str, other: str) -> str:
        r"""The excerpt of a text; a text that is short enough as it is.

        Args:
            text: Of the input, as the model sees it.
            other: That of the input ``by``.

        >>> short = Excerpt("question", 36, frozenset({"the"}), dated=False, names=Names({}))
        >>> short.of("To Ann\nFrom Bob\n\nThe sun.\nThe hat is red.\nThe rain.", "Is the hat here?")
        'To Ann\nFrom Bob\nThe hat is red.'
        """
        if len(text) <= self.within:
            return text
        wanted = words(other[:MOST])
        wanted = (wanted | self.names.beside(wanted)) - self.common
        pieces = _pieces(text[:MOST])
        worth = Counter({at: self._worth(piece, wanted) for at, piece in enumerate(pieces)})
        for at in range(min(FIRST, len(pieces))):
            worth[at] += len(wanted) + FIRST  # more than any other has
        taken, room = [], self.within
        for at, points in worth.most_common():
            if points and len(pieces[at]) <= room:
                taken.append(at)
                room -= len(pieces[at]) + 1
        return "\n".join(pieces[at] for at in sorted(taken))

    def _worth(self, piece: str, wanted: frozenset[str]) -> int:
        """The words that a piece shares, and its date."""
        return len(words(piece) & wanted) + (self.dated and bears_date(piece))


def _pieces(text: str) -> list[str]:
    r"""A text's lines without blank ones; with each the next, where that goes on in lower case. Long ones are divided.

    >>> _pieces("Baked bread,\nalso at night\n\nSold it.")
    ['Baked bread,\nalso at night', 'Sold it.']
    >>> [len(piece) for piece in _pieces("She baked bread. " * 20 + "x" * 500)]
    [237, 101, 240, 240, 20]
    """
    pieces: list[str] = []
    for line in text.split("\n"):
        if len(line) > _LONG:
            pieces += _SENTENCES.findall(line)
        elif pieces and line[:1].islower() and "\n" not in pieces[-1]:
            pieces[-1] += f"\n{line}"
        elif line.strip():
            pieces.append(line)
    return pieces


def words(text: str) -> frozenset[str]:
    """The words of a text, case folded, without marks at their ends; ``C++`` and ``Node.js`` are words.

    >>> sorted(words("C++, Node.js and R."))
    ['and', 'c++', 'node.js', 'r']
    """
    return frozenset(word.strip(_EDGES) for word in _WORD.findall(text.casefold()))


def noticed(given: Input, shown: str) -> Input:
    """An input with the finding that an excerpt of it was shown, where one was."""
    if given.text == shown:
        return given
    part = f"{len(shown):,} of its {len(given.text):,} characters"
    return given.with_findings(
        [Finding("excerpt", f"The evaluator was shown an excerpt, {part}: what bears on the case.")]
    )
