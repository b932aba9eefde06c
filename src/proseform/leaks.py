"""What of one split stands in another, so that held-out cases would measure memory: ids, groups, texts of inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from proseform.case import Case

Placed = tuple[int, Case]
"""A case and the number of its line."""


def across(
    placed: Sequence[Placed], shared: Iterable[str], identify: Callable[[Case], tuple[str, ...]] | None = None
) -> Iterator[tuple[int, str]]:
    """What is repeated, or is in two splits, as (line, words).

    Args:
        placed: All cases of all splits.
        shared: Inputs whose texts may stand in several splits.
        identify: A case to its groups, for cases that state none.
    """
    ids: dict[str, int] = {}
    groups: dict[str, Placed] = {}
    texts: dict[tuple[str, str], Placed] = {}
    watched = identifying([case.inputs for _, case in placed]) - {*shared}
    for number, case in placed:
        if first := ids.get(case.id):
            yield number, f"field 'id': '{case.id}' stands on line {first} already"
        ids.setdefault(case.id, number)
        stated = case.groups or (identify(case) if identify else ())
        for group in stated:
            place, other = groups.setdefault(plain(group), (number, case))
            if other.split != case.split:
                yield number, f"field 'groups': '{group}' is in split '{other.split}' too (line {place})"
        told = {name: plain(text) for name, text in case.inputs.items()}
        for name, text in {
            **{name: told[name] for name in told if name in watched},
            "": "\n".join(told.values()),
        }.items():
            place, other = texts.setdefault((name, text), (number, case))
            if other.split != case.split:
                field = f"inputs.{name}" if name else "inputs"
                yield number, f"field '{field}': the same text is in split '{other.split}' too (line {place})"


def identifying(inputs: Sequence[Mapping[str, str]]) -> set[str]:
    """The inputs that belong to one case: most of their texts occur once.

    An input that many cases share says nothing about the answer and may be in every split.

    >>> sorted(identifying([{"letter": "a", "rule": "x"}, {"letter": "b", "rule": "x"}]))
    ['letter']
    """
    counts = Counter((name, plain(text)) for given in inputs for name, text in given.items())
    once = Counter(name for (name, _), count in counts.items() if count == 1)
    return {name for name, count in once.items() if count * 2 > len(inputs)}


def plain(text: str) -> str:
    """A text without layout and letter case: two texts with the same plain form count as equal."""
    return " ".join(text.split()).casefold()
