"""The keywords of a subschema as values; what is malformed is refused with its place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from proseform.claims.derivations import OPTIONS, REQUIRED, Derivation, Operator, Weight, number
from proseform.errors import InputError

FROM, SUPPORTS, DERIVE, ABSENT, COVERS = "x-from", "x-supports", "x-derive", "x-absent", "x-covers"


@dataclass(frozen=True, slots=True)
class Source:
    """One ``x-from``, with the ``x-supports`` beside it.

    Attributes:
        inputs: The inputs in which the text may stand.
        least: Letters and digits that it needs; 0 where that is not stated.
        names: A field beside it, whose value or another name of that stands within the quote or its line.
        split: What stands between alternatives in the field that is named; any of them will do.
        states: A field beside it, a number, which is the only number of the quote.
        beside: A field beside it, whose text stands on a line with the quote, wherever the object has such a field.
    """

    inputs: tuple[str, ...]
    least: int = 0
    names: str = ""
    states: str = ""
    split: tuple[str, ...] = ()
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Absence:
    """One ``x-absent``: where the value is empty, it says that inputs show nothing of what a field beside it names.

    Attributes:
        inputs: The inputs.
        names: The field beside it.
        split: What stands between alternatives in that field.
    """

    inputs: tuple[str, ...]
    names: str
    split: tuple[str, ...] = ()


def absence(stated: Any, where: str) -> Absence:
    """One absence."""
    if not isinstance(stated, Mapping):
        raise InputError(f"{where}: {ABSENT} is an object.")
    _known(stated, {"input", "names", "split"}, where, ABSENT)
    return Absence(
        _inputs(stated, where, ABSENT), _text(stated.get("names"), where, ABSENT), _split(stated, where, ABSENT)
    )


def covered(stated: Any, where: str) -> tuple[str, ...]:
    """The inputs that what lies beneath is meant to cover."""
    return _inputs({"input": stated}, where, COVERS)


def source(node: Mapping[str, Any], where: str) -> Source:
    """One source."""
    stated = node[FROM]
    options = stated if isinstance(stated, Mapping) else {"input": stated}
    _known(options, {"input", "least"}, where, FROM)
    names = _inputs(options, where, FROM)
    least = options.get("least", 0)
    if "least" in options and (not isinstance(least, int) or isinstance(least, bool) or least < 1):
        raise InputError(f"{where}: {FROM}: 'least' is a whole number from 1 on.")
    supports = node.get(SUPPORTS, {})
    if not isinstance(supports, Mapping):
        raise InputError(f"{where}: {SUPPORTS} is an object.")
    _known(supports, {"names", "states", "beside", "split"}, where, SUPPORTS)
    fields = {key: _text(value, where, SUPPORTS) for key, value in supports.items() if key != "split"}
    return Source(names, least, split=_split(supports, where, SUPPORTS), **fields)


def derivation(stated: Any, where: str) -> Derivation:
    """One derivation."""
    if not isinstance(stated, Mapping):
        raise InputError(f"{where}: {DERIVE} is an object.")
    operators = [key for key in stated if key in OPTIONS]
    if len(operators) != 1:
        raise InputError(f"{where}: {DERIVE} has one of {', '.join(OPTIONS)}.")
    operator = operators[0]
    _known(stated, {operator, *OPTIONS[operator]}, where, DERIVE)
    for name in sorted(REQUIRED.get(operator, ())):
        if name not in stated:
            raise InputError(f"{where}: {DERIVE}: {operator} needs '{name}'.")
    if operator == "reach":
        read = {"bound": _text(stated["of"], where, DERIVE), "then": stated["then"]}
        return Derivation("reach", (_text(stated["reach"], where, DERIVE),), other=stated["else"], **read)
    of = stated[operator] if isinstance(stated[operator], list) else [stated[operator]]
    read = {name: _OPTIONS[name](value, where) for name, value in stated.items() if name in _OPTIONS}
    return Derivation(
        cast("Operator", operator), tuple(_text(one, where, DERIVE) for one in of), other=stated.get("else"), **read
    )


def _inputs(options: Mapping[str, Any], where: str, keyword: str) -> tuple[str, ...]:
    """The inputs that are named."""
    names = options.get("input")
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{where}: {keyword} names an input, or several in a list.")
    return tuple(names)


def _split(options: Mapping[str, Any], where: str, keyword: str) -> tuple[str, ...]:
    """What stands between alternatives."""
    split = options.get("split", [])
    if not isinstance(split, list) or not all(isinstance(one, str) and one for one in split):
        raise InputError(f"{where}: {keyword}: 'split' is a list of texts.")
    return tuple(split)


def _where(value: Any, where: str) -> dict[str, tuple[Any, ...]]:
    """Fields to the values that match."""
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: {DERIVE}: 'where' is an object.")
    return {name: tuple(known) if isinstance(known, list) else (known,) for name, known in value.items()}


def _weight(value: Any, where: str) -> Weight:
    """What rows weigh."""
    if not isinstance(value, Mapping) or not isinstance(value.get("values"), Mapping):
        raise InputError(f"{where}: {DERIVE}: 'weight' has 'field', 'values' and 'else'.")
    _known(value, {"field", "values", "else"}, where, DERIVE)
    values = {name: _positive(one, where, "weight") for name, one in value["values"].items()}
    return Weight(_text(value.get("field"), where, DERIVE), values, _positive(value.get("else", 1), where, "weight"))


def _steps(value: Any, where: str) -> tuple[tuple[Fraction, Any], ...]:
    """Bounds and outcomes, highest first."""
    pairs = value if isinstance(value, list) else []
    read = [(number(pair[0]), pair[1]) for pair in pairs if isinstance(pair, list) and len(pair) == 2]  # noqa: PLR2004
    bounds = [bound for bound, _ in read if bound is not None]
    if not bounds or len(bounds) != len(pairs) or bounds != sorted(bounds, reverse=True):
        raise InputError(f"{where}: {DERIVE}: 'steps' are pairs of a number and an outcome, highest first.")
    return tuple(zip(bounds, [outcome for _, outcome in read], strict=True))


def _positive(value: Any, where: str, what: str) -> Fraction:
    """A number that is not below 0."""
    exact = number(value)
    if exact is None or exact < 0:
        raise InputError(f"{where}: {DERIVE}: '{what}' takes numbers from 0 on.")
    return exact


def _unit(value: Any, where: str) -> str:
    """Months or years."""
    if value not in ("months", "years"):
        raise InputError(f"{where}: {DERIVE}: 'unit' is months or years.")
    return str(value)


def _text(value: Any, where: str, keyword: str) -> str:
    """The name of a field, or a pointer."""
    if not isinstance(value, str) or not value:
        raise InputError(f"{where}: {keyword}: {value!r:.40} names no field.")
    return value


def _known(stated: Mapping[str, Any], known: Collection[str], where: str, keyword: str) -> None:
    """Refuse what a keyword does not take."""
    for name in stated:
        if name not in known:
            raise InputError(
                f"{where}: {keyword}: unknown '{name!s:.40}'.", hint=f"It takes {', '.join(sorted(known))}."
            )


_OPTIONS: Mapping[str, Callable[[Any, str], Any]] = {
    "where": _where,
    "take": lambda value, where: _text(value, where, DERIVE),
    "weight": _weight,
    "credit": _weight,
    "times": lambda value, where: _positive(value, where, "times"),
    "steps": _steps,
    "unit": _unit,
    "until": lambda value, where: _text(value, where, DERIVE),
}
