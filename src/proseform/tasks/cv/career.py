"""Working lives: periods of months, with gaps and overlaps, and how a CV dates them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from proseform.claims.dates import Period
from proseform.tasks.cv.data import deeds, one

FREE_STYLES = ("iso", "slash", "name", "name", "long", "long", "dot", "backwards", "dashed")
"""How a CV that is dated freely writes a month, some ways oftener: see :func:`month`."""
JOINTS = (" to ", " - ", " \u2013 ", " until ", " till ")
"""What stands between two months in a CV that is dated freely."""
PRESENTS = ("present", "Present", "today", "now", "Current", "present")
"""What it calls the time of its writing."""
_LATEST = (12 * 2024, 12 * 2026 + 6)
"""When CVs were written: from and to, as months."""
_SHORTEST = 2
PRESENT, BREAK, OVERLAP = 0.4, 0.6, 0.6
"""Chances that work runs to the present, that months lie between two employments, and that one more overlaps them."""


@dataclass(frozen=True, slots=True)
class Career:
    """Dated work, latest first.

    Attributes:
        periods: First and last month of each employment.
        words: The same in the CV's words.
        updated: When the CV was written, in its own words; empty where nothing runs to the present.
    """

    periods: tuple[Period, ...]
    words: tuple[str, ...]
    updated: str = ""


NOTHING = Career((), ())
"""No dated work."""


def draw(rng: random.Random, months: int, *, rugged: bool, free: bool = False, language: str = "en") -> Career:
    """A career of about that many months in all; exactly that many unless ``rugged``.

    Args:
        rng: Where chance comes from.
        months: Months to spread over employments; 0 gives no career.
        rugged: Overlapping employments, other date styles and "present" come in.
        free: Dates are written in any of :data:`FREE_STYLES`, and joined in any of :data:`JOINTS`.
        language: Whose months, joints and word for "present" they have, unless ``free``.
    """
    if months == 0:
        return NOTHING
    end = rng.randint(*_LATEST)
    present = rugged and rng.random() < PRESENT
    dates = deeds(language)["dates"]
    style = rng.choice(FREE_STYLES if free else dates["styles"]) if rugged else "iso"
    joint, now = one(rng, JOINTS if free else dates["joints"]), one(rng, PRESENTS if free else dates["presents"])
    periods: list[Period] = []
    last = end if present else end - rng.randint(1, 20)
    for length in _pieces(rng, months):
        periods.append((last - length + 1, last))
        last -= length + (rng.randint(0, 9) if rng.random() < BREAK else 0)
    if rugged and rng.random() < OVERLAP:
        first, final = rng.choice(periods)
        start = rng.randint(first - 6, final)
        periods.append((start, min(start + rng.randint(_SHORTEST, 18), periods[0][1])))
    periods.sort(key=lambda period: (-period[1], period[0]))
    starts, ends = ([month(number, style, language) for number in side] for side in zip(*periods, strict=True))
    if present:
        ends[0] = now
    words = tuple(f"{first}{joint}{final}" for first, final in zip(starts, ends, strict=True))
    return Career(tuple(periods), words, month(end, style, language) if present else "")


def month(number: int, style: str, language: str = "en") -> str:
    """A month in words.

    >>> [month(12 * 2019 + 2, style) for style in (*FREE_STYLES[:3], *FREE_STYLES[-4:])]
    ['2019-03', '03/2019', 'Mar 2019', 'March 2019', '03.2019', '2019/03', '03-2019']
    >>> month(12 * 2019 + 1, "name", "de"), month(12 * 2019 + 7, "long", "fr")
    ('Feb. 2019', 'août 2019')
    """
    year, index = divmod(number, 12)
    match style:
        case "slash":
            return f"{index + 1:02}/{year}"
        case "dot":
            return f"{index + 1:02}.{year}"
        case "dashed":
            return f"{index + 1:02}-{year}"
        case "backwards":
            return f"{year}/{index + 1:02}"
        case "long":
            return f"{deeds(language)['dates']['long'][index]} {year}"
        case "name":
            return f"{deeds(language)['dates']['short'][index]} {year}"
        case _:
            return f"{year}-{index + 1:02}"


def _pieces(rng: random.Random, months: int) -> list[int]:
    """The months as one to four lengths that sum to them."""
    most = min(4, months // (2 * _SHORTEST)) or 1
    cuts = sorted(rng.sample(range(1, months), rng.randint(1, most) - 1)) if most > 1 else []
    return [end - start for start, end in zip([0, *cuts], [*cuts, months], strict=True)]
