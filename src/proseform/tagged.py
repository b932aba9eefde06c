"""JSON between tags, as ThinkJSON asks for it, and its reward (Agarwal and others, arXiv 2502.14905). Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from proseform.strict import DECODER, same

THINK = "\nThink within <think></think> first, then write the JSON within <answer></answer>."
"""What a policy is told whose reward asks for tags."""

TAGS = re.compile(r"\s*<think>.*?</think>\s*<answer>(.*?)</answer>\s*", re.DOTALL)
"""The form: a thought, then the answer, and nothing around them."""

NOTHING = object()
"""The value of a text that is no JSON; null is one."""


def pairs(text: str, gold: Any) -> float:
    """ThinkJSON's reward of the document between the tags, of the whole text where there are none; in tenths.

    The mean of two shares: of the keys that either document has, those whose values are equal; and the length of the
    shorter text by that of the longer. 0 for what is no object.

    >>> pairs('<think>so</think><answer>{"a": 1, "b": 3}</answer>', {"a": 1, "b": 2})
    0.8
    """
    ours = value(between(text))
    if not isinstance(ours, Mapping) or not isinstance(gold, Mapping):
        return 0.0
    keys = ours.keys() | gold.keys()
    matching = sum(key in ours and key in gold and same(ours[key], gold[key]) for key in keys)
    shorter, longer = sorted(len(json.dumps(one, ensure_ascii=False)) for one in (ours, gold))
    return round(((matching / len(keys) if keys else 1.0) + shorter / longer) / 2, 1)


def between(text: str) -> str:
    """What stands between the answer's tags; the text itself where it is not in that form."""
    match = TAGS.fullmatch(text)
    return match[1] if match else text


def value(text: str) -> Any:
    """The JSON value of a text, or :data:`NOTHING`."""
    stripped = text.strip()
    try:
        known, end = DECODER.raw_decode(stripped)
    except (ValueError, RecursionError):
        return NOTHING
    return known if end == len(stripped) else NOTHING
