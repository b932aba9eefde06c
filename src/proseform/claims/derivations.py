"""What follows from other values: a closed set of operators, declared by ``x-derive``. Nothing is evaluated.

    {"count": OF, "where": …}                        how many rows
    {"sum": OF, "take": FIELD, "where": …}           the sum of a field of the rows, or of the numbers themselves
    {"share": OF, "where": …, "weight": …, "credit": …, "times": 100}   the weight of the rows that match, of that of
                                                     all, rounded half up to a whole number; 0 of no rows
    {"select": OF, "take": FIELD, "where": …}        a field of the rows that match, as a list
    {"reach": OF, "of": FIELD, "then": "a", "else": "b"}   whether a number of months reaches the time that FIELD beside
                                                     the value states; nothing follows where it states none, or of 0
    {"threshold": OF, "steps": [[75, "a"], [50, "b"]], "else": "c"}   the first step that a number reaches
    {"difference": OF, "unit": …, "until": OF}       months, or whole years, that periods cover, overlaps once, with
                                                     durations added; ``until`` is where the date stands that ends
                                                     what runs to the present

OF is a JSON pointer from the root (``/items``) or the name of a field beside the value; several are given as a list. An
array is its items, anything else one row. ``where`` maps fields of a row to a value or a list of values; a field that a
row lacks is null. ``weight`` is ``{"field": NAME, "values": {VALUE: NUMBER}, "else": NUMBER}``, and so is ``credit``,
the part of its weight that a row which matches is worth. ``take`` with ``else`` gives that for rows without the field.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from proseform.claims import dates
from proseform.strict import same

Operator = Literal["count", "sum", "share", "select", "threshold", "reach", "difference"]
OPTIONS: Mapping[str, frozenset[str]] = {
    "count": frozenset({"where"}),
    "sum": frozenset({"where", "take"}),
    "share": frozenset({"where", "weight", "credit", "times"}),
    "select": frozenset({"where", "take", "else"}),
    "threshold": frozenset({"steps", "else"}),
    "reach": frozenset({"of", "then", "else"}),
    "difference": frozenset({"unit", "until"}),
}
"""What each operator may be given."""
REQUIRED: Mapping[str, frozenset[str]] = {
    "threshold": frozenset({"steps", "else"}),
    "select": frozenset({"take"}),
    "reach": frozenset({"of", "then", "else"}),
}
"""What it must be given."""


class Underivable(Exception):  # noqa: N818 - a judgement on a value, not a fault of the program
    """The values that something follows from are not there, or are of another kind; says which."""


@dataclass(frozen=True, slots=True)
class Weight:
    """What rows weigh: by the value of a field, or ``other`` where it has none of these."""

    field: str
    values: Mapping[str, Fraction]
    other: Fraction


@dataclass(frozen=True, slots=True)
class Derivation:
    """One ``x-derive``.

    Attributes:
        operator: Which.
        of: Where its operands are.
        where: Field of a row to the values that match; empty matches every row.
        take: The field that is taken of a row; empty takes the row itself.
        weight: For a share; None weighs all rows alike.
        credit: For a share: what part of its weight a row that matches is worth; None is the whole of it.
        times: For a share: what the whole is, such as 100.
        steps: For a threshold: bound and outcome, in order.
        bound: For a reach: where the time stands that is to be reached; its value is the last operand.
        then: For a reach: the outcome where it is.
        other: The outcome below every step, or where a time is not reached; what a row without the field selects.
        unit: For a difference.
        until: For a difference: where the date stands that "present" means; its value is the last operand.
    """

    operator: Operator
    of: tuple[str, ...]
    where: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    take: str = ""
    weight: Weight | None = None
    credit: Weight | None = None
    times: Fraction = Fraction(1)
    steps: tuple[tuple[Fraction, Any], ...] = ()
    bound: str = ""
    then: Any = None
    other: Any = None
    unit: Literal["months", "years"] = "months"
    until: str = ""

    @property
    def operands(self) -> tuple[str, ...]:
        """Where all of its operands are, in the order in which :func:`derived` takes them."""
        return (*self.of, *filter(None, (self.bound, self.until)))


NOTHING = object()
"""What follows where nothing does."""


def derived(derivation: Derivation, operands: Sequence[Any]) -> Any:
    """What follows; :data:`NOTHING` where nothing does.

    Args:
        derivation: How.
        operands: The values that ``of`` names, in order.

    Raises:
        Underivable: An operand is of a kind that the operator does not take.

    >>> rows = [{"met": True, "kind": "must"}, {"met": False, "kind": "may"}]
    >>> weight = Weight("kind", {"must": Fraction(2)}, Fraction(1))
    >>> derived(Derivation("share", ("/rows",), {"met": (True,)}, weight=weight, times=Fraction(100)), [rows])
    67
    """
    return _OPERATORS[derivation.operator](derivation, _rows(operands))


def _rows(operands: Sequence[Any]) -> list[Any]:
    """Operands as rows: an array is its items."""
    return [row for operand in operands for row in (operand if isinstance(operand, list) else [operand])]


def _matching(derivation: Derivation, rows: Sequence[Any]) -> list[Any]:
    """The rows that ``where`` names."""
    where = derivation.where.items()
    return [row for row in rows if all(any(same(_field(row, name), one) for one in known) for name, known in where)]


def _field(row: Any, name: str) -> Any:
    """A field of a row; null where it has none."""
    return row.get(name) if isinstance(row, dict | Mapping) else None  # asking the abstract class alone takes longer


def number(value: Any) -> Fraction | None:
    """A JSON number exactly as it is written, else None; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return Fraction(str(value))
    except ValueError:  # not finite
        return None


def _numbers(rows: Sequence[Any], take: str) -> list[Fraction]:
    """Rows, or a field of them, as numbers."""
    numbers = [number(_field(row, take) if take else row) for row in rows]
    if any(one is None for one in numbers):
        raise Underivable(f"{take or 'an operand'} is no number")
    return [one for one in numbers if one is not None]


def _plain(value: Fraction) -> int | float:
    """A fraction as a JSON number."""
    try:
        return value.numerator if value.denominator == 1 else float(value)
    except OverflowError as error:
        raise Underivable("the sum is too large a number") from error


def _count(derivation: Derivation, rows: Sequence[Any]) -> int:
    return len(_matching(derivation, rows))


def _sum(derivation: Derivation, rows: Sequence[Any]) -> int | float:
    return _plain(sum(_numbers(_matching(derivation, rows), derivation.take), Fraction()))


def _scaled(scale: Weight | None, row: Any) -> Fraction:
    """What a row weighs, 1 unless stated."""
    if scale is None:
        return Fraction(1)
    value = _field(row, scale.field)
    return scale.values.get(value if isinstance(value, str) else json.dumps(value), scale.other)


def _share(derivation: Derivation, rows: Sequence[Any]) -> int:
    whole = sum((_scaled(derivation.weight, row) for row in rows), Fraction())
    part = sum(
        (_scaled(derivation.weight, row) * _scaled(derivation.credit, row) for row in _matching(derivation, rows)),
        Fraction(),
    )
    return int((derivation.times * part / whole if whole else Fraction()) + Fraction(1, 2))


def _select(derivation: Derivation, rows: Sequence[Any]) -> list[Any]:
    taken = (_field(row, derivation.take) for row in _matching(derivation, rows))
    return [derivation.other if value is None else value for value in taken]


def _threshold(derivation: Derivation, rows: Sequence[Any]) -> Any:
    (value,) = _numbers(rows, "") if len(rows) == 1 else (None,)
    if value is None:
        raise Underivable("a threshold is of one number")
    return next((outcome for bound, outcome in derivation.steps if value >= bound), derivation.other)


def _reach(derivation: Derivation, rows: Sequence[Any]) -> Any:
    *months, bound = rows
    (reached,) = _numbers(months, "") if len(months) == 1 else (None,)
    if reached is None:
        raise Underivable("what reaches a time is one number of months")
    due = dates.duration(bound) if isinstance(bound, str) else None
    if due is None or not reached:
        return NOTHING
    return derivation.then if reached >= due else derivation.other


def _difference(derivation: Derivation, rows: Sequence[Any]) -> int:
    texts = [row if isinstance(row, str) else "" for row in rows]
    until = texts.pop() if derivation.until else ""
    periods, months = [], 0
    for text in texts:
        if (stated := dates.duration(text)) is not None:
            months += stated
        elif (span := dates.period(text, until)) is not None:
            periods.append(span)
        else:
            raise Underivable(f"{text!r:.40} is no period")
    months += dates.covered(periods)
    return months // 12 if derivation.unit == "years" else months


_OPERATORS: Mapping[str, Callable[[Derivation, Sequence[Any]], Any]] = {
    "count": _count,
    "sum": _sum,
    "share": _share,
    "select": _select,
    "threshold": _threshold,
    "reach": _reach,
    "difference": _difference,
}
