"""A bundle's tokenizer without transformers: ``tokenizers`` for the ids, jinja2 in its sandbox for the chat template.

The image that serves has no transformers, yet counts prompts and sends token ids. What is read are the files that
``save_pretrained`` writes: ``tokenizer.json``, ``tokenizer_config.json``, ``special_tokens_map.json`` and
``chat_template.jinja``. Templates see what transformers shows them (its ``render_jinja_template``), without
documents. Left out: tokenizers that have no ``tokenizer.json``.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NoReturn

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from proseform.errors import ConfigError, StoreError

_NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class BundleTokenizer:
    """A tokenizer as :mod:`proseform.infer.tokens` uses it: the part of transformers' interface that counts here.

    Args:
        backend: A ``tokenizers.Tokenizer``.
        chat_template: Jinja source, or several by name of which ``tool_use`` is taken where there are tools, else
            ``default``; empty where the tokenizer has none.
        named: ``bos_token`` and the like to their text.
    """

    def __init__(self, backend: Any, chat_template: str | Mapping[str, str], named: Mapping[str, str]) -> None:
        self.backend_tokenizer = backend
        self.chat_template = chat_template
        self.special_tokens_map = dict(named)

    @classmethod
    def load(cls, folder: Path) -> BundleTokenizer:
        """Read the tokenizer of a model's folder.

        Raises:
            StoreError: A file is missing or malformed; it is named.
        """
        from tokenizers import Tokenizer

        path = folder / "tokenizer.json"
        if not path.is_file():
            raise StoreError(f"{folder}: no tokenizer.json.", hint="Save the tokenizer by save_pretrained.")
        try:
            backend = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception on a malformed file
            raise StoreError(f"{path}: no tokenizer ({error}).") from error
        backend.no_padding()
        backend.no_truncation()
        config = {**_json(folder / "special_tokens_map.json"), **_json(folder / "tokenizer_config.json")}
        backend.encode_special_tokens = bool(config.get("split_special_tokens", False))
        named = {name: text for name in _NAMED if (text := _content(config.get(name))) is not None}
        return cls(backend, _chat_template(folder, config), named)

    @property
    def unk_token(self) -> str | None:
        """What stands for text that the vocabulary does not have."""
        return self.special_tokens_map.get("unk_token")

    @property
    def eos_token_id(self) -> int | None:
        """The token that ends a text."""
        name = self.special_tokens_map.get("eos_token")
        return None if name is None else self.backend_tokenizer.token_to_id(name)

    def __call__(self, text: str, *, add_special_tokens: bool = True, **_: Any) -> dict[str, Any]:
        """``input_ids`` and ``offset_mapping`` of one text."""
        encoding = self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens)
        return {"input_ids": encoding.ids, "offset_mapping": _Offsets(encoding)}

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """The text of ids."""
        return str(self.backend_tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        add_generation_prompt: bool = True,
        tools: Sequence[Mapping[str, Any]] | None = None,
        **_: Any,
    ) -> str:
        """Messages as text by the chat template.

        Raises:
            jinja2.TemplateError: The template refuses them.
        """
        return self._template(with_tools=tools is not None).render(
            messages=[dict(message) for message in messages], tools=tools, documents=None,
            add_generation_prompt=add_generation_prompt, **self.special_tokens_map,
        )  # fmt: skip

    def _template(self, *, with_tools: bool) -> jinja2.Template:
        """The compiled template."""
        if isinstance(self.chat_template, str):
            return self._compiled(self.chat_template)
        named = self.chat_template
        return self._compiled(named[_TOOLS] if with_tools and _TOOLS in named else named.get(_DEFAULT, ""))

    @cached_property
    def _compiled(self) -> Callable[[str], jinja2.Template]:
        """Compiles sources, each once."""
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
        )
        environment.filters["tojson"] = _tojson
        environment.globals |= {"raise_exception": _refuse, "strftime_now": _now}

        @cache
        def compiled(source: str) -> jinja2.Template:
            try:
                return environment.from_string(source)
            except jinja2.TemplateSyntaxError as error:
                raise ConfigError(f"The chat template cannot be compiled: {error}.") from error

        return compiled


class _Offsets(Sequence[tuple[int, int]]):
    """Where each token stands; few are asked for, and a list of all takes a fifth of the time of the ids.

    Args:
        encoding: The text's.
    """

    def __init__(self, encoding: Any) -> None:
        self._encoding = encoding

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self._encoding)

    def __getitem__(self, at: Any) -> Any:
        """Where a token stands; what a post-processor adds stands nowhere, which is an empty span."""
        return self._encoding.token_to_chars(at) or self._encoding.offsets[at]


class _Generation(jinja2.ext.Extension):
    """``{% generation %}``, by which templates mark the model's turns for training, leaves its content as it is."""

    tags = {"generation"}  # noqa: RUF012 - jinja2's own declaration

    def parse(self, parser: Any) -> Any:
        """The nodes between the tag and its end."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body).set_lineno(line)


def _tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None,
            sort_keys: bool = False) -> str:  # fmt: skip
    """Transformers' filter: JSON that is not escaped for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message: str) -> NoReturn:
    """``raise_exception``: how templates refuse a conversation."""
    raise jinja2.TemplateError(message)


def _now(form: str) -> str:
    """``strftime_now``: the local date."""
    return dt.datetime.now().strftime(form)  # noqa: DTZ005 - as transformers shows it to templates


def _json(path: Path) -> dict[str, Any]:
    """A JSON object of a file; empty where there is none."""
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{path}: not JSON ({error}).") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path}: expected an object.")
    return value


def _content(token: Any) -> str | None:
    """A token's text: written as a string, or as an object with ``content``."""
    return token.get("content") if isinstance(token, dict) else token if isinstance(token, str) else None


def _chat_template(folder: Path, config: Mapping[str, Any]) -> str | dict[str, str]:
    """The chat template: a file of its own, or in the configuration; the one for tools beside it where there is one."""
    own, further = folder / "chat_template.jinja", folder / "additional_chat_templates" / f"{_TOOLS}.jinja"
    template = config.get("chat_template") or ""
    named = {_DEFAULT: template}
    if isinstance(template, list):
        named = {str(one.get("name")): str(one["template"]) for one in template}
    if own.is_file():
        named[_DEFAULT] = own.read_text(encoding="utf-8")
    if further.is_file():
        named[_TOOLS] = further.read_text(encoding="utf-8")
    default = str(named.get(_DEFAULT, ""))
    return {_DEFAULT: default, _TOOLS: named[_TOOLS]} if _TOOLS in named else default


_DEFAULT, _TOOLS = "default", "tool_use"
"""Names of chat templates, as transformers has them."""
