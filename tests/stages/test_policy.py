"""The key of a base: the files of a model that is named by its folder, and nothing more of a repository's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proseform import config, digest
from proseform.stages import cache, policy
from proseform.store import Ref, Result
from proseform.testing import toy_task

CAUSAL = 'name = "mine"\n[model]\nname = "{name}"\n'
ENCODER_DECODER = 'name = "mine"\n[model]\nname = "somebody/causal"\n[formatter]\nkind = "seq2seq"\nname = "{name}"\n'


@pytest.fixture
def inputs(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """What the key of each base holds; no base is made."""
    known: list[Mapping[str, Any]] = []

    def once(stage: str, given: Mapping[str, Any], *_: object, **__: object) -> Result:
        known.append(given)
        return Result(Ref("file:///nowhere", "sha256:base"), stage)

    monkeypatch.setattr(cache, "once", once)
    monkeypatch.setattr(cache, "load_task", lambda _name: toy_task())
    return known


def base(text: str, name: str) -> None:
    """Ask for the base of the formatter, which is the evaluator's too unless it is an encoder-decoder."""
    dataset = cache.Slot("file:///nowhere", {"digest": "sha256:dataset"})
    policy.base(config.load(text.format(name=name)), "toy", dataset, "formatter")


@pytest.mark.parametrize("text", [CAUSAL, ENCODER_DECODER], ids=["model", "formatter"])
@pytest.mark.parametrize("name", ["{folder}", "./model", "model", "~/model"])
def test_weights_that_are_replaced_in_place_are_another_base(
    text: str, name: str, inputs: list[Mapping[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "model"
    folder.mkdir()
    for weights in ("one", "one", "two"):
        (folder / "model.safetensors").write_text(weights)
        base(text, name.format(folder=folder))
    keys = [digest.of_json(given) for given in inputs]
    assert keys[0] == keys[1] != keys[2]


def test_the_key_of_a_repository_holds_its_name_alone(inputs: list[Mapping[str, Any]]) -> None:
    base(CAUSAL, "somebody/causal")
    base(ENCODER_DECODER, "somebody/t5")
    base(ENCODER_DECODER, "")
    causal, named, from_nothing = inputs
    assert set(causal) == {"model", "processes"}
    assert set(named) == {"model", "formatter", "processes"}
    assert set(from_nothing) == {"model", "formatter", "dataset", "processes"}
