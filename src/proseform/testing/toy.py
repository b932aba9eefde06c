"""The toy task: is a parcel light enough? Small enough to read at a glance, yet it keeps every law."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

from proseform import digest
from proseform.bundle import Bundle, Generation, Part
from proseform.case import Case
from proseform.errors import InputError
from proseform.input import Input
from proseform.prompt import Prompt
from proseform.schema import Schema
from proseform.task import Task
from proseform.verdict import Reason, Verdict

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "verdict": {"enum": ["send", "refuse"]},
        "grams": {"type": "integer", "minimum": 0, "maximum": 999, "x-from": "parcel"},
        "note": {"type": "string", "maxLength": 40, "x-from": "parcel"},
    },
    "required": ["verdict", "grams", "note"],
    "additionalProperties": False,
}
_PROSE = re.compile(
    r"The parcel weighs (\d{1,3}) g, (\d{1,3}) g are allowed\. Note: ([a-z ]{1,40})\. Verdict: (send|refuse)\."
)
_THINGS = ("a wool hat", "two books", "a tin of tea", "a clay cup", "some seeds", "a map")


def toy_task() -> Task:
    """A task in code: inputs ``parcel`` and ``rule``, a schema of three fields, two levels, two formats."""
    rubrics = {"variants": {"plain": {"right": 0.6, "form": 0.4}}, "exponents": {"right": 4}}
    system = "You weigh parcels."
    return Task(
        name="toy",
        title="Is the parcel light enough?",
        inputs=("parcel", "rule"),
        levels=("easy", "hard"),
        formats={"brief": ("verdict", "grams"), "full": ("verdict", "grams", "note")},
        schema=Schema(SCHEMA, "toy/schema.json"),
        evaluator=Prompt("chat", system, "Parcel: {parcel}\nRule: {rule}"),
        formatter=Prompt("plain", "Text to JSON. No talk.", "Text: {prose}\nFields: {schema}\nJSON:", '{"'),
        rubrics=rubrics,
        variant="plain",
        gold=tuple(_generate("easy", "train", 7, 2)),
        generate=_generate,
        annotate=_annotate,
        read=_read,
        terms={"right": _right, "form": _form},
        from_json=_from_json,
        contract=digest.of_json({"toy": 1, "schema": SCHEMA, "system": system}),
        data=digest.of_json({"toy": 1, "rubrics": rubrics}),
        guide="Say what the parcel weighs, what is allowed, what is in it, and whether to send or refuse it.",
        unread=_unread,
    )


def toy_bundle(task: Task, **changes: Any) -> Bundle:
    """A bundle of a task that has no files, for scripted engines."""
    part: dict[str, Any] = {"base": "base", "base_digest": digest.of_json("none")}
    known = {
        "task": task.name,
        "task_contract": task.contract,
        "task_data": task.data,
        "evaluator": Part(prompt=task.evaluator, generation=Generation(96, 2048), **part),
        "formatter": Part(prompt=task.formatter, generation=Generation(128, 2048), **part),
        "schema": task.schema.document,
    }
    return Bundle(**{**known, **changes})


def _generate(level: str, split: str, seed: int, count: int) -> Iterator[Case]:
    """Parcels; what is in them is spread over the splits."""
    rng = random.Random(f"{level}/{split}/{seed}")
    place = ("train", "valid", "test").index(split)
    for number in range(count):
        thing = rng.choice(_THINGS[place::3])
        allowed = rng.randrange(1, 10) * (100 if level == "easy" else 37)
        grams = rng.randrange(1, 1000)
        verdict = "send" if grams <= allowed else "refuse"
        yield Case(
            id=f"{level}-{split}-{seed}-{number}",
            level=level,
            split=split,  # type: ignore[arg-type]
            inputs={"parcel": f"{thing}, {grams} g", "rule": f"at most {allowed} g"},
            prose=f"The parcel weighs {grams} g, {allowed} g are allowed. Note: {thing}. Verdict: {verdict}.",
            answer={"verdict": verdict, "grams": grams, "note": thing},
            groups=(f"thing:{thing}",),
            facts={"allowed": allowed},
        )


def _unread(case: Case) -> tuple[str, ...]:
    """What can be written without the parcel: the rule is read, the weight is guessed."""
    grams = case.facts["allowed"]
    return (f"The parcel weighs {grams} g, {grams} g are allowed. Note: a map. Verdict: send.",)


def _annotate(case: Case, rng: random.Random) -> str:
    """A careless annotator guesses the verdict now and then."""
    if rng.random() < 0.3:  # noqa: PLR2004
        return case.prose.replace(f"Verdict: {case.answer['verdict']}", f"Verdict: {rng.choice(['send', 'refuse'])}")
    return case.prose


def _read(prose: str, _inputs: Mapping[str, Input]) -> Verdict:
    """What the prose states."""
    match = _PROSE.fullmatch(prose.strip())
    if match is None:
        return Verdict(reason=Reason.FORM, where="prose", detail="not 'The parcel weighs … Verdict: ….'")
    return Verdict({"verdict": match[4], "grams": int(match[1]), "note": match[3]})


def _right(prose: str, case: Case) -> float:
    """Share of the fields that are right; 0 where nothing can be read."""
    verdict = _read(prose, {})
    return (
        sum(verdict.value[name] == gold for name, gold in case.answer.items()) / len(case.answer) if verdict.ok else 0.0
    )


def _form(prose: str, _case: Case) -> float:
    """1 where the text can be read."""
    return float(_read(prose, {}).ok)


def _from_json(name: str, value: Any) -> str:
    """``{"text": …}`` is read as its text."""
    if isinstance(value, Mapping) and isinstance(value.get("text"), str):
        return str(value["text"])
    raise InputError(f"Input '{name}': expected an object with 'text'.")
