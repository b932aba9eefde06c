"""Evaluations in prose: each subject on every held-out case, greedy and sampled; an untrained one with examples too."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from proseform.case import Case
from proseform.outcome import Outcome, judged_prose
from proseform.prompt import Prompt
from proseform.suites import Ask, Study, Subject, figures, lift, where

SUITE = "evaluations"
FEW_SHOT = "few-shot"
SCORES = ("reward", "ok", "complete", "share", "whole_right", "headline_right")
LIFTED = ("reward", "whole_right", "headline_right")


def plan(study: Study, subject: Subject) -> list[Ask]:
    """The asks of one subject; only trained ones are sampled, since the greedy text of an untrained one says enough."""
    asks = [_ask(study, subject, case) for case in study.cases]
    if not subject.trained and study.shots:
        shown = examples(study)
        pairs = [(study.task.shown(case.inputs), case.prose) for case in shown]
        prompt, values = few_shot(study.task.evaluator, study.task.guide, pairs)
        plain = [_ask(study, subject, case, variant=FEW_SHOT) for case in study.cases]
        asks += [replace(ask, prompt=prompt, values={**values, **ask.values}) for ask in plain]
    if subject.trained:
        # Each text has a seed of its own: one seed for all cases would correlate their draws and falsify the intervals.
        draws = enumerate(itertools.product(range(study.samples), study.cases))
        asks += [_ask(study, subject, case, sample=sample, seed=seed) for seed, (sample, case) in draws]
    return asks


def judge(outcome: Outcome, study: Study) -> Outcome:
    """The outcome with verdict and scores."""
    return judged_prose(outcome, study.by_id[outcome.case], study.task, study.rubric)


def summarise(outcomes: Sequence[Outcome], study: Study) -> dict[str, Any]:
    """``variants`` (figures by decoding, and why texts were refused) and ``lifts`` (each variant against those before).

    A variant is a subject with what is special about the ask, such as ``base`` and ``base, few-shot``; they stand in
    the order in which they were asked.
    """
    del study
    variants = dict.fromkeys((row.subject, row.variant) for row in outcomes)
    rows = {key: where(outcomes, subject=key[0], variant=key[1]) for key in variants}
    return {
        "variants": [_variant(key, rows[key]) for key in variants],
        "lifts": [
            {"before": name(before), "after": name(after), "score": score, "decoding": decoding, **figures}
            for before, after in itertools.combinations(variants, 2)
            for decoding in ("greedy", "sampled")
            for score in LIFTED
            if (figures := lift(where(rows[before], decoding=decoding), where(rows[after], decoding=decoding), score))
        ],
    }


def name(variant: tuple[str, str]) -> str:
    """A subject and what is special about the ask, in words."""
    return ", ".join(filter(None, variant))


def few_shot(
    prompt: Prompt, guide: str, examples: Sequence[tuple[Mapping[str, str], str]]
) -> tuple[Prompt, dict[str, str]]:
    """A prompt that states form and rule and shows examples before the case itself, and the examples' values.

    Args:
        prompt: The role's own.
        guide: What to write and by which rule.
        examples: What the placeholders stand for, and the completion that is right.

    >>> prompt, values = few_shot(Prompt("plain", "Weigh.", "{thing}"), "Send or refuse.", [({"thing": "hat"}, "send")])
    >>> print(prompt.render({**values, "thing": "brick"}).text)
    Weigh.
    Send or refuse.
    <BLANKLINE>
    Given:
    hat
    Right:
    send
    <BLANKLINE>
    Given:
    brick
    <BLANKLINE>
    """
    parts, filled = [guide], dict[str, str]()
    for number, (values, completion) in enumerate(examples):
        prefix = f"example_{'abcdefghijklmnopqrstuvwxyz'[number]}_"
        shown = prompt.user
        for name in prompt.placeholders:
            shown = shown.replace("{" + name + "}", "{" + prefix + name + "}")
        parts.append(f"Given:\n{shown}\nRight:\n{{{prefix}right}}")
        filled |= {prefix + name: values[name] for name in prompt.placeholders} | {prefix + "right": completion}
    user = "\n\n".join(filter(None, [*parts, f"Given:\n{prompt.user}"]))
    return replace(prompt, user=user), filled


def examples(study: Study) -> tuple[Case, ...]:
    """The first training cases, whose gold an untrained subject is shown."""
    return study.train[: study.shots]


def _ask(
    study: Study, subject: Subject, case: Case, *, variant: str = "", sample: int = 0, seed: int | None = None
) -> Ask:
    """One evaluation; it is sampled where it has a seed."""
    decoding, temperature = ("greedy", 0.0) if seed is None else ("sampled", study.temperature)
    record = Outcome(SUITE, subject.name, decoding, case.id, case.level, variant, sample)
    return Ask(record, "evaluator", study.task.shown(case.inputs), temperature=temperature, seed=seed or 0)


def _variant(key: tuple[str, str], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of one variant."""
    decodings = {decoding: figures(where(outcomes, decoding=decoding), SCORES) for decoding in ("greedy", "sampled")}
    reasons = Counter(row.verdicts["reason"] for row in outcomes if row.verdicts["reason"])
    return {"variant": name(key), "subject": key[0], **decodings, "reasons": dict(reasons)}
