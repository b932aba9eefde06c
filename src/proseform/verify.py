"""The verifier: takes text and gives a verdict, or the first reason against.

The same functions are the format part of the GRPO reward, a row of the evaluation report and the last word of the
transformer: training, evaluation and serving cannot disagree. Pure; whether the *content* is right is another
question, answered in :mod:`proseform.reward` where a gold answer is known.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from proseform.input import of_each
from proseform.strict import DECODER, DuplicateKeyError
from proseform.verdict import Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """Verify an evaluation in prose: it is in the task's form, and what it says conforms to the task's schema.

    Args:
        text: The evaluation.
        task: Reads it.
        inputs: What was evaluated, by the task's names, so that the task can look up what is quoted.

    Returns:
        The verdict; its value is the JSON that the prose states, of the task's whole schema.
    """
    if not text.strip():
        return Verdict(reason=Reason.EMPTY, detail="no text")
    verdict = task.read(text, of_each(inputs))
    if not verdict.ok:
        return verdict
    fault = task.schema.fault(verdict.value)
    return Verdict(reason=Reason.SCHEMA, where=fault[0], detail=fault[1]) if fault else verdict


def _cut(text: str, error: Exception) -> bool:
    """True if the JSON was cut off rather than malformed."""
    if text[0] not in '{["' or not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated string") or _STUMP.fullmatch(text, min(error.pos, len(text))) is not None


_BLANK = " \t\r\n"
_STUMP = re.compile(r"|,|-|t|tr|tru|f|fa|fal|fals|n|nu|nul|\.|[eE][+-]?|(\\?u)?[0-9a-fA-F]{0,4}")
