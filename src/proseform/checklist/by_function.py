"""A reward function of one's own as the subject of the checks: called as TRL 1.16 calls it.

TRL gives a function ``prompts``, ``completions``, ``completion_ids``, every other column of the dataset,
``trainer_state``, ``log_extra`` and ``log_metric``, all by keyword, and takes a list of one number a completion.
Completions are texts; where prompts are conversations, each is a list of one message of the assistant. There is no
tokenizer here: the ids are the bytes of the text. A None, which TRL takes for "does not apply", is a fault here: such a
rollout carries no gradient and still counts among the group's.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

from proseform.checklist.gold_rows import Row
from proseform.checklist.subject import Subject
from proseform.errors import InputError
from proseform.reward import Score
from proseform.strict import DECODER


def imported(name: str) -> Callable[..., Any]:
    """The function that ``module:function`` names.

    Raises:
        InputError: No such module or function, or it is a class.
    """
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise InputError(f"'{name}' names no function.", hint="Write module:function, such as my_rewards:accuracy.")
    try:
        named: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        hint = "Run the command in the folder that holds the module, or install its package."
        raise InputError(f"'{name}': {error}.", hint=hint) from error
    for part in attribute.split("."):
        if not hasattr(named, part):
            known = [word for word, value in vars(named).items() if callable(value) and not word.startswith("_")]
            raise InputError(f"'{name}': {module} has no '{attribute}'; it has: {', '.join(known) or 'no function'}.")
        named = getattr(named, part)
    if inspect.isclass(named) or not callable(named):
        raise InputError(
            f"'{name}' is {'a class' if inspect.isclass(named) else 'no function'}.",
            hint="Name a function, or an instance that can be called.",
        )
    function: Callable[..., Any] = named
    return function


def subject(
    name: str, function: Callable[..., Any], cases: Sequence[Row], low: float = -math.inf, high: float = math.inf
) -> Subject:
    """The subject.

    Args:
        name: Of the function.
        function: As TRL takes it; may be asynchronous.
        cases: At least two.
        low: The least that it may give.
        high: The most that it may give.
    """
    return Subject(
        golds=[row.gold for row in cases],
        inputs=[{"prompt": _last(row)} for row in cases],
        asked=[_asked(row) for row in cases],
        words=list(dict.fromkeys(word for row in cases for word in _names(_stated(row.gold)))),
        score=lambda texts, places: _scored(name, function, texts, [cases[place] for place in places], low, high),
        read=lambda text, _: text.rstrip().split(" ") if (value := _stated(text)) is None else value,
        signature=partial(_signature, function, cases[0]),
        pickled=partial(pickle.dumps, function),
    )


def _given(texts: Sequence[str], cases: Sequence[Row]) -> dict[str, Any]:
    """The keywords of one call."""
    talk = cases[0].conversational
    return {
        "prompts": [row.prompt for row in cases],
        "completions": [[{"role": "assistant", "content": text}] for text in texts] if talk else list(texts),
        "completion_ids": [list(text.encode("utf-8", "surrogatepass")) for text in texts],
        **{name: [row.columns[name] for row in cases] for name in cases[0].columns},
        "trainer_state": SimpleNamespace(global_step=0, max_steps=1, epoch=0.0, log_history=[]),
        "log_extra": lambda _column, _values: None,
        "log_metric": lambda _name, _value: None,
    }


def _signature(function: Callable[..., Any], row: Row) -> str:
    """What is wrong with how TRL would call the function."""
    try:
        inspect.signature(function).bind(**_given([row.gold], [row]))
    except TypeError as error:
        return (
            f"{error}; TRL passes prompts, completions, completion_ids, each column and more by keyword: "
            "name those that are used, and take the rest as **kwargs"
        )
    return ""


def _scored(
    name: str, function: Callable[..., Any], texts: Sequence[str], cases: Sequence[Row], low: float, high: float
) -> list[Score]:
    """What completions earn; a call that raises, or gives no list of the right length, is a fault of all of them."""
    try:
        rewards = function(**_given(texts, cases))
        if inspect.isawaitable(rewards):
            rewards = asyncio.run(_awaited(rewards))
    except Exception as error:  # noqa: BLE001 - somebody's own code, which may raise anything
        return [Score(fault=f"raised {error!r:.200}")] * len(texts)
    if not isinstance(rewards, list | tuple):
        return [Score(fault=f"gave {type(rewards).__name__}, expected a list of one number a completion")] * len(texts)
    if len(rewards) != len(texts):
        words = f"gave {len(rewards)} rewards for {len(texts)} completions"
        return [Score(fault=words)] * len(texts)
    return [_score(name, reward, low, high) for reward in rewards]


async def _awaited(coroutine: Any) -> Any:
    """The result of a coroutine."""
    return await coroutine


def _score(name: str, reward: Any, low: float, high: float) -> Score:
    """A reward as a score."""
    if reward is None:
        return Score(fault="gave None, which takes the rollout out of its group: give a number")
    try:
        number = float(reward)
    except (TypeError, ValueError):
        return Score(fault=f"gave {reward!r:.40}, expected a number")
    if not math.isfinite(number):
        return Score(fault=f"gave {number}, which makes the whole group's advantage NaN")
    if not low <= number <= high:
        return Score(fault=f"gave {number:g}, expected {low:g} to {high:g}")
    return Score({name.rpartition(":")[2]: number}, number)


def _last(row: Row) -> str:
    """What was asked last: what a completion may copy from."""
    return str(row.prompt[-1]["content"] if row.conversational else row.prompt)


def _asked(row: Row) -> str:
    """A row's prompt as text."""
    return "\n".join(turn["content"] for turn in row.prompt) if row.conversational else row.prompt


def _stated(text: str) -> Any:
    """The JSON value that a text is; None where it is none."""
    try:
        value, end = DECODER.raw_decode(text.strip())
    except (ValueError, RecursionError):
        return None
    return None if text.strip()[end:] else value


def _names(value: Any) -> list[str]:
    """The keys of a JSON value, at any depth."""
    if isinstance(value, Mapping):
        return [*value, *(name for child in value.values() for name in _names(child))]
    return [name for child in value for name in _names(child)] if isinstance(value, list) else []
