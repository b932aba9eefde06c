"""Whether people can see a text: by its size, and by its colour against what it stands on.

Contrast is that of the Web Content Accessibility Guidelines 2.2 (relative luminance, 1 to 21). What a text stands on
is not always known (a picture, a gradient, a theme's colour): then the text counts as seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TINY_PT = 3.0
"""Letters below this size, in points, are not there to be read by people."""
LEAST_CONTRAST = 1.25
"""Light grey (#dddddd) on white has 1.36; white on white has 1."""
WHITE = "ffffff"
UNKNOWN = "unknown"
"""The colour of a ground that cannot be told."""

_HEX = re.compile("[0-9a-f]{6}")


def unseen(colour: str, ground: str) -> bool:
    """Whether a text of one colour on a ground of another cannot be seen; both as ``rrggbb``.

    >>> unseen("ffffff", "ffffff"), unseen("ffffff", "1f3864"), unseen("ffffff", UNKNOWN)
    (True, False, False)
    """
    colour, ground = colour.lower(), ground.lower()
    if not _HEX.fullmatch(colour) or not _HEX.fullmatch(ground):
        return False
    dark, light = sorted((_luminance(colour), _luminance(ground)))
    return (light + 0.05) / (dark + 0.05) < LEAST_CONTRAST


def _luminance(colour: str) -> float:
    """Relative luminance, 0 to 1."""
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (0, 2, 4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    """A channel of sRGB without its gamma."""
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - WCAG's formula


@dataclass(frozen=True, slots=True)
class Look:
    """How letters look, as far as it is stated.

    Attributes:
        hidden: Whether they are set as hidden.
        size_pt: Their size in points.
        colour: Their colour as ``rrggbb``, or ``auto``.
        ground: The colour behind them as ``rrggbb``, or ``UNKNOWN``.
    """

    hidden: bool | None = None
    size_pt: float | None = None
    colour: str | None = None
    ground: str | None = None

    def over(self, below: Look) -> Look:
        """This, and what it does not state from below."""
        return Look(
            below.hidden if self.hidden is None else self.hidden,
            self.size_pt or below.size_pt,
            self.colour or below.colour,
            self.ground or below.ground,
        )

    def unseen(self, ground: str) -> str:
        """Why people cannot see the letters, as a sentence begins; empty where they can.

        Args:
            ground: The colour behind them where they state none.
        """
        if self.hidden:
            return "Hidden text"
        if self.size_pt is not None and self.size_pt < TINY_PT:
            return f"Text in letters smaller than {TINY_PT:g} pt"
        return "Text in the colour of its ground" if unseen(self.colour or "", self.ground or ground) else ""
