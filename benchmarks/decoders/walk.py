"""What every engine's process does: compile a schema, and walk instances token by token. Knows no engine.

Times are of the calling thread's processor time: all engines work in it, and the process's own clock ticks at 4 ms
once a limit of processor time is set.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

TOKENIZER = "PROSEFORM_DECODERS_TOKENIZER"
"""The environment variable that names a tokenizer.json; processes inherit it."""


class Walker(Protocol):
    """A document of a compiled grammar that is being written."""

    def allows(self, token: int) -> bool:
        """Compute the mask of the next token, and say whether it holds this one."""

    def take(self, token: int) -> None:
        """Write a token."""

    def ends(self) -> bool:
        """Whether the document may end here."""


Compile = Callable[[Mapping[str, Any]], Callable[[], Walker]]
"""From a schema to what begins documents of it; raises whatever its library raises where it refuses."""


@cache
def tokenizer() -> Any:
    """The tokenizer; text that looks like a special token is text."""
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(os.environ[TOKENIZER])
    made.encode_special_tokens = True
    return made


def vocabulary() -> list[bytes]:
    """The bytes of every token of a byte-level tokenizer, by id; a special token's are its name."""
    made = tokenizer()
    letters = {letter: byte for byte, letter in _alphabet().items()}
    names = [made.id_to_token(number) for number in range(made.get_vocab_size())]
    return [
        bytes(letters[letter] for letter in name) if all(letter in letters for letter in name) else name.encode()
        for name in names
    ]


def compiled(compile_it: Compile, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Compile a schema.

    Args:
        compile_it: The engine.
        asked: ``schema``.

    Returns:
        ``seconds`` of the processor, or ``refused``, in the engine's words.
    """
    began = time.thread_time()
    try:
        compile_it(asked["schema"])().allows(0)
    except BaseException as error:
        if isinstance(error, MemoryError):
            raise
        return {"refused": f"{type(error).__name__}: {error}".splitlines()[0]}
    return {"seconds": time.thread_time() - began}


def walked(compile_it: Compile, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Walk instances of a schema that compiles.

    Args:
        compile_it: The engine.
        asked: ``schema``, and ``texts``: instances as JSON.

    Returns:
        ``accepted``: one truth value a text, or None where the engine failed. ``masks_us``: processor time of every
        mask, in microseconds.
    """
    begin = compile_it(asked["schema"])
    masks_us: list[float] = []
    return {"accepted": [_tried(begin, text, masks_us) for text in asked["texts"]], "masks_us": masks_us}


def _tried(begin: Callable[[], Walker], text: str, masks_us: list[float]) -> bool | None:
    """Whether a text is a whole document; None where the engine failed over it."""
    try:
        return _walk(begin(), text, masks_us)
    except Exception:  # noqa: BLE001 - whatever a library raises over a text that it should judge is its failure
        return None


def _walk(walker: Walker, text: str, masks_us: list[float]) -> bool:
    """Whether a text is a whole document."""
    for token in tokenizer().encode(text, add_special_tokens=False).ids:
        began = time.thread_time_ns()
        allowed = walker.allows(token)
        masks_us.append(round((time.thread_time_ns() - began) / 1000, 1))
        if not allowed:
            return False
        walker.take(token)
    return walker.ends()


def end_token() -> int:
    """The id of the token that ends a text."""
    return int(tokenizer().token_to_id("<|im_end|>"))


def path() -> Path:
    """The tokenizer's file."""
    return Path(os.environ[TOKENIZER])


def _alphabet() -> dict[int, str]:
    """Byte-level BPE's letters, as GPT-2's ``bytes_to_unicode`` gives them."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + place) for place, byte in enumerate(others)}
