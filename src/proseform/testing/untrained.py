"""A bundle of untrained models, and their tokenizer: everything works as with a trained one, and nothing is right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proseform import digest
from proseform.bundle import Generation, Part
from proseform.task import Task
from proseform.testing.toy import toy_bundle

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


SPECIAL = {"pad_token": "<|pad|>", "bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}
"""The control tokens, the first ids of the vocabulary."""


def vocabulary(texts: Sequence[str], entries: int = 400) -> Any:
    """A byte-level BPE, trained on some texts, as ``tokenizers`` has it: any text can be written in it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=entries, special_tokens=list(SPECIAL.values()), initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(texts, trainer)
    return core


def tokenizer(texts: Sequence[str], entries: int = 400, template: str | dict[str, str] = CHATML) -> Any:
    """:func:`vocabulary` as transformers' tokenizer, with a chat template: ChatML's unless one is given."""
    from transformers import PreTrainedTokenizerFast

    named = {name: SPECIAL[name] for name in ("pad_token", "eos_token")}
    fast = PreTrainedTokenizerFast(tokenizer_object=vocabulary(texts, entries), **named)
    fast.chat_template = template
    return fast


def random_bundle(folder: Path, task: Task, *, seed: int = 0, adapters: bool = False, max_length: int = 2048) -> Path:
    """A bundle whose models know nothing: Qwen3, 2 layers, width 64, fresh weights.

    Args:
        folder: Where to put it; made.
        task: Whose prompts and schema it carries.
        seed: Of the weights.
        adapters: One base with a LoRA adapter for each role, instead of one model for each role.
        max_length: The models' position limit, in tokens.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    cases = list(task.generate(task.levels[0], "train", 0, 20))
    words = tokenizer(
        [
            text
            for case in cases
            for text in (*case.inputs.values(), case.prose, json.dumps(case.answer, ensure_ascii=False))
        ]
    )
    config = Qwen3Config(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=max_length,
        tie_word_embeddings=True,
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )

    def save(name: str, at: int) -> dict[str, Any]:
        torch.manual_seed(at)
        Qwen3ForCausalLM(config).save_pretrained(folder / name)
        words.save_pretrained(folder / name)
        return {"base": name, "base_digest": digest.of_files(folder / name)}

    if adapters:
        base = save("base", seed)
        parts = {
            role: {**base, **_adapter(folder, role, seed + step)}
            for step, role in enumerate(("evaluator", "formatter"))
        }
    else:
        parts = {role: save(role, seed + step) for step, role in enumerate(("evaluator", "formatter"))}
    bundle = toy_bundle(
        task,
        evaluator=Part(prompt=task.evaluator, generation=Generation(48, max_length), **parts["evaluator"]),
        formatter=Part(prompt=task.formatter, generation=Generation(160, max_length), **parts["formatter"]),
        settings={"dtype": "float32", "accept": "valid"},
    )
    bundle.write(folder)
    return folder


def _adapter(folder: Path, role: str, seed: int) -> dict[str, Any]:
    """A LoRA adapter of random weights over ``base``."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed + 1000)
    base = AutoModelForCausalLM.from_pretrained(folder / "base")
    model = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    model.save_pretrained(folder / role)
    return {"adapter": role, "adapter_digest": digest.of_files(folder / role)}
