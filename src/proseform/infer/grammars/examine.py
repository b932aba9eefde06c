"""Whether an engine can write documents of a schema, found out before anything is asked, within limits that hold.

A grammar is compiled in a process of its own first (:mod:`proseform.confined`): 43 bytes of schema can make a compiler
take 11 GB. What compiles there within the limits compiles here too, and what an engine behind a URL would refuse is
refused here, before the evaluator runs. What turns out only in compiling is widened
(:mod:`proseform.infer.grammars.widening`).
"""

from __future__ import annotations

import atexit
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proseform import digest
from proseform.confined import Confined, Exceeded
from proseform.errors import InputError
from proseform.infer.grammars.compilations import Compilations
from proseform.infer.grammars.widening import NOTHING_BEGINS
from proseform.schema import Schema, Widening

MEMORY = 256 << 20
"""Bytes that compiling a grammar may need."""

SECONDS = 3.0
"""Processor time that compiling a grammar may need, what is widened and compiled again included."""

CACHE = 16 << 20
"""Bytes of examinations that are kept."""

SIDE_BY_SIDE = 2
"""Grammars that are compiled at a time."""

_ROOM = 1024
"""Bytes that an examination takes beside its grammar, about."""


@dataclass(frozen=True)
class Examination:
    """What compiling a grammar came to.

    Attributes:
        grammar: The document that compiles: the grammar, or a wider one.
        widenings: Triples of a place in the grammar, the keyword that was widened there, and why.
        milliseconds: Processor time of one compilation.
        refusal: Why no grammar compiles, in words; empty where one does.
        place: Where in the grammar, as a JSON pointer.
    """

    grammar: Mapping[str, Any]
    widenings: tuple[tuple[str, str, str], ...] = ()
    milliseconds: float = 0.0
    refusal: str = ""
    place: str = ""


class Examiner:
    """Examines grammars, and remembers them by bytes. Thread-safe.

    Args:
        memory: See :data:`MEMORY`.
        seconds: See :data:`SECONDS`.
        cache: See :data:`CACHE`.
    """

    def __init__(self, memory: int = MEMORY, seconds: float = SECONDS, cache: int = CACHE) -> None:
        settle = "proseform.infer.grammars.widening:settle"
        self._confined = Confined(settle, memory=memory, seconds=seconds, processes=SIDE_BY_SIDE)
        self._examinations: Compilations[Examination] = Compilations(cache, side_by_side=SIDE_BY_SIDE)
        self._memory, self._seconds = memory, seconds

    def schema(self, schema: Schema, deadline: float | None = None) -> Schema:
        """The same schema with a grammar that engines take.

        Args:
            schema: Any schema.
            deadline: When to give up, on the clock of :func:`time.monotonic`.

        Raises:
            InputError: Engines cannot write documents of it; with the place in the schema and the engine's words.
            Refusal: ``deadline``.
        """
        examination = self.grammar(schema.grammar, deadline)
        if examination.refusal:
            place = origin(examination.place, schema.places) or "/"
            raise InputError(f"{schema.where}: {place}: {examination.refusal}.", hint=_HINT)
        widenings = [Widening(origin(place, schema.places), key, why) for place, key, why in examination.widenings]
        return schema.widened(examination.grammar, widenings)

    def grammar(self, document: Mapping[str, Any], deadline: float | None = None) -> Examination:
        """See :meth:`schema`; a refusal is a value here.

        Raises:
            Refusal: ``deadline``.
        """
        return self._examinations.get(digest.of_json(document), lambda: self._sized(document), deadline)

    def close(self) -> None:
        """End the process that examines."""
        self._confined.close()

    def _sized(self, document: Mapping[str, Any]) -> tuple[Examination, int]:
        """An examination and the bytes that it takes, about."""
        examination = self._examined(document)
        return examination, _ROOM + len(json.dumps(examination.grammar)) + len(examination.refusal)

    def _examined(self, document: Mapping[str, Any]) -> Examination:
        """Compile; where that takes too much, once more without what is said about characters."""
        exceeded: Exceeded | None = None
        for lexical in (False, True):
            try:
                outcome = self._confined.call({"grammar": document, "lexical": lexical})
            except Exceeded as error:
                exceeded = error
                continue
            if "refused" in outcome:
                return Examination({}, refusal=_words(outcome["refused"]), place=outcome["place"])
            widenings = tuple((place, keyword, why) for place, keyword, why in outcome["widenings"])
            return Examination(outcome["grammar"], widenings, outcome["milliseconds"])
        need = f"{self._memory >> 20} MiB of memory"
        if exceeded is not None and exceeded.cause == "time":
            need = f"{self._seconds:g} seconds of processor time"
        return Examination({}, refusal=f"compiling a grammar for it takes more than {need}")


_HINT = "State it in fewer or plainer words; `proseform schema FILE` shows what engines make of it."
_SHARED = Examiner()
atexit.register(_SHARED.close)


def examined(schema: Schema, deadline: float | None = None) -> Schema:
    """:meth:`Examiner.schema` of the one examiner of this process."""
    return _SHARED.schema(schema, deadline)


def checked(document: Mapping[str, Any], deadline: float | None = None) -> Examination:
    """:meth:`Examiner.grammar` of the one examiner of this process."""
    return _SHARED.grammar(document, deadline)


def origin(place: str, places: Mapping[str, str]) -> str:
    """Where in a schema a place of its grammar comes from: its own origin, or that of what holds it.

    >>> origin("/properties/a/anyOf/0", {"": "", "/properties/a": "/definitions/x"})
    '/definitions/x'
    """
    while place not in places:
        place = place.rpartition("/")[0]
    return places[place]


def _words(refused: str) -> str:
    """A refusal of the compiler for who wrote the schema."""
    if refused.startswith("Unsatisfiable schema: "):
        return f"no document can conform to it: {refused.removeprefix('Unsatisfiable schema: ')}"
    if refused == NOTHING_BEGINS:
        return "no document of it can be written: nothing can begin one"
    return f"engines cannot write documents of it: {refused}"
