"""How well a document was read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from benchmarks.documents.readers import Reading
from benchmarks.documents.record import Record
from benchmarks.documents.words import common, foreign, words

GOAL = 0.97
"""Share of words in order from which a document counts as read."""
GARBAGE = 0.2
"""Share of words that stand nowhere in the source above which what was read is garbage."""


@dataclass(frozen=True, slots=True)
class Score:
    """What came of one document.

    Attributes:
        record: What is known of it.
        reading: What the reader gave.
        share: Words in order over the source's words; 0 where it was refused.
        foreign: Words that stand nowhere in the source over the words that were read.
        hidden: Hidden words that came out.
    """

    record: Record
    reading: Reading
    share: float
    foreign: float
    hidden: int

    @property
    def refused(self) -> bool:
        """Whether the reader gave nothing."""
        return bool(self.reading.refused)

    @property
    def garbage(self) -> bool:
        """Whether what came out is not what stands there."""
        return not self.refused and self.foreign > GARBAGE

    @property
    def reason(self) -> str:
        """The refusal without what is the file's own."""
        return re.sub(r"(?<![-\w])\d[\d,]*", "N", self.reading.refused.replace(self.record.file, "…"))[:90]

    @property
    def right(self) -> bool:
        """Whether it is as it has to be."""
        reported = self.refused or bool(self.reading.findings)
        return not self.garbage and not self.hidden and {
            "read": not self.refused and self.share >= GOAL,
            "reported": reported,
            "refused": self.refused,
            "either": True,
        }[self.record.expected]  # fmt: skip


def score(record: Record, reading: Reading) -> Score:
    """Compare what was read with the source."""
    fold = record.fold_case
    blocks = [words("\n".join(block), fold_case=fold) for block in record.blocks]
    got = words(reading.text, fold_case=fold)
    hidden = {word for text in record.hidden for word in words(text, fold_case=fold)}
    source = [[word for number in order for word in blocks[number]] for order in record.orders]
    share = max(common(some, got) / len(some) if some else 1.0 for some in source)
    optional = words("\n".join(record.optional), fold_case=fold)
    strange = foreign([word for word in got if word not in hidden], source[0], optional)
    return Score(
        record, reading, 0.0 if reading.refused else share, strange / len(got) if got else 0.0,
        sum(word in hidden for word in got),
    )  # fmt: skip
