"""A task as one frozen value: what is judged, by which prompts, schema, rubric and code."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from proseform.case import Case
from proseform.claims import Claims, Synonyms, claims
from proseform.errors import InputError
from proseform.excerpt import Excerpt
from proseform.injection import Patterns
from proseform.input import Input
from proseform.prompt import Prompt, Rendered
from proseform.roundtrip import Readings
from proseform.rubric import Rubric
from proseform.schema import Schema
from proseform.task.planted import Planted
from proseform.verdict import Verdict


@dataclass(frozen=True)
class Task:
    """One domain.

    Attributes:
        name: The word that selects it; lower case.
        title: One line for people.
        inputs: The names of what is judged, as given to ``proseform answer --input NAME=FILE``.
        levels: Difficulties of generated cases, easiest first.
        formats: Named sets of the schema's fields, smallest first; the last is the whole schema.
        schema: The whole schema.
        evaluator: The evaluator's prompt; its placeholders are ``inputs``.
        formatter: The formatter's prompt; its placeholders are ``prose`` and ``schema``.
        rubrics: The raw rubric table; see :meth:`rubric`.
        variant: The rubric variant in force unless a run names another.
        gold: Gold cases for the laws and examples.
        generate: ``(level, split, seed, count)`` to cases; pure, disjoint across splits in their ``groups``.
        annotate: ``(case, rng)`` to the case's evaluation as a careless human annotator would write it.
        read: ``(prose, inputs)`` to a verdict whose value is the JSON that the prose states, of the whole schema.
        terms: Term name to ``(prose, case) -> score in [0, 1]``.
        from_json: ``(input name, parsed JSON)`` to that input's text, or None where the task reads no JSON inputs.
        contract: Digest of what a bundle must agree with.
        data: Digest of all else.
        whole: Digest of the folder's files byte by byte, which bundles of format 0 state; empty where there are none.
        identify: A case to the groups that it belongs to, for cases that state none; None where the task cannot tell.
        guide: Form and rule in words, for models that were not trained on the task; may be empty.
        unread: A case to evaluations that could be written without reading all of its inputs, the same number for
            every case; None where the task knows none. The report's blind baseline takes the best of them.
        exploits: Completions that game this domain's reward; what any domain's can be gamed by is known without.
        synonyms: Other names of things, by which a quote may support its field.
        speech: What speaks to the model in this domain's own words, beside what does in any; None where nothing does.
        write: Any answer of the whole schema to the evaluation that states it; None where only cases have prose.
        dated: Inputs with periods of time: one that ends before it begins is a reason to abstain.
        excerpts: The inputs of which the evaluator is shown an excerpt, where they are long.
        grammar: The form that evaluations can be held to (:mod:`proseform.guided`); may be empty.
        replayed: True if ``generate`` gives again what cases there are, at most as many as are asked for, whatever the
            seed.
        readings: What is known of prose that no reader knows (:meth:`reading`); None where ``read`` reads any prose.
    """

    name: str
    title: str
    inputs: tuple[str, ...]
    levels: tuple[str, ...]
    formats: Mapping[str, tuple[str, ...]]
    schema: Schema
    evaluator: Prompt
    formatter: Prompt
    rubrics: Mapping[str, Any]
    variant: str
    gold: tuple[Case, ...]
    generate: Callable[[str, str, int, int], Iterator[Case]]
    annotate: Callable[[Case, random.Random], str]
    read: Callable[[str, Mapping[str, Input]], Verdict]
    terms: Mapping[str, Callable[[str, Case], float]]
    from_json: Callable[[str, Any], str] | None
    contract: str
    data: str
    whole: str = ""
    identify: Callable[[Case], tuple[str, ...]] | None = None
    guide: str = ""
    unread: Callable[[Case], Sequence[str]] | None = None
    exploits: tuple[Planted, ...] = ()
    synonyms: Synonyms = field(default_factory=dict)
    speech: Patterns | None = None
    write: Callable[[Any], str] | None = None
    dated: tuple[str, ...] = ()
    excerpts: Mapping[str, Excerpt] = field(default_factory=dict)
    grammar: str = ""
    replayed: bool = False
    readings: Readings | None = None

    def excerpted(self, inputs: Mapping[str, str | Input]) -> dict[str, str]:
        """The excerpts that the evaluator is shown in the place of long inputs, by name; mostly none."""
        made = {}
        for name, one in self.excerpts.items():
            if {name, one.by} <= inputs.keys():
                text = Input.of(inputs[name]).text
                if (shown := one.of(text, Input.of(inputs[one.by]).text)) != text:
                    made[name] = shown
        return made

    def shown(self, inputs: Mapping[str, str]) -> dict[str, str]:
        """What the evaluator is shown of a case: its inputs, of long ones an excerpt where the task says so."""
        return {**inputs, **self.excerpted(inputs)}

    def question(self, inputs: Mapping[str, str]) -> Rendered:
        """What the evaluator is asked of a case.

        Raises:
            InputError: The prompt needs an input that is not given.
        """
        return self.evaluator.render(self.shown(inputs))

    @property
    def free(self) -> bool:
        """Whether the prose is somebody's own free text, which a frozen formatter reads and no reader does."""
        return self.readings is not None

    def reading(self, known: Mapping[str, Any]) -> Task:
        """This task with what a formatter made of free prose; another task than one of free prose as it is.

        Args:
            known: Prose to the JSON that was made of it; None where nothing was.
        """
        if self.readings is None:
            return self
        readings = self.readings.with_more(known)
        return replace(self, readings=readings, read=readings.read, terms=readings.terms)

    def readable(self) -> Task:
        """This task, where its reward is a pure function of prose.

        Raises:
            InputError: Its prose is free: what that earns is what a formatter makes of it.
        """
        if self.free:
            raise InputError(
                f"Task '{self.name}' has free prose, which no reward can score without the formatter of its run.",
                hint="A run's report tells what was earned, and whether a second formatter agrees (docs/own-task.md).",
            )
        return self

    @cached_property
    def claims(self) -> Claims:
        """What the whole schema states of its values.

        Raises:
            InputError: A keyword of it is malformed, or names an input that the task does not have.
        """
        return claims(self.schema, self.inputs)

    def rubric(self, variant: str = "", accuracy_exponent: float | None = None) -> Rubric:
        """The rubric in force: a variant's, the task's own by default, with a run's exponent where it gives one.

        Args:
            variant: A name below ``[variants]``; empty takes the task's own.
            accuracy_exponent: Replaces the exponent of the term ``accuracy``; None keeps it.

        Raises:
            TaskError: Unknown variant, or weights that break the rubric's laws.
            ConfigError: An exponent for ``accuracy``, and the rubric has no such term.
        """
        rubric = Rubric.from_toml(self.rubrics, variant or self.variant, f"task '{self.name}', rubric.toml")
        return rubric if accuracy_exponent is None else rubric.with_accuracy_exponent(accuracy_exponent)

    def format(self, name: str) -> Schema:
        """The schema of a named format.

        Raises:
            InputError: Unknown format; the existing ones are named.
        """
        if name not in self.formats:
            raise InputError(f"Task '{self.name}' has no format '{name}'; there are: {', '.join(self.formats)}.")
        return self.schema.project(self.formats[name])

    def narrowed(self, name: str) -> Task:
        """The task with the schema of a named format; with its own where the name is empty.

        It is for JSON that is asked for directly: terms of prose look at the whole answer.

        Raises:
            InputError: Unknown format.
        """
        return replace(self, schema=self.format(name)) if name else self
