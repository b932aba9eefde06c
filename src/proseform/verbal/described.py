"""The form of a schema in words, for models that were not trained on the task: what is stated, and how."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from proseform.claims.keywords import DERIVE, FROM
from proseform.schema import Schema
from proseform.verbal.labels import Labels
from proseform.verbal.order import followed
from proseform.verbal.writing import inline

DEEPEST = 8
"""Levels of objects and arrays that are described."""
_KINDS = {"string": "a text.", "integer": "a whole number.", "number": "a number.", "null": "none."}
_HOW = "State one fact a sentence, as Label: value. Texts stand in double quotes, choices without; yes, no, none."


def described(schema: Schema, labels: Labels) -> str:
    """Each field in the order in which it is written, with its description, its choices, and where it comes from.

    >>> from proseform.schema import Schema
    >>> due = {"type": "string", "description": "When it is owed.", "x-from": "letter"}
    >>> schema = Schema({"properties": {"paid": {"type": "boolean"}, "due_at": due}})
    >>> print(described(schema, Labels.of(schema)).split(chr(10), 1)[1])
    - Due at: When it is owed. It stands in letter.
    - Paid: yes or no.
    """
    return "\n".join([_HOW, *_lines(schema.document, schema.document, labels, ())])


def _lines(node: Any, root: Mapping[str, Any], labels: Labels, path: tuple[str, ...]) -> Iterator[str]:
    """A line a field, indented by its depth."""
    node = followed(node, root)
    if isinstance(node.get("items"), Mapping):
        node = followed(node["items"], root)
    properties = node.get("properties")
    if not isinstance(properties, Mapping) or len(path) == DEEPEST:
        return
    rank = labels.rank(path)
    for name, field in sorted(properties.items(), key=lambda pair: rank(pair[0])):
        shown = followed(field, root)
        words = [str(shown.get("description", "")).strip(), *_stated(shown, labels)]
        yield f"{'  ' * len(path)}- {labels.label(name)}: {' '.join(filter(None, words)) or 'a value.'}"
        yield from _lines(shown, root, labels, (*path, name))


def _stated(node: Mapping[str, Any], labels: Labels) -> Iterator[str]:
    """What a subschema says of a leaf, in sentences."""
    choices = node.get("enum")
    if isinstance(choices, list):
        yield " or ".join(inline(choice, labels) for choice in choices if not isinstance(choice, dict | list)) + "."
    elif node.get("type") == "boolean":
        yield "yes or no."
    elif isinstance(node.get("type"), str) and node["type"] in ("array", "object"):
        yield "several, numbered." if node["type"] == "array" else "in parts."
    elif {"minimum", "maximum"} <= node.keys():
        yield f"a number from {node['minimum']} to {node['maximum']}."
    elif FROM not in node and "description" not in node:
        yield _KINDS.get(str(node.get("type")), "a value.")
    if FROM in node:
        source = node[FROM]["input"] if isinstance(node[FROM], Mapping) else node[FROM]
        yield f"It stands in {source if isinstance(source, str) else ' or '.join(source)}."
    if DERIVE in node:
        yield f"It follows: {json.dumps(node[DERIVE], ensure_ascii=False)}."
