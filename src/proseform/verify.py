"""The verifier: takes text and gives a verdict, or the first reason against.

The same functions are the format part of the GRPO reward, a row of the evaluation report and the last word of the
transformer: training, evaluation and serving cannot disagree. Pure; whether the *content* is right is another
question, answered in :mod:`proseform.reward` where a gold answer is known.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proseform.claims import claims, judge
from proseform.claims import recomputed as recompute
from proseform.input import of_each
from proseform.schema import pointer
from proseform.strict import DECODER, DuplicateKeyError, same
from proseform.verdict import Correction, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from proseform.claims import Claims
    from proseform.input import Input
    from proseform.schema import Schema
    from proseform.task import Task


def answer(text: str, schema: Schema) -> Verdict:
    """Verify a completion that should be one JSON value of a schema, and nothing else.

    Stricter than :func:`json.loads`: a key may stand once in an object, NaN and infinities are no numbers (nor is
    ``1e999``, which reads as one), lone surrogates are no text, spelt out or escaped, and behind the value only JSON's
    own white space may follow.

    >>> from proseform.schema import Schema
    >>> schema = Schema({"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]})
    >>> answer('{"score": 7}', schema).value
    {'score': 7}
    >>> str(answer('{"score": 7} I hope this helps!', schema))
    'trailing_text: "I hope this helps!" follows the JSON'
    >>> str(answer('{"score": "7"}', schema))
    'schema at /score: "7" is not of type "integer"'
    """
    stripped = text.strip(_BLANK)
    if not stripped:
        return Verdict(reason=Reason.EMPTY, detail="no text")
    try:
        value, end = DECODER.raw_decode(stripped)
    except DuplicateKeyError as error:
        return Verdict(reason=Reason.DUPLICATE_KEY, detail=f'"{error.key}" stands twice')
    except (ValueError, RecursionError) as error:
        detail = getattr(error, "msg", str(error)) or type(error).__name__
        return Verdict(reason=Reason.TRUNCATED if _cut(stripped, error) else Reason.NOT_JSON, detail=detail)
    rest = stripped[end:].strip(_BLANK)
    if rest:
        return Verdict(reason=Reason.TRAILING, detail=f'"{rest[:40]}" follows the JSON')
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return Verdict(reason=Reason.NOT_JSON, detail="a lone surrogate is no text")
    fault = schema.fault(value)
    return Verdict(reason=Reason.SCHEMA, where=fault[0], detail=fault[1]) if fault else Verdict(value)


def prose(text: str, task: Task, inputs: Mapping[str, str | Input]) -> Verdict:
    """Verify an evaluation in prose: in the task's form, of the task's schema, grounded and consistent.

    Args:
        text: The evaluation.
        task: Reads it.
        inputs: What was evaluated, by the task's names, so that the task can look up what is quoted.

    Returns:
        The verdict; its value is the JSON that the prose states, of the task's whole schema, with the evidence.
    """
    values = of_each(inputs)
    verdict = form(text, task, values)
    return judge(verdict.value, task.claims, values, task.synonyms) if verdict.ok else verdict


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation in prose and the verdict on it.

    Attributes:
        text: The evaluation.
        verdict: By :func:`prose`, or of free prose by :func:`unread`.
        recomputed: What was computed anew in it; the text says what follows.
    """

    text: str
    verdict: Verdict
    recomputed: tuple[Correction, ...] = ()


def evaluation(text: str, task: Task, inputs: Mapping[str, str | Input], *, recompute: bool = False) -> Evaluation:
    """Verify an evaluation of any task, free prose among them.

    Args:
        text: The evaluation.
        task: The task.
        inputs: What was evaluated.
        recompute: Compute anew what follows where it says otherwise (:func:`recomputed`).
    """
    verdict = unread(text) if task.free else prose(text, task, inputs)
    return recomputed(text, verdict, task, inputs) if recompute else Evaluation(text, verdict)


def recomputed(text: str, judged: Verdict, task: Task, inputs: Mapping[str, str | Input]) -> Evaluation:
    """An evaluation whose fault is that it contradicts its own evidence, with what follows computed anew.

    It is written anew as the task writes evaluations, and verified from its first letter: nothing else may be against
    it. Any other evaluation, and any of a task that cannot write, stays as it is.

    Args:
        text: The evaluation.
        judged: The verdict on it, by :func:`prose`.
        task: The task.
        inputs: What was evaluated.
    """
    as_it_is = Evaluation(text, judged)
    if judged.reason is not Reason.INCONSISTENT or task.write is None:
        return as_it_is
    values = of_each(inputs)
    value, corrections = recompute(form(text, task, values).value, task.claims)
    if not corrections:
        return as_it_is
    written = task.write(value)
    return Evaluation(written, prose(written, task, values), corrections)


def form(text: str, task: Task, inputs: Mapping[str, str | Input]) -> Verdict:
    """Read an evaluation, true or not: it is in the task's form, and what it says conforms to the task's schema.

    Arguments and result are those of :func:`prose`; there is no evidence.
    """
    if not text.strip():
        return Verdict(reason=Reason.EMPTY, detail="no text")
    verdict = task.read(text, of_each(inputs))
    fault = task.schema.fault(verdict.value) if verdict.ok else None
    return Verdict(reason=Reason.SCHEMA, where=fault[0], detail=fault[1]) if fault else verdict


def unread(text: str) -> Verdict:
    """Verify free prose, which no reader knows: that there is some. What is made of it is held against the inputs.

    >>> str(unread("A fine old bicycle.")), str(unread(" "))
    ('unread', 'empty: no text')
    """
    return Verdict(detail="unread") if text.strip() else Verdict(reason=Reason.EMPTY, detail="no text")


def stated(
    value: Any, judged: Verdict, task: Task, claims: Claims, inputs: Mapping[str, Input], *, cut: Collection[str] = ()
) -> Verdict:
    """Verify an answer, valid already, against what it was made of: it says what the prose says, and is grounded.

    Args:
        value: The answer.
        judged: The verdict on the prose, by :func:`prose` and of the same inputs.
        task: The task.
        claims: What the answer's schema states of its values.
        inputs: The task's inputs, by name.
        cut: JSON pointers of what was cut short; it may be the beginning of what the prose says.

    Returns:
        The verdict; its value is the answer, with the evidence.
    """
    evaluation = judged.value
    if judged.ok and not cut and _repeats(value, evaluation, claims, task.claims):
        return replace(judged, value=value)
    both, places = isinstance(value, dict) and isinstance(evaluation, dict), frozenset(cut)
    for name in claims.schema.fields if both else ():
        if name not in claims.shared or name not in value or name not in evaluation:
            continue
        place = f"/{pointer.escaped(name)}"
        if not _begins(value[name], evaluation[name], place, places):
            shown = [json.dumps(one, ensure_ascii=False)[:60] for one in (value[name], evaluation[name])]
            return Verdict(reason=Reason.INCONSISTENT, where=place, detail=f"{shown[0]}; the prose says {shown[1]}")
    return judge(value, claims, inputs, task.synonyms, cut=places)


def _begins(value: Any, whole: Any, place: str, cut: frozenset[str]) -> bool:
    """Whether a part of an answer is what the prose says, or where it was cut short the beginning of that.

    >>> [_begins(value, ["so long", 2], "", frozenset({"", "/0"})) for value in (["so lo"], ["so lo", 2], ["so low"])]
    [True, True, False]
    """
    if place not in cut and not any(one.startswith(f"{place}/") for one in cut):
        return same(value, whole)
    if isinstance(value, dict) and isinstance(whole, dict):
        there = value.keys() <= whole.keys() if place in cut else value.keys() == whole.keys()
        return there and all(
            _begins(part, whole[key], f"{place}/{pointer.escaped(key)}", cut) for key, part in value.items()
        )
    if isinstance(value, list) and isinstance(whole, list):
        there = len(value) <= len(whole) if place in cut else len(value) == len(whole)
        return there and all(_begins(part, whole[at], f"{place}/{at}", cut) for at, part in enumerate(value))
    written, said = (one if isinstance(one, str) else json.dumps(one) for one in (value, whole))
    return type(value) is type(whole) and said.startswith(written)


def stating(schema: Schema, task: Task) -> Claims:
    """What a task's own schema, or one of its formats, states of its values."""
    return claims(schema, task.inputs, absent={*task.schema.fields} - {*schema.fields}, shared=schema.fields)


def _repeats(value: Any, evaluation: Any, stated: Claims, own: Claims) -> bool:
    """Whether an answer is the very JSON that the prose states, of the very schema: it was judged then."""
    if stated.absent or stated.schema.digest != own.schema.digest:
        return False
    return json.dumps(value) == json.dumps(evaluation)


def shared(schema: Schema, whole: Schema) -> list[str]:
    """The fields of a caller's schema that are the task's own, and not others of the same name.

    >>> from proseform.schema import Schema
    >>> task = Schema({"properties": {"score": {"type": "integer"}, "note": {"type": "string"}}})
    >>> shared(Schema({"properties": {"score": {"type": "integer", "title": "S"}, "note": {"type": "null"}}}), task)
    ['score']
    """
    names = [name for name in schema.fields if name in whole.fields]
    if not names:
        return []
    ours, theirs = (_bare(of.document) for of in (schema, whole))
    alike = all(ours.get(key) == theirs.get(key) for key in ("$defs", "definitions"))
    fields = [(name, ours["properties"][name], theirs["properties"][name]) for name in names]
    return [name for name, own, other in fields if own == other and (alike or "$ref" not in str(own))]


def _bare(node: Any) -> Any:
    """A schema without what says nothing of a value: annotations of ours, titles and descriptions."""
    if isinstance(node, list):
        return [_bare(one) for one in node]
    if not isinstance(node, dict):
        return node
    named = {
        key: {name: _bare(one) for name, one in node[key].items()} for key in _NAMED if isinstance(node.get(key), dict)
    }
    rest = {
        key: _bare(one)
        for key, one in node.items()
        if not (key in named or key.startswith("x-") or (key in {"title", "description"} and isinstance(one, str)))
    }
    return {**rest, **named}


_NAMED = ("properties", "patternProperties", "$defs", "definitions")
"""Keywords whose keys are names."""


def _cut(text: str, error: Exception) -> bool:
    """True if the JSON was cut off rather than malformed."""
    if text[0] not in '{["' or not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated string") or _STUMP.fullmatch(text, min(error.pos, len(text))) is not None


_BLANK = " \t\r\n"
_STUMP = re.compile(r"|,|-|t|tr|tru|f|fa|fal|fals|n|nu|nul|\.|[eE][+-]?|(\\?u)?[0-9a-fA-F]{0,4}")
