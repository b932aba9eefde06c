"""What a bundle states, and its digest.

On disk a bundle is a folder: ``bundle.json`` beside one folder for each distinct model part (``base/``,
``evaluator/``, ``formatter/``), each an ordinary Hugging Face model or PEFT adapter folder. The manifest has a format
number; :mod:`~proseform.bundle.manifest` reads older ones.

Digests form a tree: a file's is over its bytes, a folder's over its files' (``files`` in the manifest lists them), the
bundle's over the manifest's JSON as it is stored, without ``digest``, ``files`` and ``task_data``. So a field that is
added later changes no bundle that is there, and a part can lie elsewhere, found by its digest: the registry keeps a
base once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from proseform import digest
from proseform.abstention import Abstention
from proseform.prompt import TOKENISATION, Prompt
from proseform.schema import Schema

Role = Literal["evaluator", "formatter"]
Accept = Literal["verified", "recomputed", "valid"]
Kind = Literal["causal", "seq2seq"]
ROLES: tuple[Role, ...] = ("evaluator", "formatter")
MANIFEST = "bundle.json"
FORMAT = 5
"""The last format. A bundle is written in the first one that has all that it states."""
_CAUSAL, _ENCODED, _COMMON = 2, 3, 4


@dataclass(frozen=True, slots=True)
class Generation:
    """How a role generates: the same in training, measurement and serving.

    Attributes:
        max_tokens: The longest completion, in tokens.
        context_length: Prompt and completion together, in tokens; 0 takes what the model can.
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
        kind: The model's: ``causal``, or ``seq2seq``, an encoder-decoder.
        prompt: The role's prompt.
        generation: How the role generates.
        grammar: The form that the evaluator's completions are held to (:mod:`proseform.guided`); empty lets them be.
    """

    base: str
    base_digest: str
    prompt: Prompt
    generation: Generation
    adapter: str = ""
    adapter_digest: str = ""
    kind: Kind = "causal"
    grammar: str = ""


@dataclass(frozen=True)
class Bundle:
    """What is promoted.

    Attributes:
        task: The task's name.
        task_contract: Digest of the task's contract, or of its whole folder in format 0; serving refuses another.
        evaluator: The evaluator's part.
        formatter: The formatter's part.
        schema: The JSON schema that is answered.
        settings: Engine settings: ``dtype``, what an engine wants to know, and ``accept``.
        format: The manifest's format.
        tokenisation: How prompts become token ids, in training and in serving; empty in manifests that do not state it.
        abstention: Which cases it does not answer, because they are not like those that its models learnt from; None
            answers all.
        task_data: Digest of the task's data when the bundle was made; for people, and not part of the bundle's digest.
        stored: The manifest's JSON as it was read; None for a bundle that was made here.
    """

    task: str
    task_contract: str
    evaluator: Part
    formatter: Part
    schema: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    format: int = _CAUSAL
    tokenisation: str = TOKENISATION
    abstention: Abstention | None = None
    task_data: str = field(default="", compare=False)
    stored: Mapping[str, Any] | None = field(init=False, default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """A bundle that is made here is of the first format that has all that it states."""
        if self.format >= _CAUSAL:
            object.__setattr__(self, "format", self._needed)

    @cached_property
    def digest(self) -> str:
        """The bundle's digest: over everything above, model files included by their digests."""
        return digest.of_json(self.document)

    @property
    def document(self) -> Mapping[str, Any]:
        """What the digest is over, as JSON."""
        if self.stored is not None:
            return self.stored
        fields = asdict(self)
        del fields["stored"], fields["task_data"]
        for role in ROLES:
            if not fields[role]["prompt"]["form"]:
                del fields[role]["prompt"]["form"]  # a bundle without one states what it always did
            if fields[role]["kind"] == "causal":
                del fields[role]["kind"]
            if not fields[role]["grammar"]:
                del fields[role]["grammar"]
        for kind in (fields["abstention"] or {"inputs": {}})["inputs"].values():
            if not kind["common"]:
                del kind["common"]
        return {**fields, "format": self._needed}

    @property
    def _needed(self) -> int:
        """The first format that has all that it states."""
        if any(part.grammar for part in self.parts.values()):
            return FORMAT
        if self.abstention and any(kind.common for kind in self.abstention.inputs.values()):
            return _COMMON
        return _ENCODED if self.encoder_decoders else _CAUSAL

    @property
    def parts(self) -> dict[Role, Part]:
        """The parts by role."""
        return {"evaluator": self.evaluator, "formatter": self.formatter}

    @property
    def encoder_decoders(self) -> list[Role]:
        """The roles whose model is an encoder-decoder, which the in-process engine alone runs."""
        return [role for role, part in self.parts.items() if part.kind == "seq2seq"]

    @property
    def accept(self) -> Accept:
        """What its answers are held to: ``verified``, unless it says otherwise.

        ``recomputed``: an evaluation is verified once what follows from its evidence by rule is computed anew.
        ``valid``: its models cannot judge yet.
        """
        stated = self.settings.get("accept")
        return stated if stated in {"recomputed", "valid"} else "verified"

    @property
    def folders(self) -> dict[str, str]:
        """The parts' folders to their digests."""
        pairs = [(part.base, part.base_digest) for part in self.parts.values()]
        return dict([*pairs, *((part.adapter, part.adapter_digest) for part in self.parts.values() if part.adapter)])

    @property
    def bases(self) -> dict[str, str]:
        """The folders that adapters stand on, to their digests: what many bundles share."""
        return {part.base: part.base_digest for part in self.parts.values() if part.adapter}

    def compiled(self) -> Schema:
        """The schema, ready to validate."""
        return Schema(self.schema, "the bundle's schema")

    def manifest(self, files: Mapping[str, Mapping[str, str]] | None = None) -> str:
        """The text of ``bundle.json``.

        Args:
            files: The listing of each folder, see :func:`proseform.digest.listing`; None leaves it out.
        """
        beside = {
            **({"task_data": self.task_data} if self.task_data else {}),
            **({} if files is None else {"files": files}),
        }
        return json.dumps({"digest": self.digest, **self.document, **beside}, indent=2, ensure_ascii=False) + "\n"

    def write(self, folder: Path) -> None:
        """Write ``bundle.json`` into a folder that already holds the parts."""
        files = {name: digest.listing(folder / name) for name in sorted(self.folders)}
        (folder / MANIFEST).write_text(self.manifest(files), encoding="utf-8")
