"""The base worker: an ordinary folder from three sources."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from proseform import digest, task
from proseform.errors import ConfigError, StageError
from proseform.infer import tokens
from proseform.launch import Job
from proseform.prompt import Rendered
from proseform.train import base, weights

MakeJob = Callable[..., Job]


def test_the_tiny_base_is_the_same_for_the_same_seed(make_job: MakeJob, dataset: Path, tiny_base: Path) -> None:
    job = make_job("base", dataset=dataset)
    base.main(job)
    assert digest.of_files(Path(job.out)) == digest.of_files(tiny_base)


def test_another_seed_gives_another_base(make_job: MakeJob, dataset: Path, tiny_base: Path) -> None:
    job = make_job("base", dataset=dataset, changes={"model": {"tiny": {"seed": 1}}})
    base.main(job)
    assert digest.of_files(Path(job.out)) != digest.of_files(tiny_base)


def test_any_text_survives_the_tiny_tokenizer(tiny_base: Path) -> None:
    tokenizer = weights.tokenizer(tiny_base)
    text = 'Zoë Łęcki, “C#” — 3 years\n\n\t{"a": [1, 2]} 漢字 🙂'
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_prompt_and_its_prefill_never_merge(tiny_base: Path) -> None:
    """An engine that is given prompt and prefill as one text sees the tokens that training saw."""
    tokenizer = weights.tokenizer(tiny_base)
    prompt, prefill = "{word: text, tree: true|false}\n", '{"'
    apart = tokenizer(prompt)["input_ids"] + tokenizer(prefill)["input_ids"]
    assert tokenizer(prompt + prefill)["input_ids"] == apart


def test_the_chat_template_opens_the_assistants_turn(tiny_base: Path) -> None:
    text = tokens.text(weights.tokenizer(tiny_base), Rendered.from_json([{"role": "user", "content": "amber"}]))
    assert text == "<|im_start|>user\namber<|im_end|>\n<|im_start|>assistant\n"


def test_mimetic_weights_are_tied_at_the_start(tiny_base: Path) -> None:
    model = weights.load(tiny_base, base.config.Model(dtype="float32"), whole=True)
    first, second = (layer.self_attn for layer in model.model.layers)
    assert second.k_proj.weight.equal(second.q_proj.weight)
    assert not first.k_proj.weight.equal(first.q_proj.weight)
    assert first.o_proj.weight.equal(first.v_proj.weight.T)


def test_the_hub_takes_a_local_folder(make_job: MakeJob, tiny_base: Path) -> None:
    job = make_job("base", changes={"model": {"source": "hub", "name": str(tiny_base)}})
    base.main(job)
    assert (Path(job.out) / "model.safetensors").read_bytes() == (tiny_base / "model.safetensors").read_bytes()
    assert str(tiny_base) not in "".join(path.read_text() for path in Path(job.out).glob("*.json"))


@pytest.mark.parametrize(
    ("name", "kind", "word"),
    [
        ("", ConfigError, "model.name is empty"),
        ("/no/such/folder", ConfigError, "no folder /no/such/folder"),
        ("nobody/no-such-model", StageError, "the model hub does not answer, and it was not fetched before"),
        ("no/such/repository", StageError, "could not be loaded"),
    ],
)
@pytest.mark.parametrize("offline", [True, False], ids=["told to be offline", "nothing answers"])
def test_a_model_that_cannot_be_had_is_told_without_a_wait_and_with_what_to_do(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, name: str, kind: type[Exception], word: str, offline: bool
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("the hub was asked again"))
    with pytest.raises(kind, match=word) as told:
        base.main(make_job("base", changes={"model": {"source": "hub", "name": name}}))
    assert kind is ConfigError or "HF_ENDPOINT" in told.value.hint


def test_a_model_that_was_fetched_before_is_had_without_the_hub(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, tiny_base: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "models--some--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("c0ffee")
    shutil.copytree(tiny_base, repository / "snapshots/c0ffee")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("the hub was asked again"))
    job = make_job("base", changes={"model": {"source": "hub", "name": "some/model"}})
    base.main(job)
    assert (Path(job.out) / "model.safetensors").read_bytes() == (tiny_base / "model.safetensors").read_bytes()


def test_what_the_hub_itself_refuses_is_told_in_its_words(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
        with pytest.raises(StageError, match="nobody/no-such-model is not a"):
            base.main(make_job("base", changes={"model": {"source": "hub", "name": "nobody/no-such-model"}}))
        server.shutdown()


def test_a_width_that_does_not_divide_among_the_heads_is_refused(make_job: MakeJob, dataset: Path) -> None:
    with pytest.raises(ConfigError, match="does not divide among 3 heads"):
        base.main(make_job("base", dataset=dataset, changes={"model": {"tiny": {"heads": 3}}}))


TURN = "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
OPENING = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
TEMPLATES = {
    "ChatML": ("{% for message in messages %}" + TURN + "{% endfor %}" + OPENING, ""),
    "no system turn (Gemma, Mistral)": (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        "{% for message in messages %}" + TURN + "{% endfor %}" + OPENING,
        "",
    ),
    "trimmed contents": (
        "{% for message in messages %}" + TURN.replace("['content']", "['content'] | trim") + "{% endfor %}" + OPENING,
        "",
    ),
    "no opening of the model's turn": ("{% for message in messages %}" + TURN + "{% endfor %}", ""),
    "contents that are left out": (
        "{% for message in messages %}{{ message['role'] }}{% endfor %}",
        r"'some/model': its chat template leaves out \"\(the word stands here\)",
    ),
    "contents that are cut short": (
        "{% for message in messages %}{{ message['content'][:9] }}{% endfor %}",
        "its chat template leaves out",
    ),
    "every conversation refused": (
        "{{ raise_exception('no, thanks') }}",
        "cannot be asked of 'some/model'.*no, thanks",
    ),
    "no Jinja": ("{% for %}", "cannot be asked of 'some/model'"),
}


@pytest.mark.parametrize("name", TEMPLATES, ids=TEMPLATES.keys())
def test_a_chat_template_that_cannot_express_the_prompts_is_refused_before_anything_trains(
    tiny_base: Path, name: str
) -> None:
    template, words = TEMPLATES[name]
    tokenizer = weights.tokenizer(tiny_base)
    tokenizer.chat_template = template
    if not words:
        base.check_prompts(tokenizer, task.load("train-toy"), "some/model")
        return
    with pytest.raises(ConfigError, match=words) as refused:
        base.check_prompts(tokenizer, task.load("train-toy"), "some/model")
    assert "mend its template" in refused.value.hint


def test_a_tokenizer_without_an_end_is_refused(tiny_base: Path) -> None:
    tokenizer = weights.tokenizer(tiny_base)
    tokenizer.eos_token = None
    with pytest.raises(ConfigError, match="The tokenizer of 'some/model' has no end token"):
        base.check_prompts(tokenizer, task.load("train-toy"), "some/model")


def test_weights_that_cannot_fit_the_stated_gpu_are_refused_before_they_are_loaded(
    make_job: MakeJob, tiny_base: Path
) -> None:
    changes = {"model": {"source": "hub", "name": str(tiny_base)}, "launch": {"gpu_memory_gb": 1e-4}}
    with pytest.raises(ConfigError, match=r"sft.evaluator: needs at least .* GB on each GPU"):
        base.main(make_job("base", changes=changes))
