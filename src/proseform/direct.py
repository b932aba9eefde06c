"""Rewards of JSON that is asked for directly, without prose. Pure.

The *gated* reward pays for content once the form is right. The others are sums of terms in [0, 1], by a rubric:

- ``additive`` pays for form, validity and content each by itself, as most public recipes do;
- ``shaped`` is additive with a term that falls where the text is longer than it need be (Yu and others, DAPO, arXiv
  2503.14476, equation 13, measured here by the gold document);
- ``think`` is the dual reward of Agarwal and others (ThinkJSON, arXiv 2502.14905): the document between tags is paid by
  the key-value pairs that match and by its length, in tenths; the tags by themselves.

Partial credit for form has a price: under scaling by group a credit that all failing completions can earn counts as
much as success, however small it is (arXiv 2607.21273). Credit for form by the batch, which has no such price, is a
method of GRPO (:mod:`proseform.train.methods.form`), since one completion alone does not say what it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from proseform import verify
from proseform.errors import ConfigError
from proseform.leaves import content_share
from proseform.rubric import Rubric
from proseform.tagged import NOTHING, TAGS, between, pairs, value

if TYPE_CHECKING:
    from proseform.case import Case
    from proseform.schema import Schema
    from proseform.task import Task

ATTEMPTED = 0.1
"""Reward of a completion that opens a brace and is no valid document."""

JSON = "json"
"""Name of the gated reward, where terms are named."""

RUBRICS: Mapping[str, Rubric] = {
    "additive": Rubric({"json_parses": 0.2, "json_valid": 0.3, "json_content": 0.5}, {}),
    "shaped": Rubric({"json_parses": 0.2, "json_valid": 0.3, "json_content": 0.4, "json_length": 0.1}, {}),
    "think": Rubric({"json_pairs": 0.5, "json_tags": 0.5}, {}),
}
"""The rubrics of JSON that is asked for directly."""

FORM = frozenset({"json_parses", "json_valid", "json_tags"})
"""The terms that look at form alone."""

_PREFIX = "json_"
"""How names of terms of JSON begin."""
_LONG = 2.0
"""How many times as long as gold a document is that earns nothing for its length."""


def rubric(name: str) -> Rubric | None:
    """The rubric of JSON by its name; None, the gated reward, where it is empty.

    Raises:
        ConfigError: There is no such rubric.
    """
    if name and name not in RUBRICS:
        raise ConfigError(
            f"grpo.rubric: no rubric '{name}' of JSON; there are: {', '.join(RUBRICS)}.",
            hint="Leave it empty for the gated reward.",
        )
    return RUBRICS[name] if name else None


def term(name: str, schema: Schema) -> Callable[[str, Case], float] | None:
    """A term of JSON by its name, as tasks have theirs: a function of text and case; None where it is no such term."""
    if not name.startswith(_PREFIX):
        return None
    terms: dict[str, Callable[[str, Any], float]] = {
        "json_parses": lambda text, _: float(value(text) is not NOTHING),
        "json_valid": lambda text, _: float(verify.answer(text, schema).ok),
        "json_content": content,
        "json_length": length,
        "json_pairs": pairs,
        "json_tags": lambda text, _: float(TAGS.fullmatch(text) is not None),
    }
    known = terms.get(name)
    return None if known is None else lambda text, case: known(text, dict(case.answer))


def reads_json(rubric: Rubric | None) -> bool:
    """Whether a reward reads completions as JSON: the gated one, and those of :data:`RUBRICS`."""
    return rubric is None or all(name.startswith(_PREFIX) for name in rubric.weights)


def wholly_right(text: str, case: Case, task: Task, rubric: Rubric | None) -> bool:
    """Whether a completion is right in every field: the quality that a reward stands for.

    Args:
        text: The completion, prefill included.
        case: With its gold.
        task: Reads the text.
        rubric: In force; says whether the text is read as prose, as JSON, or as JSON between tags.
    """
    if reads_json(rubric):
        verdict = verify.answer(document(text, rubric), task.schema)
    else:
        verdict = verify.prose(text, task, case.inputs)
    return verdict.ok and content_share(verdict.value, dict(case.answer)) == 1.0


def asked(case: Case, task: Task, rubric: Rubric | None) -> Case:
    """A case as a reward sees it: where it reads JSON, with the gold of the task's own fields alone."""
    return case.narrowed(task.schema.fields) if reads_json(rubric) else case


def gold(case: Case, rubric: Rubric | None) -> str:
    """A completion that earns the most: the gold document, with gold prose as its thought where tags are asked for."""
    plain = json.dumps(dict(case.answer), ensure_ascii=False)
    return f"<think>{case.prose}</think><answer>{plain}</answer>" if _tagged(rubric) else plain


def document(text: str, rubric: Rubric | None) -> str:
    """What of a completion should be JSON: all of it, or what stands between the tags where they are asked for."""
    return between(text) if _tagged(rubric) else text


def _tagged(rubric: Rubric | None) -> bool:
    """Whether a reward asks for tags."""
    return rubric is not None and "json_tags" in rubric.weights


def gated_json(text: str, gold: Any, schema: Schema) -> float:
    """The gated reward of a JSON completion, 0, 0.1, or within [1, 2].

    0.0 for nothing, 0.1 for an attempt (a brace is opened), and for a document that the verifier accepts
    1.0 plus the share of the content that is right.

    >>> from proseform.schema import Schema
    >>> schema = Schema({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}})
    >>> texts = ("I think…", '{"a": ', '{"a": 1, "b": 3}', '{"a": 1, "b": 2}')
    >>> [gated_json(text, {"a": 1, "b": 2}, schema) for text in texts]
    [0.0, 0.1, 1.5, 2.0]
    """
    verdict = verify.answer(text, schema)
    if verdict.ok:
        return 1.0 + content_share(verdict.value, gold)
    return ATTEMPTED if "{" in text else 0.0


def content(text: str, gold: Any) -> float:
    """The share of the content that is right, of valid and invalid documents alike, in [0, 1]; 0 for what is no JSON.

    >>> content('{"a": 1, "more": 2}', {"a": 1}), content("a: 1", {"a": 1})
    (0.5, 0.0)
    """
    known = value(text)
    return 0.0 if known is NOTHING else content_share(known, gold)


def length(text: str, gold: Any) -> float:
    """1 up to the gold document's length in characters, from there falling to 0 at twice that length.

    >>> [length(text, {"a": 1}) for text in ("", '{"a": 1}', '{"a": 1, "b"', "x" * 16)]
    [1.0, 1.0, 0.5, 0.0]
    """
    due = len(json.dumps(gold, ensure_ascii=False))
    return min(1.0, max(0.0, (_LONG * due - len(text)) / ((_LONG - 1) * due)))
