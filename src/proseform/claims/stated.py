"""The keywords of a schema that state where its values come from, read once and checked; see :mod:`proseform.claims`.

Where all of them but ``x-abstain`` apply is the validator's to say (:meth:`proseform.schema.Schema.annotations`),
through references, branches and items of every draft alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from proseform.claims import abstaining, keywords
from proseform.claims.abstaining import Abstaining
from proseform.claims.derivations import Derivation
from proseform.claims.keywords import ABSENT, COVERS, DERIVE, FROM, SUPPORTS, Absence, Source
from proseform.errors import InputError
from proseform.schema import Schema

Synonyms = Mapping[str, tuple[str, ...]]
"""A name, case folded, to other names of the same thing."""
_KEYWORDS = frozenset({FROM, SUPPORTS, DERIVE, ABSENT, COVERS})


@dataclass(frozen=True)
class Claims:
    """What a schema states of its values.

    Attributes:
        schema: The schema.
        keywords: Those that it has, of the five that are said of a part of a value.
        absent: Fields of the root that a projection left out: what follows from them is not compared.
        shared: Fields of the root that mean what the task's mean, so that an answer is compared with its prose.
        abstaining: The answer that says that there is too little to judge by; None where the schema has none.
        sources: Location of a subschema to its source.
        derivations: Location of a subschema to its derivation.
        absences: Location of a subschema to its absence.
    """

    schema: Schema
    keywords: frozenset[str]
    absent: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    abstaining: Abstaining | None = None
    sources: dict[str, Source | None] = field(default_factory=dict)
    derivations: dict[str, Derivation | None] = field(default_factory=dict)
    absences: dict[str, Absence | None] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether it states anything of a part of a value."""
        return bool(self.keywords)

    def source(self, location: str, stated: Mapping[str, Any]) -> Source | None:
        """The source that a subschema states; read once for each location."""
        if location not in self.sources:
            self.sources[location] = keywords.source(stated, location) if FROM in stated else None
        return self.sources[location]

    def derivation(self, location: str, stated: Mapping[str, Any]) -> Derivation | None:
        """The derivation that a subschema states, likewise."""
        if location not in self.derivations:
            self.derivations[location] = keywords.derivation(stated[DERIVE], location) if DERIVE in stated else None
        return self.derivations[location]

    def absence(self, location: str, stated: Mapping[str, Any]) -> Absence | None:
        """The absence that a subschema states, likewise."""
        if location not in self.absences:
            self.absences[location] = keywords.absence(stated[ABSENT], location) if ABSENT in stated else None
        return self.absences[location]


def claims(
    schema: Schema, inputs: Collection[str], *, absent: Collection[str] = (), shared: Collection[str] = ()
) -> Claims:
    """Read the keywords of a schema.

    Args:
        schema: The schema.
        inputs: The names of the task's inputs.
        absent: See :class:`Claims`, as for the next.
        shared: See there.

    Raises:
        InputError: A keyword that is malformed, or an input that the task does not have; with its place.

    >>> claims(Schema({"type": "string", "x-from": "letter"}), ["letter"]).any
    True
    """
    return _read(schema, tuple(inputs), frozenset(absent), frozenset(shared))


@lru_cache(maxsize=16)
def _read(schema: Schema, inputs: tuple[str, ...], absent: frozenset[str], shared: frozenset[str]) -> Claims:
    """As :func:`claims`: a bundle's schema is read once, not for each of its answers."""
    stating = [(place, node) for place, node in schema.subschemas() if _KEYWORDS & node.keys()]
    annotated = schema.annotated() if stating else set()
    for place, node in stating:
        where = f"{schema.where} at {place or '/'}"
        if place not in annotated:
            raise InputError(
                f"{where}: {min(_KEYWORDS & node.keys())} is said of nothing there.",
                hint="It counts in no `not`, `propertyNames` or `additionalItems`, nor beside a $ref up to draft 7.",
            )
        if FROM in node and node.get("type") in ("array", "object"):
            raise InputError(f"{where}: {FROM} is said of an {node['type']}.", hint="Say it of the texts in it.")
        if FROM in node:
            _check(keywords.source(node, where).inputs, inputs, where, FROM)
        elif SUPPORTS in node:
            raise InputError(f"{where}: {SUPPORTS} stands beside {FROM} only.")
        if DERIVE in node:
            keywords.derivation(node[DERIVE], where)
        if ABSENT in node:
            _check(keywords.absence(node[ABSENT], where).inputs, inputs, where, ABSENT)
        if COVERS in node:
            _check(keywords.covered(node[COVERS], where), inputs, where, COVERS)
    said = _KEYWORDS.intersection(name for _, node in stating for name in node)
    return Claims(schema, said, absent, shared, abstaining.read(schema, inputs))


def _check(named: Collection[str], inputs: Collection[str], where: str, keyword: str) -> None:
    """Refuse an input that the task does not have."""
    for name in named:
        if name not in inputs:
            raise InputError(
                f"{where}: {keyword}: there is no input '{name}'.", hint=f"Inputs are {', '.join(inputs)}."
            )
