"""The control tokens of a tokenizer: which they are, where they stand in a text, and the text read without them.

A control token is an added token that is flagged special, that the chat template writes, or that has the shape
``<|…|>``. Added tokens that are words or white space are text.

What they wrote may hold the *string* of a control token. It is read as ordinary text by a second tokenizer, made once
of the first: there each control token has a secret name instead of its own, in the vocabulary as among the added
tokens. A prompt in which ours have their secret names is split where the template's own would be, so that white space,
prefixes and normalisation come out the same, and what they wrote is text, whatever it spells.
"""

from __future__ import annotations

import json
import re
import secrets
import string
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from proseform.infer.layout import Layout
from proseform.offsets import Edit, edited

Control = tuple[int, int, int]
"""A control token in a text: id, start, end. What the post-processor adds has an empty span."""

_SHAPED = re.compile(r"<[|\uff5c].+[|\uff5c]>", re.DOTALL)
_FIRST = range(0x1401, 0x1500)
"""A secret name begins with a letter that no added token has; no normaliser changes these, nor lower-case letters."""


@dataclass(frozen=True, slots=True)
class Read:
    """A text as tokens.

    Attributes:
        ids: Token ids.
        controls: The control tokens among them, in order.
    """

    ids: list[int]
    controls: tuple[Control, ...]


class Controls:
    """The control tokens of one tokenizer; see :func:`of`.

    Args:
        tokenizer: A fast tokenizer of transformers, or a :class:`~proseform.infer.bundled.BundleTokenizer`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = weakref.proxy(tokenizer)  # the cache holds on to nothing
        self._frames: dict[tuple[str, bool], Read] = {}
        self.added = dict(tokenizer.backend_tokenizer.get_added_tokens_decoder())
        template = getattr(tokenizer, "chat_template", None) or ""
        written = template if isinstance(template, str) else "\0".join(map(str, template.values()))
        backend = tokenizer.backend_tokenizer
        self.unknown = {getattr(tokenizer, "unk_token", None), getattr(backend.model, "unk_token", None)} - {None}
        self.names: dict[int, str] = {}
        for number, token in self.added.items():
            name = token.content
            if not name.strip() or (len(name) == 1 and name in backend.get_vocab(with_added_tokens=False)):
                continue  # white space, or a letter that the model writes anyway
            if token.special or _SHAPED.fullmatch(name) or (name in written and not name.isalnum()):
                self.names[number] = name

        self._marks = _marks(backend, self.names.values())

    def read(self, text: str, *, added: bool = False) -> Read:
        """A text as the tokenizer reads it.

        Args:
            text: The text.
            added: Whether the tokenizer adds its own special tokens, such as BOS.
        """
        encoded = self._tokenizer(text, add_special_tokens=added, return_offsets_mapping=True)
        ids = list(encoded["input_ids"])
        return Read(ids, self._among(ids, encoded["offset_mapping"], text, self.names))

    def frame(self, text: str, *, added: bool) -> Read:
        """As :meth:`read`; remembers the last few texts, since the prompts of one task share their frame."""
        key = (text, added)
        if key not in self._frames:
            if len(self._frames) >= 8:  # noqa: PLR2004 - two roles, a few schemas
                self._frames.clear()
            self._frames[key] = self.read(text, added=added)
        return self._frames[key]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where a text of theirs holds what the tokenizer would read as a control token; most need no tokenizer."""
        if self._marks is not None:
            letters = set(text)
            if not any(marks <= letters for marks in self._marks):
                return []
        return [(start, end) for _, start, end in self.read(text).controls]

    def ordinary(self, layout: Layout, due: Iterable[Control], *, added: bool) -> list[int] | None:
        """The ids of a prompt in which the control tokens that are due are the only ones; None where that fails.

        Args:
            layout: The prompt; its ``text`` is there.
            due: Ours, placed in ``text``.
            added: See :meth:`read`.
        """
        if layout.text is None:
            return None
        due = tuple(due)
        edits: list[Edit] = []
        for number, start, end in due:
            if start == end:
                continue
            name, covered = self.names[number], layout.text[start:end]
            at = covered.find(name)
            begin, size = (start + at, len(name)) if at >= 0 else (start, end - start)
            edits.append((begin, begin + size, self._secret[number]))
        text, _ = edited(layout.text, edits)
        encoding = self._inert.encode(text, add_special_tokens=added)
        ids = [self._real.get(token, token) for token in encoding.ids]
        there = [(one, text[start:end].strip()) for one, start, end in
                 self._among(ids, encoding.offsets, text, self._secret)]  # fmt: skip
        return ids if there == [(one, self._secret[one] if start < end else "") for one, start, end in due] else None

    def text(self, text: str) -> list[int]:
        """The ids of a text in which nothing is a control token."""
        read = self.read(text)
        return list(self._inert.encode(text, add_special_tokens=False).ids) if read.controls else read.ids

    def prepare(self) -> None:
        """Make the second tokenizer."""
        _ = self._real

    @cached_property
    def prefixes(self) -> bool:
        """Whether the tokenizer puts a blank before every text, as SentencePiece does."""
        return self.text("\nx") != [*self.text("\n"), *self.text("x")]

    def _among(
        self, ids: list[int], offsets: Sequence[tuple[int, int]], text: str, names: dict[int, str]
    ) -> tuple[Control, ...]:
        """The control tokens among ids. The one for unknown text counts where its own name stands in the text."""
        among = ((token, *offsets[at]) for at, token in enumerate(ids) if token in names)
        return tuple(
            (token, start, end)
            for token, start, end in among
            if self.names[token] not in self.unknown or text[start:end].strip() == names[token]
        )

    @cached_property
    def _secret(self) -> dict[int, str]:
        """The secret name of each control token: letters that nobody can guess, of one length."""
        letters = {letter for token in self.added.values() for letter in token.content}
        first = next(chr(code) for code in _FIRST if chr(code) not in letters)
        salt = secrets.token_hex(12).translate(_HEX)
        return {number: f"{first}{salt}{index:08x}".translate(_HEX) for index, number in enumerate(self.names)}

    @cached_property
    def _inert(self) -> Any:
        """The tokenizer in which the control tokens have their secret names."""
        from tokenizers import Tokenizer

        secret = {name: self._secret[number] for number, name in self.names.items()}
        state = json.loads(self._tokenizer.backend_tokenizer.to_str())
        for token in state["added_tokens"]:
            if token["content"] in secret:
                token |= {"content": secret[token["content"]], "single_word": False}
        model = state["model"]
        vocabulary = model["vocab"]
        model["vocab"] = (
            {secret.get(piece, piece): number for piece, number in vocabulary.items()}
            if isinstance(vocabulary, dict)
            else [[secret.get(piece, piece), score] for piece, score in vocabulary]
        )
        if model.get("unk_token") in secret:
            model["unk_token"] = secret[model["unk_token"]]
        if "merges" in model:  # a merge that spells a control token would be a second way to write it
            pairs = ((merge, merge.split(" ") if isinstance(merge, str) else merge) for merge in model["merges"])
            model["merges"] = [merge for merge, pair in pairs if not ({"".join(pair), *pair} & secret.keys())]
        inert = Tokenizer.from_str(json.dumps({**state, "truncation": None, "padding": None}))
        inert.encode_special_tokens = False
        return inert

    @cached_property
    def _real(self) -> dict[int, int]:
        """Ids that the second tokenizer gave to control tokens, where they differ, to the real ones."""
        ids = {self._inert.token_to_id(self._secret[number]): number for number in self.names}
        return {inert: number for inert, number in ids.items() if inert != number}


def _marks(backend: Any, names: Iterable[str]) -> list[frozenset[str]] | None:
    """The punctuation of each name, which a text that spells it has too; None where that is not sure.

    Pre-tokenizers write ASCII punctuation as it is, and NFC makes none but a semicolon and a grave accent.
    """
    from tokenizers.normalizers import NFC

    if not (backend.normalizer is None or isinstance(backend.normalizer, NFC)):
        return None
    marks = [frozenset(name) & _PUNCTUATION for name in names]
    return marks if all(marks) else None


_PUNCTUATION = frozenset(string.punctuation) - {";", "`"}
_HEX = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_KNOWN: weakref.WeakKeyDictionary[Any, tuple[tuple[int, str], Controls]] = weakref.WeakKeyDictionary()


def of(tokenizer: Any) -> Controls:
    """The control tokens of a tokenizer, found once, and again when tokens were added or the template changed."""
    state = (len(tokenizer.backend_tokenizer.get_added_tokens_decoder()), str(getattr(tokenizer, "chat_template", "")))
    known = _KNOWN.get(tokenizer)
    if known is None or known[0] != state:
        known = (state, Controls(tokenizer))
        _KNOWN[tokenizer] = known
    return known[1]
