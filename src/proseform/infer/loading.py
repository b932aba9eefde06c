"""Models from local folders: a base with its tokenizer, and adapters merged into it or beside it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from proseform.bundle import Kind
from proseform.errors import StoreError

_END_OF_TURN = "<|im_end|>"
MERGED = 500_000_000
"""On a CPU, bases of fewer parameters are held once for each adapter, merged: an adapter beside its base costs half the
speed (SmolLM2-135M, r = 32, 32 at once: 211 tokens/s, merged 430). Larger bases are held once."""


def auto(kind: Kind) -> Any:
    """The class of transformers that loads and makes models of a kind."""
    return AutoModelForSeq2SeqLM if kind == "seq2seq" else AutoModelForCausalLM


def load_model(
    base: Path,
    adapter: Path | None = None,
    dtype: str = "float32",
    device: str | None = None,
    kind: Kind = "causal",
) -> tuple[Any, Any]:
    """A model and its tokenizer from local folders, in evaluation mode.

    Args:
        base: An ordinary Hugging Face folder; the tokenizer is taken from here.
        adapter: A PEFT adapter folder.
        dtype: ``float32`` or ``bfloat16``.
        device: Where to put it; a GPU where there is one by default.
        kind: ``seq2seq`` for an encoder-decoder.

    Raises:
        StoreError: No model in the folder.
    """
    transformers_logging.disable_progress_bar()  # its bars would stand between ours
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(str(base), local_files_only=True)
        model: Any = auto(kind).from_pretrained(str(base), dtype=getattr(torch, dtype), local_files_only=True)
    except (OSError, ValueError) as error:
        raise StoreError(f"{base}: no model can be loaded from here ({str(error).splitlines()[0]}).") from error
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter))
    return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")).eval(), tokenizer


def merged(base: Any, adapter: Path) -> Any:
    """A copy of a base with an adapter merged into it."""
    from peft import PeftModel

    return PeftModel.from_pretrained(copy.deepcopy(base), str(adapter)).merge_and_unload().eval()


def beside(base: Any, adapter: Path, name: str) -> Any:
    """A base with one more adapter beside it, to be switched on by its name."""
    from peft import PeftModel

    if hasattr(base, "peft_config"):
        base.load_adapter(str(adapter), adapter_name=name)
        return base.eval()
    return PeftModel.from_pretrained(base, str(adapter), adapter_name=name).eval()


def stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """The token ids that end a completion: the tokenizer's, the model's own, and the end of a ChatML turn."""
    stated = getattr(model.generation_config, "eos_token_id", None)
    ids = {tokenizer.eos_token_id, *(stated if isinstance(stated, list) else [stated])}
    if _END_OF_TURN in tokenizer.get_vocab():
        ids.add(tokenizer.convert_tokens_to_ids(_END_OF_TURN))
    return frozenset(int(token) for token in ids if token is not None)
