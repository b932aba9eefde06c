"""A table's row as lines, the same for every kind of document."""

from __future__ import annotations

from collections.abc import Sequence


def row_lines(cells: Sequence[Sequence[str]]) -> list[str]:
    """One line for a row of single-line cells; else cell after cell, as in tables that only lay out a page.

    >>> row_lines([["German"], [""], ["native"]]), row_lines([["2019"], ["Lume", "Porto"]])
    (['German | native'], ['2019', 'Lume', 'Porto'])
    """
    filled = [lines for lines in cells if any(line.strip() for line in lines)]
    if all(sum(1 for line in lines if line.strip()) == 1 for lines in filled):
        return [" | ".join(line.strip() for lines in filled for line in lines if line.strip())] if filled else []
    return [line for lines in filled for line in lines]
