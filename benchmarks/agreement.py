"""How far two measurements of the same asks agree, text by text: `python -m benchmarks.agreement ONE OTHER`.

ONE and OTHER are folders with ``records.parquet``, as the evaluate stage writes them: one made in process, say, and one
by URL. Greedy texts alone are compared, since every engine draws its own random numbers. A text whose prose differed
is counted apart: it answers another question. Of the rest, the place where two texts part is printed.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from proseform import records
from proseform.errors import InputError
from proseform.outcome import Outcome

_AROUND = 20


def parted(one: str, other: str) -> int:
    """The first character in which two texts differ; the length of the shorter where it begins the other.

    >>> parted("send it", "send us")
    5
    """
    pairs = itertools.zip_longest(one, other)
    return next((at for at, (mine, theirs) in enumerate(pairs) if mine != theirs), len(one))


def compare(ones: Mapping[str, Outcome], others: Mapping[str, Outcome]) -> tuple[dict[str, Counter[str]], list[str]]:
    """Counts of ``equal``, ``other prose`` and ``different`` by subject, suite and decoding; where the last part.

    Args:
        ones: Outcomes by id.
        others: Of the same ids.

    Raises:
        InputError: The ids differ, or the records hold digests in the place of texts.
    """
    if ones.keys() != others.keys():
        raise InputError("The two measurements did not ask the same.")
    counts: dict[str, Counter[str]] = {}
    places = []
    for name, one in ones.items():
        if one.decoding == "sampled":
            continue
        if one.text.startswith("sha256:"):
            raise InputError("The records hold digests in the place of a user's own texts.")
        other = others[name]
        kind = "equal" if one.texts == other.texts else "different"
        if one.texts.get("given") != other.texts.get("given"):
            kind = "other prose"
        counts.setdefault(f"{one.subject}, {one.suite}, {one.decoding}", Counter())[kind] += 1
        if kind == "different":
            at = parted(one.text, other.text)
            around = slice(max(0, at - _AROUND), at + _AROUND)
            places.append(f"{name} at {at}: {one.text[around]!r} and {other.text[around]!r}")
    return counts, places


def main() -> None:
    """Print the counts, and where texts part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("one", type=Path, help="a folder with records.parquet")
    parser.add_argument("other", type=Path, help="another, of the same asks")
    args = parser.parse_args()
    ones, others = (
        {row.id: row for row in records.read(folder / records.RECORDS)} for folder in (args.one, args.other)
    )
    counts, places = compare(ones, others)
    for what, kinds in {**counts, "all": sum(counts.values(), Counter())}.items():
        print(f"{what:32} {kinds['equal']:5} of {kinds.total():5} equal, {kinds['other prose']:3} of other prose")
    print(*places, sep="\n")


if __name__ == "__main__":
    main()
