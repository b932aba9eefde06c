"""How many tokens of a model's context a prompt takes: counted with the bundle's own tokenizer, without a model.

Needs the ``tokenizers`` library alone, so that the serve image stays without torch. A chat prompt is rendered by the
tokenizer's own template, as Transformers renders it (its ``chat_template_utils``): sandboxed Jinja, blocks trimmed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from proseform.bundle import Bundle, Role
from proseform.errors import StoreError
from proseform.infer import Request
from proseform.prompt import Message

TOKENIZER, SETTINGS, TEMPLATE = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"


class Counter:
    """Counts the prompts of one role. Thread-safe.

    Args:
        count: Text to its number of tokens; without special tokens of its own where the flag is set.
        render: Messages to text, by the chat template.
        limit: Tokens that prompt and completion may have together.
    """

    def __init__(self, count: Callable[[str, bool], int], render: Callable[[list[Message]], str], limit: int) -> None:
        self._count = count
        self._render = render
        self._limit = limit

    def room(self, request: Request) -> int:
        """Tokens that are left for the completion; below 1 the prompt is too long."""
        chat = request.prompt.style == "chat"
        text = self._render(request.prompt.messages) if chat else request.prompt.text
        prefill = self._count(request.prefill, True) if request.prefill else 0
        return self._limit - self._count(text, chat) - prefill


def counters(folder: Path, bundle: Bundle) -> dict[Role, Counter]:
    """A counter for every role whose tokenizer lies in a bundle's folder; where only the manifest is there, none.

    Raises:
        StoreError: A tokenizer that cannot be read.
    """
    return {
        role: read(folder / part.base, part.generation.context_length)
        for role, part in bundle.parts.items()
        if (folder / part.base / TOKENIZER).is_file()
    }


def read(folder: Path, limit: int) -> Counter:
    """A counter over a Hugging Face folder's tokenizer.

    Raises:
        StoreError: It cannot be read.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        settings = json.loads(path.read_text()) if (path := folder / SETTINGS).is_file() else {}
        source = path.read_text() if (path := folder / TEMPLATE).is_file() else settings.get("chat_template", "")
    except Exception as error:  # the library raises bare Exceptions
        raise StoreError(f"{folder}: its tokenizer cannot be read ({error}).") from error

    def count(text: str, chat: bool) -> int:
        return len(tokenizer.encode(text, add_special_tokens=not chat).ids)

    return Counter(count, template(source, settings), limit)


def template(source: str, settings: dict[str, Any]) -> Callable[[list[Message]], str]:
    """A chat template as a function from messages to text, the assistant's turn opened.

    Raises:
        StoreError: When it is called: the template refuses the messages.
    """
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    tokens = {
        name: token["content"] if isinstance(token, dict) else token
        for name, token in settings.items()
        if name.endswith("_token") and isinstance(token, dict | str)
    }

    def render(messages: list[Message]) -> str:
        try:
            return environment.from_string(source).render(messages=messages, add_generation_prompt=True, **tokens)
        except TemplateError as error:
            raise StoreError(f"The tokenizer's chat template refuses the messages ({error}).") from error

    return render
