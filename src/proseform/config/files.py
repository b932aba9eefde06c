"""The files that people write, runs and places alike: TOML by name, path or text, and errors that name the field.

A file may begin with ``extends = "default"`` (a shipped name, or a path) and then states only what differs. A machine
that does not have the file is sent its text, or, where it extends another file, the merged tables as JSON.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from proseform.config.knobs import known
from proseform.config.section import UNNAMED, Section
from proseform.errors import ConfigError

_Model = TypeVar("_Model", bound=Section)


@dataclass(frozen=True, slots=True)
class Files(Generic[_Model]):
    """A kind of file.

    Attributes:
        model: What a file of this kind is read into.
        noun: What people call it, such as ``run``.
        package: The package whose TOML files are shipped.
        moved: Keys of earlier versions, each with what to write instead.
    """

    model: type[_Model]
    noun: str
    package: str
    moved: Mapping[str, str] = field(default_factory=dict)

    def shipped(self) -> list[str]:
        """The names of the shipped files."""
        names = (path.name for path in resources.files(self.package).iterdir())
        return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))

    def load(self, source: str) -> _Model:
        """The value of a file.

        Args:
            source: A shipped name, a path to a TOML file, TOML text, or a JSON object.

        Raises:
            ConfigError: No such file, not TOML, an unknown key or a value out of range; the field is named.
        """
        return self.parse(self._text(source), where=self.noun if _is_text(source) else source)

    def portable(self, source: str) -> str:
        """The source in a form that another machine can read; a shipped name stays a name.

        Raises:
            ConfigError: No such file, or not TOML.
        """
        if source in self.shipped():
            return source
        text = self._text(source)
        parent = _table(text, source).get("extends")
        if parent is None or parent in self.shipped():
            return text
        return json.dumps(self._resolved(text, source, ()))

    def parse(self, text: str, where: str = "") -> _Model:
        """The value of TOML text or a JSON object; see :meth:`load`."""
        where = where or self.noun
        try:
            return self.model.model_validate(self._resolved(text, where, ()))
        except ValidationError as error:
            raise self._refused(error, where) from error

    def _refused(self, error: ValidationError, where: str) -> ConfigError:
        """The first fault in our words, with the keys that exist; a misspelt key before the one that is missing."""
        faults = error.errors()
        first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
        steps = tuple(step for step in first["loc"] if not str(step).startswith(UNNAMED))
        if not steps:  # a rule between fields, which names them itself
            return ConfigError(f"{where}: {first['msg'].removeprefix('Value error, ')}.")
        name = ".".join(map(str, steps))
        value = (
            "" if first["type"] in {"missing", "extra_forbidden", "value_error"} else f" (given: {first['input']!r})"
        )
        more = f" and {error.error_count() - 1} more" if error.error_count() > 1 else ""
        hint = ""
        if first["type"] == "extra_forbidden":
            hint = self.moved.get(name, f"There are: {', '.join(known(self.model, steps[:-1]))}.")
        return ConfigError(f"{where}: {name}: {_words(first['type'], first['msg'])}{value}{more}.", hint=hint)

    def _text(self, source: str) -> str:
        """The text of a source; see :meth:`load`."""
        if _is_text(source):
            return source
        if source in self.shipped():
            return (resources.files(self.package) / f"{source}.toml").read_text(encoding="utf-8")
        with suppress(OSError, ValueError):  # a name too long for a file, or with a null character, is no file
            if Path(source).is_file():
                return _read(Path(source))
        raise ConfigError(
            f"No {self.noun} '{source}'; shipped: {', '.join(self.shipped())}.", hint="Or give the path of a TOML file."
        )

    def _resolved(self, text: str, where: str, seen: tuple[str, ...]) -> dict[str, Any]:
        """The table of a file, merged over that of the file which it extends."""
        table = _table(text, where)
        parent = table.pop("extends", None)
        if parent is None:
            return table
        if parent in seen:
            raise ConfigError(f"{where}: extends itself by way of {' → '.join([*seen, parent])}.")
        return _merged(
            _inherited(self._resolved(self._text(str(parent)), str(parent), (*seen, str(parent))), table), table
        )


def _is_text(source: str) -> bool:
    """True if this is a file's content rather than its name: neither names nor paths have lines or equal signs."""
    return "\n" in source or "=" in source or source.startswith("{")


def _read(path: Path) -> str:
    """A file's text.

    Raises:
        ConfigError: It is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is no text ({error}).") from error


def _table(text: str, where: str) -> dict[str, Any]:
    """TOML text, or a JSON object, as a table.

    Raises:
        ConfigError: It is neither.
    """
    try:
        return dict(json.loads(text)) if text.startswith("{") else tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not TOML: {error}.") from error
    except ValueError as error:
        raise ConfigError(f"{where}: not JSON: {error}.") from error


_NOT_INHERITED = {("dataset", "file"): "annotations"}
"""(Section, key) to another key of the section, which a file that sets the first does not inherit.

Otherwise a shipped run that shows what careless annotations cost would throw a user's own prose away.
"""


def _inherited(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """The part of a table that a file inherits from it; see :data:`_NOT_INHERITED`."""
    for (section, key), beside in _NOT_INHERITED.items():
        own, parents = over.get(section), under.get(section)
        if isinstance(own, dict) and own.get(key) and isinstance(parents, dict):
            under = {**under, section: {name: value for name, value in parents.items() if name != beside}}
    return under


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Tables merged key by key; everything else is replaced."""
    both = {
        key: _merged(under[key], value) if isinstance(value, dict) and isinstance(under.get(key), dict) else value
        for key, value in over.items()
    }
    return {**under, **both}


def _words(kind: str, message: str) -> str:
    """Pydantic's message in lower case; our own for an unknown key, and a validator's unchanged."""
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    return "unknown key" if kind == "extra_forbidden" else message[0].lower() + message[1:]
