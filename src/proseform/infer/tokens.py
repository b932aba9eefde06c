"""Prompts as token ids: one function for training and inference."""

from __future__ import annotations

from typing import Any

from proseform.prompt import Rendered


def text(tokenizer: Any, rendered: Rendered) -> str:
    """The prompt as the model reads it: a chat by the tokenizer's template, up to the model's turn; plain text as it is."""
    if rendered.style == "plain":
        return rendered.text
    return str(tokenizer.apply_chat_template(rendered.messages, tokenize=False, add_generation_prompt=True))


def encode(tokenizer: Any, rendered: Rendered) -> list[int]:
    """The prompt's token ids. A chat template writes its own special tokens; plain text gets the tokenizer's (such as BOS)."""
    plain = rendered.style == "plain"
    return list(tokenizer(text(tokenizer, rendered), add_special_tokens=plain)["input_ids"])
