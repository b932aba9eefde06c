"""Reading a bundle's manifest, of every format that was ever written.

=======  ==========================================================================================================
format   what it states
=======  ==========================================================================================================
0        no number; one digest for the whole task folder; the longest completion of each part; no list of files
1        the task's contract and data apart; how each role generates; every file with its sha256
2        when it abstains (:mod:`proseform.abstention`), or null
3        of a role whose model is an encoder-decoder, that it is one (``kind``); other bundles are still of format 2
4        which words are common in what it answers (``common``), of all models; without them it is of format 2 or 3
5        the form that its evaluations are held to (``grammar``); without one it is of format 2, 3 or 4
=======  ==========================================================================================================

A bundle of format 0 is read as it is and keeps its digest. It agrees with a task whose folder is unchanged byte by
byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from proseform import digest
from proseform.abstention import Abstention
from proseform.bundle.value import FORMAT, MANIFEST, ROLES, Bundle, Generation, Kind, Part, Role
from proseform.errors import StoreError
from proseform.prompt import TOKENISATION, Prompt

_BESIDE = ("digest", "files", "task_data")
"""Keys of a manifest that the bundle's digest is not over."""


def read(folder: Path, *, check_files: bool = True) -> Bundle:
    """Read a bundle's folder.

    Args:
        folder: Holds ``bundle.json``.
        check_files: Hash the parts' files too (about 1 s for 1 GB, once while they stay as they are).

    Raises:
        StoreError: The manifest is missing, malformed or of a later format, or a part's files are not those of the
            digest; the file is named.
    """
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        stated, number = raw["digest"], raw.get("format", 0)
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no bundle here.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path}: not a bundle manifest ({error}).") from error
    if type(number) is not int or number not in _READERS:
        raise StoreError(
            f"{path}: a bundle of format {number}; this Proseform reads formats 0 to {FORMAT}.",
            hint="Install the version of Proseform that made it, or a later one.",
        )
    stored = {key: value for key, value in raw.items() if key not in _BESIDE}
    try:
        bundle = of({**stored, "task_data": str(raw.get("task_data", ""))})
        files = {name: dict(listed) for name, listed in raw.get("files", {}).items()}
        actual = digest.of_json(stored)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path}: not a bundle manifest ({error}).") from error
    if actual != stated:
        raise StoreError(
            f"{path}: was altered: it states {digest.short(str(stated))}, its content is {digest.short(actual)}."
        )
    object.__setattr__(bundle, "stored", stored)
    for role, part in bundle.parts.items():
        for name, expected in ((part.base, part.base_digest), (part.adapter, part.adapter_digest)):
            if name and not (folder / name).resolve().is_relative_to(folder.resolve()):
                raise StoreError(f"{path}: the {role}'s folder '{name}' lies outside of the bundle.")
            if name and check_files:
                _check(folder / name, role, expected, files.get(name))
    return bundle


def of(document: Mapping[str, Any]) -> Bundle:
    """The bundle of a manifest's fields, of any format that this Proseform reads.

    Raises:
        KeyError: A field is missing, or the format is unknown.
        TypeError: A field is unknown, or of another kind.
        ValueError: A field has a value that it cannot have.
    """
    return _READERS[document.get("format", 0)](document)


def _check(folder: Path, role: Role, expected: str, stated: Mapping[str, str] | None) -> None:
    """Refuse a part's folder that is not the one of a digest."""
    actual = digest.listing(folder)
    if digest.of_json(actual) == expected:
        return
    listed = stated if stated is not None and digest.of_json(dict(stated)) == expected else {}
    faults = sorted(name for name in {*listed, *actual} if listed.get(name) != actual.get(name)) if listed else []
    about = f" ({faults[0]}{f' and {len(faults) - 1} more' if len(faults) > 1 else ''})" if faults else ""
    raise StoreError(f"{folder}: the {role}'s files are not those that the bundle names{about}.")


def _format_0(stored: Mapping[str, Any]) -> Bundle:
    """One digest for the task, ``max_tokens`` in each part."""
    fields = dict(stored)
    whole = fields.pop("task_digest")
    for role in ROLES:
        part = dict(fields[role])
        tokens = part.pop("max_tokens")
        fields[role] = {**part, "generation": {"max_tokens": tokens, "context_length": 0}}
    return _bundle({**fields, "task_contract": whole, "format": 0})


def _bundle(fields: Mapping[str, Any]) -> Bundle:
    """A bundle of its fields, which is format 1 to 5."""
    parts: dict[str, Part] = {role: _part(fields[role]) for role in ROLES}
    tokenisation = fields.get("tokenisation", "")
    if tokenisation not in {"", TOKENISATION}:
        raise ValueError(f"its tokenisation is '{tokenisation}', this Proseform knows '{TOKENISATION}'")
    stated = fields.get("abstention")
    abstention = None if stated is None else Abstention.read(stated)
    return Bundle(**{**dict(fields), **parts, "tokenisation": tokenisation, "abstention": abstention})


def _part(fields: Mapping[str, Any]) -> Part:
    """A part of its fields."""
    if fields.get("kind", "causal") not in get_args(Kind):
        raise ValueError(f"its kind of model is '{fields['kind']}'; known are {' and '.join(get_args(Kind))}")
    nested = {"prompt": Prompt(**fields["prompt"]), "generation": Generation(**fields["generation"])}
    return Part(**{**fields, **nested})


_READERS: dict[int, Callable[[Mapping[str, Any]], Bundle]] = {
    0: _format_0,
    1: _bundle,
    2: _bundle,
    3: _bundle,
    4: _bundle,
    5: _bundle,
}
