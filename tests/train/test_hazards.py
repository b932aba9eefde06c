"""Hazards of TRL: what is known to break is refused by name, and what looks broken is explained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proseform.errors import ConfigError, StageError
from proseform.launch import PROGRESS, Job
from proseform.reward import Score
from proseform.train import grpo, hazards, sft, weights


@pytest.mark.parametrize(("version", "why"), [("0.16.0", "resumed run"), ("0.19.0", "structured output")])
def test_a_version_that_is_known_to_break_is_refused_by_name(version: str, why: str) -> None:
    with pytest.raises(ConfigError, match=f"TRL {version} is installed, in which .*{why}"):
        hazards.check_versions(version)


def test_the_installed_version_and_those_that_look_like_broken_ones_are_taken() -> None:
    hazards.check_versions()
    for version in ("0.16.1", "0.19.1", "1.16.0", "1.19.0"):
        hazards.check_versions(version)


@pytest.mark.parametrize("worker", [grpo, sft])
def test_both_workers_ask_before_they_read_anything(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hazards.metadata, "version", lambda _: "0.16.0")
    with pytest.raises(ConfigError, match="resumed run"):
        worker.main(Job("grpo", "nowhere", "nowhere"))


def test_a_tag_that_is_a_special_token_is_refused_since_no_reward_would_see_it(policy: Path) -> None:
    tokenizer = weights.tokenizer(policy / weights.WEIGHTS)
    hazards.check_decoded(tokenizer, ["cedar: a tree. Done.", ""])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<think>"]})

    class Direct:
        """The same tokenizer, which reads its special tokens wherever text spells them."""

        decode = staticmethod(tokenizer.decode)

        def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
            return {"input_ids": tokenizer(text, add_special_tokens=False)["input_ids"]}

    with pytest.raises(ConfigError, match=r"behind 'a ' stands '<think>b', and the reward would see 'b'"):
        hazards.check_decoded(Direct(), ["a <think>b"])


def test_completions_of_conversations_and_of_texts_are_texts_and_anything_else_is_refused() -> None:
    talk = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "{}"}]
    assert hazards.texts(["a", talk, ""]) == ["a", "{}", ""]
    for wrong in (None, [], {"content": "x"}, [{"role": "user", "content": "x"}], [{"role": "assistant"}], 3):
        with pytest.raises(StageError, match="neither a text nor a conversation"):
            hazards.texts([wrong])


def test_terms_that_cancel_are_counted_and_alike_or_faulted_ones_are_not() -> None:
    cancels = [Score({"a": 1.0, "b": 0.0}, 0.5), Score({"a": 0.0, "b": 1.0}, 0.5)]
    alike = [Score({"a": 1.0, "b": 0.0}, 0.5)] * 2
    mixed = [Score({"a": 1.0, "b": 0.0}, 0.5), Score({"a": 1.0, "b": 1.0}, 1.0)]
    faulted = [Score({"a": 1.0, "b": 0.0}, 0.5), Score(fault="broken")]
    assert hazards.cancelled([cancels, alike, mixed, faulted]) == 0.25
    assert hazards.cancelled([[*cancels, Score(fault="broken")]]) == 1.0


@pytest.mark.parametrize(
    ("loss", "zero", "cancelled", "words"),
    [
        (0.0, 1.0, 0.0, hazards.LOST),
        (0.0, 1.0, 0.5, hazards.CANCELLED),
        (0.0, 0.5, 0.5, hazards.BALANCED),
        (0.1, 1.0, 0.0, ""),
    ],
)
def test_a_loss_of_zero_is_explained(loss: float, zero: float, cancelled: float, words: str) -> None:
    figures = {"loss": loss, "frac_zero_variance": zero, "frac_cancelled": cancelled}
    assert hazards.explained(figures) == words
    assert hazards.explained({"loss": loss}) == ""  # SFT knows no groups


def test_a_step_without_signal_says_so_where_its_progress_is_shown(
    make_job: Callable[..., Job], dataset: Path, tiny_base: Path, policy: Path
) -> None:
    """A reward that is always full, and no KL: the loss is 0.0, and the line says why."""
    changes = {"grpo": {"rubric": "given", "steps": 1, "beta": 0.0}}
    job = make_job("grpo", dataset=dataset, base=tiny_base, policy=policy, changes=changes)
    grpo.main(job)
    last = json.loads((Path(job.work) / PROGRESS).read_text().splitlines()[-1])
    assert last["note"] == hazards.LOST
