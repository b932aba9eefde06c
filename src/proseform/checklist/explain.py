"""Why a completion earned what it did: each term with its share, and what gold would change about it.

The completion is laid beside the gold one sentence by sentence (word by word where gold is one sentence). Each place
where they differ is mended by itself, and what a term gains by that is why it was lower. Left out: terms that only
several mended places lift together, of which the row says so.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from proseform import reward
from proseform.case import Case
from proseform.reward import Score
from proseform.rubric import Rubric

_PLACES = 40
"""Places that are mended one by one, at most; a text that has nothing in common with gold has one."""
_LONGEST = 20_000
"""Characters beyond which a text is mended as a whole: laying it beside gold would take long, and tell little."""
_WORDS = 60
"""Characters of a place that are shown."""
_CAUSES = 3
"""Causes of a term that are named."""
_EXACT = 1e-9
_SENTENCES = re.compile(r"(?s:.+?)(?:[.!?] +|\n+|\Z)")
"""Each with the blanks behind it, so that joined they are the text."""
_TOKENS = re.compile(r"\s*\S+\s*?|\s+\Z")

Scoring = Callable[[Sequence[str]], Sequence[Score]]
"""Texts on one case to what each earns."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a completion.

    Attributes:
        name: The term's.
        score: Raw, in [0, 1] ([0, 2] for the gated reward of JSON).
        worth: What it adds to the reward: weight times the score to its power.
        lost: What it adds where the score is the highest, less ``worth``.
        why: What would lift it, the largest gain first; empty where nothing is lost.
    """

    name: str
    score: float
    worth: float
    lost: float
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A completion explained.

    Attributes:
        case: The case's id.
        text: The completion.
        reward: What it earned; None where there is a fault.
        fault: Why it could not be scored; empty where it could.
        verdict: The verifier's word for it.
        terms: In the rubric's order; empty where there is a fault.
    """

    case: str
    text: str
    reward: float | None
    fault: str
    verdict: str
    terms: tuple[Term, ...]


def explain(text: str, case: Case, gold: str, rubric: Rubric | None, verdict: str, score: Scoring) -> Explanation:
    """Explain one completion.

    Args:
        text: The completion.
        case: What it answers.
        gold: The case's gold completion, in the form that is rewarded.
        rubric: The rubric in force; None where JSON is rewarded.
        verdict: The verifier's word for the text.
        score: The reward, of several texts on this case.
    """
    repairs = mended(text, gold)[:_PLACES]
    first, *others = score([text, *(other for _, other in repairs)])
    if first.composite is None:
        return Explanation(case.id, text, None, first.fault, verdict, ())
    after = {words: one.terms for (words, _), one in zip(repairs, others, strict=True) if not one.fault}
    terms = tuple(_term(name, value, rubric, after) for name, value in first.terms.items())
    return Explanation(case.id, text, first.composite, "", verdict, terms)


def mended(text: str, gold: str) -> list[tuple[str, str]]:
    r"""The text with one place after the other made like gold: what is wrong there, and the text without it.

    >>> mended("a.\nx.\nc.", "a.\nb.\nc.")
    [("'x.' instead of 'b.'", 'a.\nb.\nc.')]
    """
    if len(text) > _LONGEST:
        return [(_difference(text, gold), gold)]
    pieces = _SENTENCES if len(_SENTENCES.findall(gold)) > 1 else _TOKENS
    ours, theirs = pieces.findall(text), pieces.findall(gold)
    repairs = []
    for kind, start, end, first, last in difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        even = kind == "replace" and end - start == last - first
        steps = [(start + k, start + k + 1, first + k, first + k + 1) for k in range(end - start)] if even else []
        for a, b, c, d in steps or [(start, end, first, last)]:
            words = _difference("".join(ours[a:b]), "".join(theirs[c:d]))
            repairs.append((words, "".join([*ours[:a], *theirs[c:d], *ours[b:]])))
    return repairs


def _difference(ours: str, theirs: str) -> str:
    """What stands in a place, and what gold has there."""
    stated, due = (
        repr(words if len(words) <= _WORDS else f"{words[: _WORDS - 1]}…") for words in (ours.strip(), theirs.strip())
    )
    if not ours:
        return f"{due} is missing"
    return f"{stated} instead of {due}" if theirs else f"{stated} is too much"


def _term(name: str, score: float, rubric: Rubric | None, after: Mapping[str, Mapping[str, float]]) -> Term:
    """A term, with the repairs that lift it."""
    worth = _worth(name, score, rubric)
    lost = _worth(name, 1.0 if rubric else 2.0, rubric) - worth
    if lost <= _EXACT:
        return Term(name, score, worth, 0.0, ())
    gains = sorted(
        ((terms[name] - score, words) for words, terms in after.items() if terms[name] > score + _EXACT), reverse=True
    )
    why = tuple(f"{words} (+{gain:.3g})" for gain, words in gains[:_CAUSES])
    more = (f"and {len(gains) - _CAUSES} more places",) if len(gains) > _CAUSES else ()
    return Term(name, score, worth, lost, (*why, *more) or ("no single place lifts it",))


def _worth(name: str, score: float, rubric: Rubric | None) -> float:
    """What a term adds to the reward."""
    return score if rubric is None else rubric.weights[name] * reward.powered(score, rubric.exponents.get(name, 1))
