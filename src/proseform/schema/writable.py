"""Which numbers and constants a grammar can write, and which formats.

llguidance reads numbers as doubles and writes a constant as the shortest decimal that reads as the same double, so
that 123456789012345678 would be written 123456789012345680: another number. Bounds of numbers become automata over
digits: a bound with many digits is left to the verifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"})
"""Formats that llguidance writes."""

CHECKED = FORMATS | {
    "idn-email", "idn-hostname", "uri-reference", "iri", "iri-reference", "uri-template", "json-pointer",
    "relative-json-pointer", "regex",
}  # fmt: skip
"""Formats that the verifier checks; all others are annotations."""

MAX_MULTIPLE = 1_000
"""Of all multipleOf of a grammar: their automaton has a state for each remainder of their least common multiple."""

_DIGITS = 12
"""Of a bound in a grammar, behind the point or before it, trailing zeros not counted."""

_EXPONENT = 15


def constant(value: Any) -> bool:
    """Whether a constant is written as it is.

    >>> [constant(value) for value in (2**53, 2**53 + 1, 0.1, [1e-7, {"a": 10**30 + 1}])]
    [True, False, True, False]
    """
    if isinstance(value, Mapping):
        return all(constant(child) for child in value.values())
    if isinstance(value, list):
        return all(constant(child) for child in value)
    if isinstance(value, bool) or not isinstance(value, int):
        return True
    return int(Decimal(repr(float(value)))) == value


def bound(value: float) -> bool:
    """Whether a bound of a number becomes an automaton of reasonable size that keeps exactly what the bound keeps.

    >>> [bound(value) for value in (0, -100, 0.25, 1e-9, 1e300, 2**63, 123456.5)]
    [True, True, True, True, False, False, True]
    """
    number = Decimal(repr(value) if isinstance(value, float) else value).normalize()
    _, digits, exponent = number.as_tuple()
    return isinstance(exponent, int) and len(digits) <= _DIGITS and abs(exponent) <= _EXPONENT and abs(number) < 10**15


def remainders(value: float) -> int | None:
    """The states of the automaton of a multipleOf; None where its digits alone are too many.

    >>> [remainders(value) for value in (5, 0.01, 99999, 1e-300)]
    [5, 1, 99999, None]
    """
    _, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    if not isinstance(exponent, int) or abs(exponent) > _DIGITS:
        return None
    return int("".join(map(str, digits)))
