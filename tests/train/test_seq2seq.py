"""SFT of a formatter that is an encoder-decoder, on the toy task: from nothing, resumed, with an adapter, by folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proseform import launch, task
from proseform.errors import ConfigError
from proseform.infer import Completion, Request, loading
from proseform.infer.answer import close
from proseform.infer.local import LocalEngine
from proseform.launch import Job
from proseform.stages import assembly
from proseform.train import base, sft, weights
from tests.train.conftest import merged
from tests.train.test_sft import _metrics, _weights, killed

MakeJob = Callable[..., Job]
SEQ2SEQ: dict[str, Any] = {"formatter": {"kind": "seq2seq"}}


@pytest.fixture
def t5(make_job: MakeJob, dataset: Path) -> Path:
    """The formatter's base, made by the worker."""
    job = make_job("base", "formatter", dataset=dataset, changes=SEQ2SEQ, name="t5")
    base.main(job)
    return Path(job.out)


@pytest.fixture
def make(make_job: MakeJob, dataset: Path, t5: Path) -> Callable[..., Job]:
    """A job of the formatter's SFT by its name, and what its run changes."""

    def job(name: str, *, base: Path = t5, changes: dict[str, Any] | None = None, **more: Any) -> Job:
        return make_job(
            "sft", "formatter", dataset=dataset, base=base, changes=merged(SEQ2SEQ, changes or {}), name=name, **more
        )

    return job


def test_both_stacks_look_back_at_the_start(t5: Path) -> None:
    """Heads 0 and 1 attend to the token one and two places before, in the encoder and in the decoder."""
    import torch

    model, _ = loading.load_model(t5, kind="seq2seq")
    model.set_attn_implementation("eager")  # others give no weights
    ids = torch.arange(3, 15)[None]
    with torch.inference_mode():
        seen = model(input_ids=ids, decoder_input_ids=ids, output_attentions=True)
    for first in (seen.encoder_attentions[0][0], seen.decoder_attentions[0][0]):
        for head, distance in enumerate((1, 2)):
            looked = first[head].argmax(-1)[distance:]
            assert looked.tolist() == list(range(len(looked)))


def test_killed_in_the_middle_it_goes_on_and_ends_with_the_same_weights(make: Callable[..., Job]) -> None:
    """kill -9 of the worker after its first seal; the newest checkpoint loses half a file as well."""
    whole, job = make("whole"), make("killed")
    sft.main(whole)
    killed(job)
    sft.main(job)
    assert _weights(job) == _weights(whole)
    assert [line["loss"] for line in _metrics(job)] == [line["loss"] for line in _metrics(whole)]


def test_two_processes_share_a_step(make: Callable[..., Job]) -> None:
    """The same rows in the same steps, so nearly the same losses as one process in two parts."""
    one, two = make("one", changes={"sft": {"formatter": {"micro_batch": 4}}}), make("two", world_size=2)
    sft.main(one)
    launch.Local().run("proseform.train.sft", two)
    for alone, shared in zip(_metrics(one), _metrics(two), strict=True):
        assert shared["loss"] == pytest.approx(alone["loss"], rel=0.05)
    assert 0 < _metrics(one)[-1]["token_accuracy"] <= 1


def test_swapping_the_prose_of_two_cases_swaps_their_json(
    make: Callable[..., Job], tiny_base: Path, tmp_path: Path
) -> None:
    """From a bundle, under the grammar and without: what it writes comes from the prose that its encoder is given."""
    steps = {"steps": 160, "learning_rate": 1e-2, "save_every": 1000}
    job = make("learnt", changes={"sft": {"formatter": steps}})
    sft.main(job)
    toy, run = task.load("train-toy"), weights.read_run(job)
    formatter = assembly.Policy(Path(job.out) / weights.WEIGHTS, None)
    bundle = assembly.assemble(tmp_path / "bundle", toy, run, assembly.Policy(tiny_base, None), formatter)
    engine = LocalEngine(tmp_path / "bundle")
    assert (engine.bundle.digest, engine.bundle.encoder_decoders) == (bundle.digest, ["formatter"])
    cases = list({case.answer["word"]: case for case in toy.generate("easy", "test", 0, 60)}.values())
    for schema in (toy.schema.document, None):
        for order in (cases, cases[::-1]):
            prompts = [toy.formatter.render({"prose": case.prose, "schema": toy.schema.signature()}) for case in order]
            asked = [Request("formatter", prompt, toy.formatter.prefill, schema) for prompt in prompts]
            completions = asyncio.run(engine.complete_all(asked))
            assert [json.loads(one.text) for one in completions if isinstance(one, Completion)] == [
                case.answer for case in order
            ]
    close(engine)


def test_an_adapter_is_trained(make: Callable[..., Job], t5: Path) -> None:
    job = make("adapter", changes={"sft": {"formatter": {"lora": {"r": 4, "alpha": 8}}}})
    sft.main(job)
    about = weights.read_manifest(Path(job.out))
    shape = json.loads((Path(job.out) / weights.WEIGHTS / "adapter_config.json").read_text())
    assert about["figures"]["trained_parameters"] < about["figures"]["parameters"] / 2
    assert (shape["r"], shape["task_type"]) == (4, "SEQ_2_SEQ_LM")
    assert _metrics(job)[-1]["loss"] < _metrics(job)[0]["loss"]
    merged_model = loading.merged(loading.load_model(t5, kind="seq2seq")[0], Path(job.out) / weights.WEIGHTS)
    assert merged_model.config.is_encoder_decoder


def test_a_checkpoint_by_folder_is_taken(make_job: MakeJob, make: Callable[..., Job], t5: Path, dataset: Path) -> None:
    """Any T5 or BART of a folder, here the tiny one; what is trained is that."""
    changes = {"formatter": {"kind": "seq2seq", "name": str(t5)}}
    job = make_job("base", "formatter", dataset=dataset, changes=changes, name="by-folder")
    base.main(job)
    assert next(Path(job.out).glob("*.safetensors")).read_bytes() == next(t5.glob("*.safetensors")).read_bytes()
    trained = make("trained", base=Path(job.out), changes={"sft": {"formatter": {"steps": 1}}})
    sft.main(trained)
    assert weights.read_manifest(Path(trained.out))["role"] == "formatter"


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("formatter", {"formatter": {"kind": "seq2seq", "name": "CAUSAL"}}, "is a causal model .qwen3."),
    ("", {"model": {"source": "hub", "name": "T5"}}, "is an encoder-decoder .t5.; the evaluator wants a causal model"),
    ("formatter", {"formatter": {"kind": "seq2seq", "name": "./nowhere"}}, "formatter.name: no folder ./nowhere"),
    ("formatter", merged(SEQ2SEQ, {"model": {"tiny": {"heads": 3}}}), "does not divide among 3 heads"),
    ("formatter", merged(SEQ2SEQ, {"model": {"tiny": {"look_back": [1, 9]}}}), "look back 7 tokens at most"),
]


@pytest.mark.parametrize(("role", "changes", "words"), REFUSED, ids=[words for *_, words in REFUSED])
def test_a_base_that_does_not_fit_is_refused(
    make_job: MakeJob, dataset: Path, tiny_base: Path, t5: Path, role: str, changes: dict[str, Any], words: str
) -> None:
    text = json.dumps(changes).replace("CAUSAL", str(tiny_base)).replace('"T5"', json.dumps(str(t5)))
    job = make_job("base", role, dataset=dataset, changes=json.loads(text), name="refused")
    with pytest.raises(ConfigError, match=words):
        base.main(job)


def test_a_tokenizer_without_braces_is_refused(tiny_base: Path) -> None:
    """T5's published vocabularies have no token for { and }."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {letter: place for place, letter in enumerate('?aetru1 ",:[]')}
    core = Tokenizer(models.BPE(vocab=letters, merges=[], unk_token="?"))
    core.pre_tokenizer, core.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="?")
    with pytest.raises(ConfigError, match=r"no token for \{ \}"):
        base.check_json(tokenizer, "theirs")
    base.check_json(weights.tokenizer(tiny_base), "ours")
