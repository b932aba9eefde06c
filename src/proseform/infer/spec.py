"""Which engine to ask: one value, checked when it is made.

An empty URL is the engine in this process, the word ``vllm`` is vLLM started on this machine
(:mod:`proseform.infer.hosting`). Several URLs are replicas of one role, among which calls are spread
(:mod:`proseform.infer.resilience.pool`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from proseform.bundle import Role
from proseform.errors import ConfigError

Dialect = Literal["vllm", "openai"]
HOSTED = "vllm"
"""In the place of a URL: vLLM is started on this machine, and ends with the engine."""


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Where a bundle's models run, and how they are asked.

    Attributes:
        url: Of an OpenAI-compatible server, with or without ``/v1``, or of several with commas between; empty runs the
            bundle in this process, and ``vllm`` in servers that are started here.
        evaluator_url: Of the evaluator's servers, where they are others.
        dialect: How a schema is asked for: vLLM's ``structured_outputs``, or OpenAI's ``response_format``.
        key_file: A file that holds the API key, sent as a bearer token; empty sends none.
        evaluator_model: The evaluator's model name at the server.
        formatter_model: The formatter's.
        timeout_s: Longest wait for one completion, in seconds.
        attempts: How often one request is sent, at most: again after a time-out, a reset, 429, 5xx, or a 200 that is
            no completion.
        concurrency: Requests in flight at one server at once, at most.
        connection_s: Longest life of a kept connection, in seconds. A Service chooses a replica by connection: one kept
            for ever would hold on to a replica that has been told to go.
        slow_s: A call that takes longer counts as failed, in seconds, though it goes on.
        hedge: Whether a second replica is asked beside a call that takes longer than 95 % of its backend's.
        prefixes: Whether a replica that has read the beginning of a prompt is asked before others that are as busy.

    Raises:
        ConfigError: A value that cannot be used; the option is named.

    >>> EngineSpec.parse("http://localhost:8000/v1", models="judge,writer").model("evaluator")
    'judge'
    """

    url: str = ""
    evaluator_url: str = ""
    dialect: Dialect = "vllm"
    key_file: str = ""
    evaluator_model: str = "evaluator"
    formatter_model: str = "formatter"
    timeout_s: float = 120.0
    attempts: int = 5
    concurrency: int = 64
    connection_s: float = 5.0
    slow_s: float = 120.0
    hedge: bool = False
    prefixes: bool = False

    def __post_init__(self) -> None:
        for option, url in _addresses(self):
            _check_url(option, url)
        if self.dialect not in get_args(Dialect):
            raise ConfigError(f"--dialect {self.dialect}: no such dialect.", hint="There are vllm and openai.")
        if self.evaluator_url and not self.url:
            raise ConfigError(
                "--evaluator was given without --engine.", hint="Give the formatter's server as --engine."
            )
        if self.key_file and not self.url:
            raise ConfigError("--key-file was given without --engine.", hint="A key is sent to a server; give its URL.")
        if not (self.evaluator_model.strip() and self.formatter_model.strip()):
            raise ConfigError("--models: a model's name is empty.", hint="Such as --models evaluator,formatter.")
        for name, number in (
            ("timeout_s", self.timeout_s), ("connection_s", self.connection_s), ("slow_s", self.slow_s),
        ):  # fmt: skip
            if not (math.isfinite(number) and number > 0):
                raise ConfigError(f"The engine's {name} is {number}.", hint="It is a number of seconds above 0.")
        for name, count in (("attempts", self.attempts), ("concurrency", self.concurrency)):
            if count < 1:
                raise ConfigError(f"The engine's {name} is {count}.", hint="It is at least 1.")

    @classmethod
    def parse(
        cls,
        url: str | Sequence[str],
        *,
        models: str = "evaluator,formatter",
        dialect: str = "vllm",
        key_file: str = "",
        evaluator: str | Sequence[str] = "",
        slow_s: float = 120.0,
        hedge: bool = False,
        prefixes: bool = False,
    ) -> EngineSpec:
        """The spec that the command line's options name.

        Args:
            url: ``--engine``, one or several.
            models: ``--models``: the names of evaluator and formatter, with a comma between.
            dialect: ``--dialect``.
            key_file: ``--key-file``.
            evaluator: ``--evaluator``: the evaluator's servers, where they are others.
            slow_s: ``--slow-s``.
            hedge: ``--hedge``.
            prefixes: ``--prefixes``.

        Raises:
            ConfigError: As the class, and where there are not two model names.
        """
        names = [name.strip() for name in models.split(",")]
        if len(names) != 2:  # noqa: PLR2004 - evaluator and formatter
            raise ConfigError(
                f"--models {models}: two names were expected.", hint="Such as --models evaluator,formatter."
            )
        urls, others = (given if isinstance(given, str) else ",".join(given) for given in (url, evaluator))
        return cls(
            urls,
            others,
            dialect,  # type: ignore[arg-type]  # the class checks it
            key_file,
            evaluator_model=names[0],
            formatter_model=names[1],
            slow_s=slow_s,
            hedge=hedge,
            prefixes=prefixes,
        )

    @property
    def hosted(self) -> bool:
        """Whether the engine is started on this machine, as a server of its own."""
        return self.url == HOSTED

    def roots(self, role: Role) -> tuple[str, ...]:
        """The servers of a role, without ``/v1``."""
        urls = self.evaluator_url if role == "evaluator" and self.evaluator_url else self.url
        roots = (url.rstrip("/").removesuffix("/v1").rstrip("/") for url in _split(urls))
        return tuple(dict.fromkeys(roots))

    def model(self, role: Role) -> str:
        """The model name of a role."""
        return self.evaluator_model if role == "evaluator" else self.formatter_model

    def key(self) -> str:
        """The API key; empty where none is sent.

        Raises:
            ConfigError: The file cannot be read, is empty, or holds what no header can carry.
        """
        if not self.key_file:
            return ""
        try:
            key = Path(self.key_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--key-file {self.key_file}: cannot be read ({error}).") from error
        if not key or not (key.isascii() and key.isprintable()):
            raise ConfigError(f"--key-file {self.key_file}: holds no key.", hint="It holds the key alone, in one line.")
        return key


def _split(urls: str) -> list[str]:
    """The URLs that a text lists."""
    return [url.strip() for url in urls.split(",")] if urls else []


def _addresses(spec: EngineSpec) -> list[tuple[str, str]]:
    """Each URL that was given, behind its option; none where servers are started here.

    Raises:
        ConfigError: Options of another server stand beside the word that starts one.
    """
    if not spec.hosted:
        given = (("--engine", spec.url), ("--evaluator", spec.evaluator_url))
        return [(option, url) for option, urls in given for url in _split(urls)]
    if spec.evaluator_url or spec.key_file or spec.dialect != "vllm":
        raise ConfigError(
            f"--engine {HOSTED} was given with another server's options.",
            hint="It starts the servers of both roles itself: leave --evaluator, --dialect and --key-file out.",
        )
    return []


def _check_url(option: str, url: str) -> None:
    """Refuse what is no address of an HTTP server."""
    hint = f"It begins with http:// or https://, such as http://localhost:8000; or it is {HOSTED} alone."
    try:
        split = urlsplit(url)
        split.port  # noqa: B018 - reading it checks it
    except ValueError as error:
        raise ConfigError(f"{option} {url}: no URL ({error}).", hint=hint) from error
    if split.username or split.password:
        raise ConfigError(
            f"{option}: a key in a URL ends up in logs.", hint="Put it into a file and give --key-file FILE."
        )
    if split.scheme not in {"http", "https"} or not split.hostname:
        raise ConfigError(f"{option} {url}: no URL of an HTTP server.", hint=hint)
    if split.query or split.fragment:
        raise ConfigError(f"{option} {url}: a server's URL has no '?' and no '#'.", hint=hint)
