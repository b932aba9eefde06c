"""A value judged by what its schema states of it: where its quotes stand, and whether what follows, follows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from proseform.claims import dates, numbers, quotes
from proseform.claims.derivations import NOTHING, Derivation, Underivable, derived, number
from proseform.claims.keywords import ABSENT, DERIVE, Absence, Source
from proseform.claims.stated import Claims, Synonyms
from proseform.input import Input
from proseform.schema import pointer
from proseform.strict import same
from proseform.verdict import Evidence, Reason, Verdict

MOST_STEPS = 20_000
"""Subschemas that are looked at for what applies where, which takes memory for each."""
LINE = 300
"""Characters on either side of a quote that its line reaches at most: a longer one is a paragraph."""
LEAST_BESIDE = 8
"""Letters and digits of a quote that does not name its thing itself, but stands on a line that does."""
LEAST = 2
"""Letters and digits that a text needs where the schema does not say how many; "a" stands in every text. A number
alone will do then."""

_ABSENT = object()


def judge(
    value: Any, claims: Claims, inputs: Mapping[str, Input], synonyms: Synonyms, *, cut: Collection[str] = ()
) -> Verdict:
    """The value with its evidence, or the first reason against: ``ungrounded`` or ``inconsistent``.

    Args:
        value: A value that conforms to the schema.
        claims: What the schema states.
        inputs: The task's inputs, by name.
        synonyms: Other names of things, see :data:`~proseform.claims.stated.Synonyms`.
        cut: JSON pointers of what was cut short: it is not judged, but what a list or an object holds all the same is.
    """
    if claims.any and claims.schema.steps(value) > MOST_STEPS:
        return Verdict(reason=Reason.SCHEMA, where="/", detail="it is too intertwined to look its quotes up")
    evidence: list[Evidence] = []
    for place, location, stated in claims.schema.annotations(value) if claims.any else ():
        if place in cut:
            continue
        source, derivation = claims.source(location, stated), claims.derivation(location, stated)
        if source is None and derivation is None:
            continue
        part, beside = at(value, place)
        if source is not None:
            judged = _grounded(part, beside, place, source, inputs, synonyms)
            if isinstance(judged, Verdict):
                return judged
            evidence += judged
        if derivation is not None and (fault := _inconsistent(part, beside, value, derivation, claims.absent)):
            return Verdict(reason=Reason.INCONSISTENT, where=place or "/", detail=fault)
    return _repeated(value, evidence, inputs) or Verdict(value, evidence=tuple(evidence))


def _repeated(value: Any, evidence: Collection[Evidence], inputs: Mapping[str, Input]) -> Verdict | None:
    """A length of time that a list quotes oftener than it stands in its input: lengths are added up, unlike periods."""
    quoted: dict[tuple[str, str, str], list[str]] = {}
    for one in evidence:
        around, text = one.pointer.rpartition("/")[0], pointer.at(value, one.pointer)
        if isinstance(text, str) and dates.duration(text) is not None and isinstance(pointer.at(value, around), list):
            quoted.setdefault((around, one.input, text), []).append(one.pointer)
    for (_, name, text), places in quoted.items():
        if len(places) > 1 and len(places) > sum(1 for _ in quotes.places(text, inputs[name].text)):
            detail = f'"{text}" is quoted {len(places)} times, and stands in {name} less often'
            return Verdict(reason=Reason.UNGROUNDED, where=places[-1], detail=detail)
    return None


def unquoted(value: Any, claims: Claims, inputs: Mapping[str, Input], synonyms: Synonyms) -> tuple[Evidence, ...]:
    """What inputs name and a value says that they do not show (``x-absent``): overlooked, or rightly no evidence.

    It decides nothing, so it is no part of :func:`judge`, which runs for every completion of GRPO.

    Args:
        value: A value that was judged.
        claims: As for :func:`judge`, as for the next two.
        inputs: See there.
        synonyms: See there.
    """
    if ABSENT not in claims.keywords or claims.schema.steps(value) > MOST_STEPS:
        return ()
    found: list[Evidence] = []
    for place, location, stated in claims.schema.annotations(value):
        absence = claims.absence(location, stated)
        part, beside = at(value, place) if absence is not None else (None, {})
        if absence is not None and part in ("", None, []):
            found += (replace(one, pointer=place or "/") for one in named(beside, absence, inputs, synonyms))
    return tuple(found)


def named(
    beside: Mapping[str, Any], absence: Absence, inputs: Mapping[str, Input], synonyms: Synonyms
) -> Iterator[Evidence]:
    """Where inputs first name what an absence is about, by whatever name, capitals aside; one place an input."""
    names = [lowered(term) for term in terms(beside.get(absence.names), absence.split, synonyms)]
    for name in absence.inputs:
        text = lowered(inputs[name].text)
        spans = (next(quotes.places(one, text), None) for one in names)
        if first := min(filter(None, spans), default=None):
            yield Evidence("/", name, *inputs[name].locate(*first))


def at(value: Any, place: str) -> tuple[Any, Mapping[str, Any]]:
    """The part of a value at a place, and the nearest object around it; empty where there is none."""
    beside: Mapping[str, Any] = {}
    for step in pointer.steps(place):
        if isinstance(value, dict):
            value, beside = value[step], value
        else:
            value = value[int(step)]
    return value, beside


def _grounded(
    part: Any, beside: Mapping[str, Any], place: str, source: Source, inputs: Mapping[str, Input], synonyms: Synonyms
) -> list[Evidence] | Verdict:
    """Where a quote stands and supports its field, or why it does not; what is empty or null quotes nothing."""
    if part in ("", None) or isinstance(part, dict | list):
        return []
    quote = part if isinstance(part, str) else json.dumps(part)
    stands = ""
    for name in source.inputs:
        for start, end in quotes.places(quote, inputs[name].text):
            if not isinstance(part, str) and numbers.signed(inputs[name].text, start):
                continue
            stands = name
            if _supports(quote, inputs[name].text, (start, end), source, beside, synonyms):
                return [Evidence(place or "/", name, *inputs[name].locate(start, end))]
    shown = f'"{quote[:60]}"'
    of = " or ".join(source.inputs)
    detail = f"{shown} stands in {stands}, but {_owed(source, beside)}" if stands else (
        f"{shown} does not stand in {of}"
    )  # fmt: skip
    return Verdict(reason=Reason.UNGROUNDED, where=place or "/", detail=detail)


def _supports(
    quote: str, text: str, span: tuple[int, int], source: Source, beside: Mapping[str, Any], synonyms: Synonyms
) -> bool:
    """Whether a quote at its place is about what it is quoted for."""
    if source.states:
        said = numbers.numbers(quote, opens=numbers.opens(text, span[0]))
        return len(said) == 1 and number(beside.get(source.states)) in said[0]
    if source.beside and not _stands_beside(beside.get(source.beside), _going_on(text, *span)):
        return False
    if source.names:
        names = terms(beside.get(source.names), source.split, synonyms)
        if any(quotes.stands(term.casefold(), quote.casefold()) for term in names):
            return True
        if quotes.weight(quote) < LEAST_BESIDE:
            return False
        first, last = _line(text, *span)
        line = text[first:last].casefold()
        return any(quotes.stands(term.casefold(), line) for term in names)
    return quotes.weight(quote) >= (source.least or LEAST) or (not source.least and numbers.alone(quote))


def terms(named: Any, split: Collection[str], synonyms: Synonyms) -> list[str]:
    """The names of what a field names, its alternatives and other names of each among them."""
    names = [name for text in _listed(named) for name in _alternatives(text, split)]
    return [term for name in names for term in (name, *synonyms.get(name.casefold(), ()))]


@lru_cache(maxsize=64)
def lowered(text: str) -> str:
    """A text without capitals, character by character, so that places stay what they are."""
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def _line(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the line, or lines, of a span begin and end; of a longer one the words next to it."""
    first, last = max(0, start - LINE), min(len(text), end + LINE)
    if (above := text.rfind("\n", first, start)) >= 0:
        first = above + 1
    elif start > LINE:
        first = text.find(" ", first, start) + 1 or start
    if (below := text.find("\n", end, last)) >= 0:
        last = below
    elif end + LINE < len(text):
        last = max(end, text.rfind(" ", end, last))
    return first, last


def _stands_beside(named: Any, line: str) -> bool:
    """Whether a text, or each of a list, stands in a line, whatever its case; where there is none, nothing has to."""
    return all(not text.strip() or quotes.stands(text.casefold(), line.casefold()) for text in _listed(named))


def _going_on(text: str, start: int, end: int) -> str:
    """The line of a span, and the lines around it that are one sentence with it: a line goes on in a small letter."""
    first, last = _line(text, start, end)
    while start - first < LINE and text[first - 1 : first] == "\n" and goes_on(text[first:last]):
        first, _ = _line(text, first - 1, first - 1)
    while last - end < LINE and text[last : last + 1] == "\n" and goes_on(text[last + 1 : last + LINE]):
        _, last = _line(text, last + 1, last + 1)
    return text[first:last]


def goes_on(lines: str) -> bool:
    """Whether the first of some lines begins within a sentence; a blank one does not."""
    return lines.partition("\n")[0].lstrip()[:1].islower()


def _owed(source: Source, beside: Mapping[str, Any]) -> str:
    """What a quote that stands somewhere fails to do there, in words."""
    if shows := source.names or source.states:
        return f"does not show {_shown(beside.get(shows))}"
    if source.beside:
        return f"is on no line with {_shown(beside.get(source.beside))}"
    return f"does not show anything by fewer than {source.least} letters"


def _shown(part: Any) -> str:
    """The beginning of a part of a value, as JSON."""
    return json.dumps(part, ensure_ascii=False)[:60]


def due(beside: Mapping[str, Any], value: Any, derivation: Derivation, absent: frozenset[str]) -> Any:
    """What follows from the rest of a value; ``NOTHING`` where nothing does, or what it follows from was left out.

    Args:
        beside: The nearest object around the part that follows.
        value: The whole value.
        derivation: How it follows.
        absent: Fields of the root that a projection left out.

    Raises:
        Underivable: An operand is not there, or of another kind.
    """
    operands = []
    for of in derivation.operands:
        root = of.split("/")[1] if of.startswith("/") else of if beside is value else ""
        if root in absent:
            return NOTHING
        operand = pointer.at(value, of, _ABSENT) if of.startswith("/") else beside.get(of, _ABSENT)
        if operand is _ABSENT:
            raise Underivable(f"{DERIVE}: there is no {of}")
        operands.append(operand)
    return derived(derivation, operands)


def _inconsistent(
    part: Any, beside: Mapping[str, Any], value: Any, derivation: Derivation, absent: frozenset[str]
) -> str:
    """Why a part of a value does not follow from others, in words; empty where it does, or where they were left out."""
    try:
        follows = due(beside, value, derivation, absent)
    except Underivable as error:
        return str(error)
    if follows is NOTHING or same(part, follows):
        return ""
    return f"{_shown(part)} does not follow: {_shown(follows)}"


def _alternatives(text: str, split: Collection[str]) -> list[str]:
    """A text's alternatives, of which any will do, such as "Kubernetes or Nomad"."""
    parts = [text]
    for between in split:
        parts = [piece for part in parts for piece in part.split(between)]
    return [part.strip() for part in parts if part.strip()]


def _listed(value: Any) -> Iterator[str]:
    """A text, or the texts of a list."""
    yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str))
