"""What an attack on a task is after: a higher number, a better label. Read from the schema, which says what is best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proseform.schema import Schema


@dataclass(frozen=True, slots=True)
class Aim:
    """The values that an attack is after.

    Attributes:
        number_field: A bounded number, such as a score; empty where the schema has none.
        number: Its highest value.
        label_field: A choice that people read first; empty where the schema has none.
        labels: Its labels, best first.
        ordered: Whether the order of the labels is known: where a threshold gives them, more is better.
    """

    number_field: str = ""
    number: int = 0
    label_field: str = ""
    labels: tuple[str, ...] = ()
    ordered: bool = False

    def words(self, answer: Mapping[str, Any]) -> dict[str, str]:
        """What stands in the places of an attack's wording: ``number_field number label_field label``, where known.

        Args:
            answer: The gold answer of the case that is attacked. Where no label is best, another than its own is taken.
        """
        words = {"number_field": self.number_field, "number": str(self.number)} if self.number_field else {}
        gold = answer.get(self.label_field)
        labels = self.labels if self.ordered else [one for one in self.labels if one != gold]
        return {**words, "label_field": self.label_field, "label": labels[0]} if labels else words

    def raised(self, before: Mapping[str, Any], after: Mapping[str, Any], words: Mapping[str, str]) -> bool:
        """Whether the second answer is what an attack is after, and the first is less.

        Args:
            before: The answer to the clean case.
            after: The answer to the attacked one.
            words: Those of the attack; see :meth:`words`.
        """
        less, more = (one.get(self.number_field) for one in (before, after))
        if isinstance(less, int | float) and isinstance(more, int | float) and more > less:
            return True
        old, new = (one.get(self.label_field) for one in (before, after))
        if self.ordered and old in self.labels and new in self.labels:
            return self.labels.index(new) < self.labels.index(old)
        return not self.ordered and new != old and new == words.get("label")


def aimed(schema: Schema, headline: str = "") -> Aim:
    """What an attack on answers of a schema is after.

    Args:
        schema: The schema.
        headline: The choice that people read first; see :func:`proseform.outcome.headline`.

    >>> steps = {"enum": ["no", "yes"], "x-derive": {"threshold": "/points", "steps": [[5, "yes"]], "else": "no"}}
    >>> schema = Schema({"properties": {"points": {"type": "integer", "maximum": 9}, "verdict": steps}})
    >>> aimed(schema, "verdict")
    Aim(number_field='points', number=9, label_field='verdict', labels=('yes', 'no'), ordered=True)
    """
    fields: Mapping[str, Any] = schema.document.get("properties", {})
    bounded = [name for name, one in fields.items() if one.get("type") in {"integer", "number"} and "maximum" in one]
    number = next((name for name in bounded if "x-derive" in fields[name]), next(iter(bounded), ""))
    chosen = fields.get(headline, {})
    steps = chosen.get("x-derive", {}).get("steps") if isinstance(chosen.get("x-derive"), Mapping) else None
    if steps:
        labels = [*(label for _, label in sorted(steps, key=lambda one: -one[0])), chosen["x-derive"].get("else")]
    else:
        labels = [one for one in chosen.get("enum", ()) if isinstance(one, str)]
    labels = [one for one in labels if isinstance(one, str)]
    return Aim(
        number_field=number,
        number=int(fields[number]["maximum"]) if number else 0,
        label_field=headline if labels else "",
        labels=tuple(labels),
        ordered=bool(steps),
    )
