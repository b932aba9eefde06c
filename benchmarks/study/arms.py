"""The study as data: arms.toml read into values, and each arm resolved into the run that its stages get.

An arm states what differs from the centre. Its key is the digest of all that its figures hang on, so that records of an
earlier form of the study are never taken for this one's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from benchmarks.study import recipe
from benchmarks.study.sections import Factors, Pretrained, Shape, Study
from benchmarks.study.task import source
from proseform import closure, digest
from proseform.config.section import Positive, Section, Word
from proseform.errors import ConfigError

FOLDER = Path(__file__).parent
FILE, TEMPLATE = FOLDER / "arms.toml", FOLDER / "arms.md"
_TEXTS = ("json", "prefill", "curt", "prose")


class Line(Section):
    """An arm as it is written: its name, a clause for people, and the factors that differ from the centre's."""

    name: Annotated[Word, Field(min_length=1)]
    words: Annotated[str, Field(min_length=1)]
    panel: str = ""
    seeds: Positive | None = None
    reward: str | None = None
    scale: str | None = None
    sft: int | None = None
    prompt: str | None = None
    beta: float | None = None
    temperature: float | None = None
    generations: int | None = None
    schedule: str | None = None
    constrained: bool | None = None
    recipe: str | None = None


class _File(Section):
    """The whole file."""

    study: Study
    model: Shape | Pretrained
    centre: Factors
    prompts: dict[Literal["json", "prefill", "curt", "prose"], str]
    arms: Annotated[list[Line], Field(min_length=1)]

    @model_validator(mode="after")
    def _whole(self) -> _File:
        """Every prompt is there, and no name stands twice."""
        if missing := set(_TEXTS) - self.prompts.keys():
            raise ValueError(f"prompts: {', '.join(sorted(missing))} missing; there are to be {', '.join(_TEXTS)}")
        names = [arm.name for arm in self.arms]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"arms: '{twice}' stands twice")
        if TALK in names:
            raise ValueError(f"arms: '{TALK}' is the chat model's own name")
        return self


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm, resolved.

    Attributes:
        name: Its name.
        words: What it is, in a clause.
        panel: With which others it is drawn.
        seeds: How many, from 0.
        factors: All of them.
        own: Those in which it differs from the centre.
        key: The digest of all that its figures hang on.
    """

    name: str
    words: str
    panel: str
    seeds: int
    factors: Factors
    own: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The study.

    Attributes:
        study: What all arms share.
        model: The chat model.
        prompts: What is asked, by name.
        arms: By name, in the order of the file; the first one is the centre.
        name: Of its page and its pictures.
        template: Of its page.
        option: What the command is given for it, behind a space; nothing for arms.toml.
    """

    study: Study
    model: Shape | Pretrained
    prompts: dict[str, str]
    arms: dict[str, Arm]
    name: str = "study"
    template: Path = TEMPLATE
    option: str = ""

    @property
    def talk_key(self) -> str:
        """The digest of all that the chat model hangs on."""
        return _talk_key(self.model, self.prompts)

    @property
    def centre(self) -> str:
        """The name of the arm that others are compared with."""
        return next(iter(self.arms))

    def legs(self, names: list[str] | None = None, seeds: int | None = None) -> list[tuple[str, int]]:
        """Arm and seed of every leg, seed by seed, so that a study that is cut short has whole seeds.

        Raises:
            ConfigError: An unknown arm.
        """
        for name in names or ():
            if name not in self.arms:
                raise ConfigError(f"--arms: no arm '{name}'; there are: {', '.join(self.arms)}.")
        taken = [arm for arm in self.arms.values() if not names or arm.name in names]
        most = max(arm.seeds for arm in taken)
        return [(arm.name, seed) for seed in range(min(most, seeds or most)) for arm in taken if seed < arm.seeds]


def load(path: Path = FILE) -> Plan:
    """The study of a file; prompts that it does not state are those of arms.toml.

    Its page is named by the file's stem, and made from the file beside it with the suffix ``.md`` where there is one.

    Raises:
        ConfigError: No such file, not TOML, an unknown key or a value out of range; the field is named.
    """
    table = _table(path)
    if "prompts" not in table:
        table["prompts"] = _table(FILE)["prompts"]
    try:
        read = _File.model_validate(table)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_fault(error)}") from error
    arms = {line.name: _arm(line, read, path) for line in read.arms}
    first = next(iter(arms.values()))
    if first.own:
        raise ConfigError(
            f"{path}: the first arm is the centre and states no factor; '{first.name}' has {first.own[0]}."
        )
    plan = Plan(read.study, read.model, dict(read.prompts), arms)
    if path.stem == FILE.stem:
        return plan
    own = path.with_suffix(".md")
    template = own if own.is_file() else plan.template
    return replace(plan, name=f"study-{path.stem}", template=template, option=f" --file benchmarks/study/{path.name}")


def _table(path: Path) -> dict[str, Any]:
    """A file of TOML.

    Raises:
        ConfigError: No such file, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}.") from error


def _fault(error: ValidationError) -> str:
    """The first fault, with the place in the file."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return f"{f'{place}: ' if place else ''}{first['msg'].removeprefix('Value error, ')}."


def _arm(line: Line, read: _File, path: Path) -> Arm:
    """A line over the centre.

    Raises:
        ConfigError: A factor out of range; arm and factor are named.
    """
    given = line.model_dump(exclude_none=True, exclude={"name", "words", "panel", "seeds"})
    try:
        factors = Factors.model_validate({**read.centre.model_dump(), **given})
    except ValidationError as error:
        raise ConfigError(f"{path}: arm '{line.name}': {_fault(error)}") from error
    own = tuple(name for name in given if given[name] != getattr(read.centre, name))
    seeds = line.seeds or read.study.seeds
    arm = Arm(line.name, line.words, line.panel, seeds, factors, own, "")
    hangs_on = {
        "factors": factors.model_dump(),
        "study": read.study.model_dump(exclude={"seeds", "targets"}),
        "run": recipe.leg(read.study, read.model, factors, 0, 1),
        "talk": _talk_key(read.model, read.prompts),
    }
    return replace(arm, key=digest.of_json(hangs_on))


def _talk_key(model: Shape | Pretrained, prompts: Mapping[Any, str]) -> str:
    """The digest of all that the chat model hangs on."""
    task = closure.of_files(Path(source.__file__).parent, TASK_FILES)
    return digest.of_json({"run": recipe.talking(model, 0), "prompts": dict(prompts), "task": task})


TALK = "talk"
"""The name under which a seed's chat model is made; no arm has it."""
TASK_FILES = (
    "task.toml", "schema.json", "formatter.md", "rubric.toml", "cases.jsonl", "source.py", "rewards.py", "__init__.py",
)  # fmt: skip
"""The task's files, without what a prompt replaces."""
