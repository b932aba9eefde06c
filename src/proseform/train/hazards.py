"""Hazards of TRL's trainers, each refused or explained in words.

- versions known to break what this project does are refused by name, whatever the installer let through;
- completions are decoded with special tokens left out, so that a text written with them is never rewarded;
- a reward function gets texts where prompts are texts, and messages where they are conversations;
- a loss of 0.0 is right in most steps of GRPO, and hopeless in some: the log says which;
- terms that cancel leave a group without signal though each of them varies.

Left out: what TRL's own settings refuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from proseform.errors import ConfigError, StageError
from proseform.infer import tokens
from proseform.reward import Score

BROKEN = {
    "0.16.0": "a resumed run does not go on where it stopped",
    "0.19.0": "structured output comes out broken",
}
"""Versions of TRL, and why they are refused."""

LOST, CANCELLED, BALANCED = (
    "no group differs: no reward moves the policy in this step",
    "terms differ but cancel: no group's sum differs",
    "a loss of 0 is normal here, since the advantages of a group add up to 0; grad_norm shows what is learnt",
)
"""What a loss of 0.0 can mean."""


def check_versions(installed: str | None = None) -> None:
    """Refuse a version of TRL that is known to be broken.

    Args:
        installed: The version; None asks the environment.

    Raises:
        ConfigError: It is one of :data:`BROKEN`.
    """
    version = metadata.version("trl") if installed is None else installed
    if version in BROKEN:
        raise ConfigError(
            f"TRL {version} is installed, in which {BROKEN[version]}.",
            hint="Install the version that pyproject.toml names: uv pip install 'proseform[train]'.",
        )


def check_decoded(tokenizer: Any, completions: Sequence[str]) -> None:
    """Refuse a tokenizer by which gold completions are not what a reward would see of them.

    A tag such as ``<think>`` that is a special token is left out when completions are decoded: whoever writes it is
    paid as though he had not.

    Args:
        tokenizer: The policy's.
        completions: Gold ones, without the prefill.

    Raises:
        ConfigError: One of them comes back as another text; blanks at both ends do not count.
    """
    hint = "Let no marker of the task be a special token of the model, and turn clean_up_tokenization_spaces off."
    for text in completions:
        seen = tokenizer.decode(tokens.continuation(tokenizer, text), skip_special_tokens=True)
        if seen.strip() == text.strip():
            continue
        place = next((at for at, (one, other) in enumerate(zip(text, seen, strict=False)) if one != other), len(seen))
        raise ConfigError(
            f"A gold completion is not what its tokens decode to: behind {text[:place][-20:]!r} stands "
            f"{text[place : place + 20]!r}, and the reward would see {seen[place : place + 20]!r}.",
            hint=hint,
        )


def texts(completions: Sequence[Any]) -> list[str]:
    """Completions as texts, whichever form a trainer gives them in.

    Args:
        completions: Texts, or conversations whose last message is the assistant's.

    Raises:
        StageError: Neither.

    >>> texts(["one", [{"role": "assistant", "content": "two"}]])
    ['one', 'two']
    """
    return [_text(completion) for completion in completions]


def _text(completion: Any) -> str:
    """One completion."""
    if isinstance(completion, str):
        return completion
    match completion:
        case [*_, {"role": "assistant", "content": str(content)}]:
            return content
        case _:
            raise StageError(f"A completion is neither a text nor a conversation with an answer: {completion!r:.120}.")


def cancelled(groups: Sequence[Sequence[Score]]) -> float:
    """The share of groups in which terms differ and the composite does not, in [0, 1]; faulted rollouts do not count.

    There each term has a standard deviation above 0, and the reward has none.

    >>> cancelled([[Score({"a": 1.0, "b": 0.0}, 0.5), Score({"a": 0.0, "b": 1.0}, 0.5)]])
    1.0
    """
    return sum(map(_cancels, groups)) / len(groups)


def _cancels(group: Sequence[Score]) -> bool:
    """Whether terms of one group cancel."""
    scored = [score for score in group if not score.fault]
    return len({score.composite for score in scored}) == 1 < len({tuple(score.terms.items()) for score in scored})


def explained(figures: Mapping[str, float]) -> str:
    """Why a step's loss is 0.0; empty where it is not.

    Args:
        figures: Of one step of GRPO: ``loss``, ``frac_zero_variance`` and ``frac_cancelled``.

    >>> explained({"loss": 0.0, "frac_zero_variance": 1.0, "frac_cancelled": 0.0})
    'no group differs: no reward moves the policy in this step'
    """
    if figures.get("loss") != 0 or "frac_zero_variance" not in figures:
        return ""
    if figures["frac_zero_variance"] < 1:
        return BALANCED
    return CANCELLED if figures.get("frac_cancelled", 0) > 0 else LOST
