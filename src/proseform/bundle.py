"""A bundle: evaluator and formatter under one digest. It is what is registered, gated, promoted and served.

On disk a bundle is a folder: ``bundle.json`` beside one folder for each distinct model part (``base/``,
``evaluator/``, ``formatter/``), each an ordinary Hugging Face model or PEFT adapter folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from proseform import digest
from proseform.errors import StoreError
from proseform.prompt import Prompt
from proseform.schema import Schema

Role = Literal["evaluator", "formatter"]
ROLES: tuple[Role, ...] = ("evaluator", "formatter")
MANIFEST = "bundle.json"


@dataclass(frozen=True, slots=True)
class Generation:
    """How a role generates: the same in training, measurement and serving.

    Attributes:
        max_tokens: The longest completion, in tokens.
        context_length: Prompt and completion together, in tokens.
        retry_temperature: Sampling temperature of a second try; the first is greedy.
    """

    max_tokens: int
    context_length: int
    retry_temperature: float = 0.7


@dataclass(frozen=True, slots=True)
class Part:
    """The model of one role.

    Attributes:
        base: Folder of the base model inside the bundle.
        base_digest: Digest of that folder's files.
        adapter: Folder of the LoRA adapter inside the bundle; empty where the base is the whole model.
        adapter_digest: Digest of that folder's files; empty likewise.
        prompt: The role's prompt.
        generation: How the role generates.
    """

    base: str
    base_digest: str
    prompt: Prompt
    generation: Generation
    adapter: str = ""
    adapter_digest: str = ""


@dataclass(frozen=True)
class Bundle:
    """What is promoted.

    Attributes:
        task: The task's name.
        task_contract: Digest of the task's contract; serving refuses to start on another.
        task_data: Digest of the task's data when the bundle was made; for people.
        evaluator: The evaluator's part.
        formatter: The formatter's part.
        schema: The JSON schema that is answered.
        settings: Engine settings: ``dtype`` and what an engine wants to know.
    """

    task: str
    task_contract: str
    task_data: str
    evaluator: Part
    formatter: Part
    schema: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """The bundle's digest: over everything above, model files included by their digests."""
        return digest.of_json(asdict(self))

    @property
    def parts(self) -> dict[Role, Part]:
        """The parts by role."""
        return {"evaluator": self.evaluator, "formatter": self.formatter}

    def compiled(self) -> Schema:
        """The schema, ready to validate."""
        return Schema(self.schema, "the bundle's schema")

    @property
    def manifest(self) -> str:
        """The text of ``bundle.json``."""
        return json.dumps({"digest": self.digest, **asdict(self)}, indent=2, ensure_ascii=False) + "\n"

    def write(self, folder: Path) -> None:
        """Write ``bundle.json`` into a folder that already holds the parts."""
        (folder / MANIFEST).write_text(self.manifest)


def read(folder: Path, *, check_files: bool = True) -> Bundle:
    """Read a bundle's folder.

    Args:
        folder: Holds ``bundle.json``.
        check_files: Hash the parts' files too (about 1 s for 1 GB).

    Raises:
        StoreError: The manifest is missing or malformed, or a part's files are not those of the digest.
    """
    path = folder / MANIFEST
    try:
        raw = dict(json.loads(path.read_text(encoding="utf-8")))
        stated = raw.pop("digest")
        parts = {
            role: Part(**{**part, "prompt": Prompt(**part["prompt"]), "generation": Generation(**part["generation"])})
            for role in ROLES
            if (part := raw.pop(role))
        }
        bundle = Bundle(evaluator=parts["evaluator"], formatter=parts["formatter"], **raw)
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no bundle here.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: not a bundle manifest ({error}).") from error
    if bundle.digest != stated:
        raise StoreError(
            f"{path}: was altered: it states {digest.short(stated)}, its content is {digest.short(bundle.digest)}."
        )
    if check_files:
        for role, part in bundle.parts.items():
            for name, expected in ((part.base, part.base_digest), (part.adapter, part.adapter_digest)):
                if name and not (folder / name).resolve().is_relative_to(folder.resolve()):
                    raise StoreError(f"{path}: the {role}'s folder '{name}' lies outside of the bundle.")
                if name and digest.of_files(folder / name) != expected:
                    raise StoreError(f"{folder / name}: the {role}'s files are not those that the bundle names.")
    return bundle
