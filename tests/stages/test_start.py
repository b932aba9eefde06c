"""Weights that were trained already: taken as they are, trained on, or refused before a run starts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proseform import bundle as bundles
from proseform import config, digest, task
from proseform.errors import ConfigError
from proseform.stages import cache, policy, preflight, sft
from proseform.stages import start as starts
from proseform.store import Result
from proseform.testing.untrained import random_bundle

RUN = """
extends = "default"
name = "mine"
[model]
name = "{model}"
dtype = "float32"
[sft.evaluator]
start = "{start}"
steps = {steps}
lora = {{ r = 2, alpha = 4 }}
"""


def text(bundle: Path, start: object, steps: int = 0) -> str:
    """A run of the bundle's base whose evaluator starts from a folder."""
    return RUN.format(model=bundle / "base", start=start, steps=steps)


def knobs(bundle: Path, start: object, **options: Any) -> config.Sft:
    """Its knobs of the evaluator's stage."""
    return config.load(text(bundle, start, **options)).sft.evaluator


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two adapters on a base."""
    return random_bundle(tmp_path_factory.mktemp("start") / "bundle", task.load("cv"), adapters=True)


@pytest.fixture(scope="module")
def base(bundle: Path) -> Iterator[Result]:
    """The base as the project's own stage makes it, in a home folder of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROSEFORM_HOME", str(bundle.parent / "home"))
        yield policy.base(config.load(text(bundle, "", steps=1)), "cv")


def test_an_adapter_is_taken_byte_for_byte_and_named_by_its_digest(bundle: Path, base: Result) -> None:
    adapter = bundle / "evaluator"
    done = starts.result("evaluator", knobs(bundle, adapter), base)
    made = policy.made(done)
    assert made.adapter is not None
    assert digest.of_files(made.adapter) == digest.of_files(adapter) == bundles.read(bundle).evaluator.adapter_digest
    assert done.figures["weights"] == digest.of_files(adapter)
    assert starts.result("evaluator", knobs(bundle, adapter), base).ref == done.ref, "once is enough"


def test_a_whole_model_is_taken_too(bundle: Path, base: Result) -> None:
    whole = knobs(bundle, bundle / "base").model_copy(update={"lora": None})
    made = policy.made(starts.result("formatter", whole, base))
    assert made.adapter is None
    assert (made.base / "model.safetensors").read_bytes() == (bundle / "base" / "model.safetensors").read_bytes()


def test_the_sft_stage_trains_nothing_where_the_run_names_weights(bundle: Path, base: Result, tmp_path: Path) -> None:
    run = config.load(text(bundle, bundle / "evaluator"))
    data = tmp_path / "data"
    data.mkdir()
    committed = cache.home().store.commit("dataset", digest.of_json("data"), data, {}, 0.0)

    class Artifact:
        uri, path, metadata = committed.ref.uri, str(data), {"digest": committed.ref.digest}

    done = sft.trained("cv", run, "evaluator", Artifact())  # type: ignore[arg-type]
    assert done.ref == starts.result("evaluator", run.sft.evaluator, base).ref


@pytest.mark.parametrize("emptied", [False, True])
def test_a_folder_without_weights_is_refused_before_anything_starts(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emptied: bool
) -> None:
    monkeypatch.setenv("PROSEFORM_HOME", str(tmp_path / "home"))
    folder = tmp_path / "weights"
    if emptied:
        shutil.copytree(bundle / "evaluator", folder)
        (folder / starts.ADAPTER).unlink()
    with pytest.raises(ConfigError, match=r"sft\.evaluator\.start: no adapter in the folder"):
        preflight.check("cv", text(bundle, folder), asked=False)


@pytest.mark.parametrize("fault", ["a layer that is not there", "another width"])
def test_an_adapter_of_another_base_is_refused_with_the_layer(
    bundle: Path, base: Result, tmp_path: Path, fault: str
) -> None:
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "adapter"
    shutil.copytree(bundle / "evaluator", folder)
    tensors = load_file(folder / starts.ADAPTER)
    name = next(name for name in tensors if name.endswith("lora_A.weight"))
    if fault == "another width":
        tensors[name] = tensors[name][:, :-1].copy()
    else:
        tensors[name.replace("layers.0", "layers.77")] = tensors[name]
    save_file(tensors, folder / starts.ADAPTER)
    with pytest.raises(ConfigError, match="no adapter of this run's model: ") as caught:
        starts.result("evaluator", knobs(bundle, folder), base)
    assert ("layers.77" if fault != "another width" else "inputs, the adapter") in str(caught.value)


def test_a_stage_without_steps_and_without_weights_is_refused() -> None:
    with pytest.raises(ConfigError, match="0 steps train nothing"):
        config.load('extends = "default"\nname = "mine"\n[sft.formatter]\nsteps = 0\n')


@pytest.mark.parametrize(("name", "into"), [("smollm2-shipped", "cv-real"), ("smollm2-sent-shipped", "cv-sent")])
def test_the_adapters_that_ship_are_those_of_the_run_that_measures_them(
    name: str, into: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run in `bundles/` names the folders of the bundle that it makes."""
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    run = config.load(str(root / "bundles" / f"{name}.toml"))
    for role in bundles.ROLES:
        stage = getattr(run.sft, role)
        folder = starts.check("", stage.model_copy(update={"start": str(root / stage.start)}))
        shipped = bundles.read(root / "bundles" / into, check_files=False)
        assert digest.of_files(folder) == shipped.parts[role].adapter_digest
    stated = json.loads((root / "bundles" / into / "run.json").read_text())
    assert stated["model"] == run.model_dump(mode="json")["model"]
