"""The configuration of a run: every knob once, each with one sentence, from which help and docs are derived.

A run file is TOML; ``runs/`` holds the shipped ones (``small``, ``smollm2``, ``default``). A run may begin with
``extends = "default"`` and then states only what differs. Every knob stands in one of the sections' modules, once, with
its sentence; there is no second place.
"""

from __future__ import annotations

import tomllib
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from proseform import digest
from proseform.config.cluster import (
    Cluster,
    Engine,
    Environment,
    Images,
    Jobs,
    Scaling,
    Serving,
    Steps,
    Toleration,
    Transformer,
)
from proseform.config.section import Section
from proseform.config.stages import (
    Completions,
    Dataset,
    Evaluate,
    Gate,
    Generation,
    Grpo,
    Launch,
    Lora,
    Model,
    Probe,
    Promote,
    Register,
    Sft,
    SftRoles,
    Tiny,
    Training,
)
from proseform.errors import ConfigError

__all__ = [
    "Cluster",
    "Completions",
    "Dataset",
    "Engine",
    "Environment",
    "Evaluate",
    "Gate",
    "Generation",
    "Grpo",
    "Images",
    "Jobs",
    "Launch",
    "Lora",
    "Model",
    "Probe",
    "Promote",
    "Register",
    "Run",
    "Scaling",
    "Section",
    "Serving",
    "Sft",
    "SftRoles",
    "Steps",
    "Tiny",
    "Toleration",
    "Training",
    "Transformer",
    "load",
    "parse",
    "shipped",
    "toml",
]


MOVED = {
    "grpo.max_tokens": "generation.evaluator.max_tokens",
    "evaluate.evaluator_tokens": "generation.evaluator.max_tokens",
    "evaluate.formatter_tokens": "generation.formatter.max_tokens",
}
"""Keys of earlier versions, and where they are now."""


class Run(Section):
    """A run: what the pipeline is given."""

    name: str
    """The run's name."""
    description: str = ""
    """One sentence for people."""
    model: Model = Model()
    dataset: Dataset = Dataset()
    sft: SftRoles = SftRoles()
    grpo: Grpo = Grpo()
    generation: Generation = Generation()
    evaluate: Evaluate = Evaluate()
    register_: Register = Field(default=Register(), alias="register")
    gate: Gate = Gate()
    promote: Promote = Promote()
    probe: Probe = Probe()
    launch: Launch = Launch()
    cluster: Cluster = Cluster()

    @model_validator(mode="after")
    def _fits(self) -> Run:
        """What an optimiser step takes is shared out among the processes, and a completion leaves room for its prompt."""
        batches = {
            "sft.evaluator.batch": self.sft.evaluator.batch,
            "sft.formatter.batch": self.sft.formatter.batch,
            "grpo.prompts": self.grpo.prompts * self.grpo.generations,
        }
        for name, batch in batches.items():
            if batch % self.launch.processes:
                raise ValueError(
                    f"{name}: {batch} rows do not divide among the {self.launch.processes} processes of launch.processes"
                )
        for role in ("evaluator", "formatter"):
            longest = getattr(self.generation, role).max_tokens
            if longest >= self.model.max_length:
                raise ValueError(
                    f"generation.{role}.max_tokens: {longest} tokens leave no prompt in the {self.model.max_length} of model.max_length"
                )
        nodes = self.cluster.jobs.nodes
        if nodes > 1 and self.launch.processes % nodes:
            raise ValueError(
                f"launch.processes: {self.launch.processes} processes do not divide among the {nodes} pods of cluster.jobs.nodes"
            )
        return self

    @property
    def digest(self) -> str:
        """The digest of the resolved run."""
        return digest.of_json(self.model_dump(mode="json", by_alias=True))


def shipped() -> list[str]:
    """The names of the shipped runs."""
    return sorted(
        path.name.removesuffix(".toml")
        for path in resources.files("proseform.runs").iterdir()
        if path.name.endswith(".toml")
    )


def load(run: str) -> Run:
    """A run from a shipped name, a path to a TOML file, or TOML text.

    Raises:
        ConfigError: No such run, not TOML, an unknown key or a value out of range; the field is named.
    """
    return parse(_text(run), where=run if "\n" not in run else "run")


def toml(run: str) -> str:
    """The TOML text of a run, as it travels to where the file is not; a shipped name stays a name.

    Raises:
        ConfigError: No such run.
    """
    return run if run in shipped() else _text(run)


def parse(text: str, where: str = "run") -> Run:
    """A run from TOML text; see :func:`load`."""
    try:
        table = _resolved(text, where, ())
        return Run.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # a rule between fields, which names them itself
            raise ConfigError(f"{where}: {first['msg'].removeprefix('Value error, ')}.") from error
        field = ".".join(str(step) for step in first["loc"])
        given = "" if first["type"] in {"missing", "extra_forbidden"} else f" (given: {first['input']!r})"
        known = f"There are: {', '.join(_known(first['loc'][:-1]))}." if first["type"] == "extra_forbidden" else ""
        known = f"It is {MOVED[field]} now." if field in MOVED else known
        more = f" and {error.error_count() - 1} more" if error.error_count() > 1 else ""
        raise ConfigError(
            f"{where}: {field}: {_words(first['type'], first['msg'])}{given}{more}.", hint=known
        ) from error


def _words(kind: str, message: str) -> str:
    """Pydantic's words, in lower case, ours for the unknown key."""
    return "unknown key" if kind == "extra_forbidden" else message[0].lower() + message[1:]


def _known(path: tuple[Any, ...]) -> list[str]:
    """The keys that exist at a place of a run file."""
    section: Any = Run
    for step in path:
        field = next((f for name, f in section.model_fields.items() if step in {name, f.alias}), None)
        if field is None:
            return []
        section = next(
            kind
            for kind in (field.annotation, *getattr(field.annotation, "__args__", ()))
            if hasattr(kind, "model_fields")
        )
    return [field.alias or name for name, field in section.model_fields.items()]


def _text(run: str) -> str:
    """The TOML text behind a name, a path or the text itself."""
    if "\n" in run or "=" in run:
        return run
    if run in shipped():
        return (resources.files("proseform.runs") / f"{run}.toml").read_text()
    with suppress(OSError):  # a name too long for a file is no file
        if Path(run).is_file():
            try:
                return Path(run).read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                raise ConfigError(f"{run}: is no text ({error}).") from error
    raise ConfigError(f"No run '{run}'; shipped: {', '.join(shipped())}.", hint="Or give the path of a TOML file.")


def _resolved(text: str, where: str, seen: tuple[str, ...]) -> dict[str, Any]:
    """The table with what it extends beneath it."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not TOML: {error}.") from error
    parent = table.pop("extends", None)
    if parent is None:
        return table
    if parent in seen:
        raise ConfigError(f"{where}: extends itself by way of {' → '.join([*seen, parent])}.")
    return _merged(_resolved(_text(str(parent)), str(parent), (*seen, str(parent))), table)


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Tables merged key by key; everything else is replaced."""
    both = {
        key: _merged(under[key], value) if isinstance(value, dict) and isinstance(under.get(key), dict) else value
        for key, value in over.items()
    }
    return {**under, **both}
