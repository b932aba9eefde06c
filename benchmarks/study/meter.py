"""What a model answers to held-out cases, and what that is worth: compliance, values, the held-out reward, its talk."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from benchmarks.study import arms, recipe, world
from benchmarks.study.grammar import Grammar, Model
from proseform import direct, verify
from proseform import task as tasks
from proseform.case import Case
from proseform.schema import Schema

_BEST = 2.0
"""The most that the gated reward pays, by which the held-out reward is 1."""


class Meter:
    """Measures a policy of one arm and seed, always on the same cases and with the same noise.

    Args:
        plan: The study.
        arm: Says what is asked, and whether answers are held to the grammar.
        seed: Of the cases.
        count: Held-out cases.
        formatter: Turns the policy's prose into JSON; None where it writes JSON itself.
    """

    def __init__(self, plan: arms.Plan, arm: arms.Arm, seed: int, count: int, formatter: Model | None = None) -> None:
        self._arm, self._formatter = arm, formatter
        self._task = tasks.load(world.name(arm.factors.prompt))
        self._cases = world.cases("test", seed, count, prose=arm.factors.prompt == "prose")
        rows = world.talk(plan.prompts, "test", seed, ("small",))
        self._talk = [next(rows) for _ in range(world.SMALL_TALK)]
        self._longest = recipe.longest(plan.model)
        self._grammars: Any = None

    def __call__(self, policy: Model) -> dict[str, float | None]:
        """Figures of a policy.

        Returns:
            For ``_greedy`` and for ``_sampled`` answers: the share that is ``valid``; of the valid ones the share of
            the words that are right, ``value`` (None where none is valid); the share that is wholly ``right``. And
            ``held_out``, the gated reward of sampled answers, of 1; ``talk``, the loss on small talk, in nats a token:
            no arm is rewarded for it, and none is trained on it.
        """
        training = policy.model.training
        policy.model.eval()
        figures: dict[str, float | None] = {}
        for decoding, temperature in (("greedy", 0.0), ("sampled", 1.0)):
            of = judged(self._answers(policy, temperature), self._cases, self._task.schema)
            figures |= {f"{name}_{decoding}": value for name, value in of.items() if name != "reward"}
            figures["held_out"] = of["reward"]
        figures["talk"] = self._loss(policy)
        policy.model.train(training)
        return figures

    def _answers(self, policy: Model, temperature: float) -> list[str]:
        """The JSON that is answered to each case."""
        prompts = [self._task.evaluator.render(case.inputs) for case in self._cases]
        constrained = self._arm.factors.constrained
        grammar = self._grammar(policy) if constrained else None
        given = sampled(policy, prompts, self._task.evaluator.prefill, temperature, self._longest, grammar)
        if self._formatter is not None:
            formatter = self._task.formatter
            prompts = [formatter.render({"prose": text}) for text, _ in given]
            given = sampled(self._formatter, prompts, formatter.prefill, 0.0, self._longest)
        return [text for text, _ in given]

    def _grammar(self, policy: Model) -> Grammar:
        """The schema's grammar over the tokenizer."""
        if self._grammars is None:
            self._grammars = Grammar(policy, self._task.schema, self._task.evaluator.prefill)
        return self._grammars

    def _loss(self, policy: Model) -> float:
        """The loss on small talk."""
        import torch

        from proseform.train import head, rows

        columns, _ = rows.encode(
            policy.tokenizer,
            [rows.Row(r["id"], rows.Rendered.from_json(r["prompt"]), r["completion"]) for r in self._talk],
            "",
            1000,
        )
        width = max(map(len, columns["input_ids"]))
        pad = policy.tokenizer.pad_token_id
        ids = [one + [pad] * (width - len(one)) for one in columns["input_ids"]]
        labels = [one + [rows.IGNORED] * (width - len(one)) for one in columns["labels"]]
        seen = [[1] * len(one) + [0] * (width - len(one)) for one in columns["input_ids"]]
        inputs = {"input_ids": ids, "labels": labels, "attention_mask": seen}
        with torch.inference_mode():
            loss, _ = head.loss(policy.model, {key: torch.tensor(value) for key, value in inputs.items()})
        return float(loss)


def judged(texts: Sequence[str], cases: Sequence[Case], schema: Schema) -> dict[str, float | None]:
    """What answers are worth: ``valid``, ``value``, ``right`` and ``reward``, see :meth:`Meter.__call__`."""
    verdicts = [verify.answer(text, schema) for text in texts]
    shares = [
        direct.content_share(verdict.value, dict(case.answer)) if verdict.ok else None
        for verdict, case in zip(verdicts, cases, strict=True)
    ]
    of_valid = [share for share in shares if share is not None]
    rewards = (direct.gated_json(text, dict(case.answer), schema) for text, case in zip(texts, cases, strict=True))
    return {
        "valid": len(of_valid) / len(texts),
        "value": fmean(of_valid) if of_valid else None,
        "right": of_valid.count(1.0) / len(texts),
        "reward": sum(rewards) / len(texts) / _BEST,
    }


def sampled(
    policy: Model,
    prompts: Sequence[Any],
    prefill: str,
    temperature: float,
    longest: int,
    grammar: Grammar | None = None,
    *,
    seed: int = 0,
) -> list[tuple[str, int]]:
    """A completion a prompt, prefill included, and its tokens; its noise is its own, so that training's dice stay.

    Args:
        policy: Who is asked.
        prompts: What.
        prefill: The beginning of each completion, given.
        temperature: 0 is greedy.
        longest: Tokens of a completion, at most.
        grammar: What completions are held to.
        seed: Of the noise.
    """
    from proseform.infer import decode, loading, tokens

    model, tokenizer = policy.model, policy.tokenizer
    opening = tokens.continuation(tokenizer, prefill)
    rows = [
        decode.Row(
            [*tokens.encode(tokenizer, prompt), *opening], longest, temperature, seed * 1_000_003 + place,
            grammar.matcher() if grammar else None,
        )
        for place, prompt in enumerate(prompts)
    ]  # fmt: skip
    constraints = grammar.constraints if grammar else None
    decode.run(model, rows, constraints, pad=tokenizer.pad_token_id, stop=loading.stop_ids(model, tokenizer))
    texts = [prefill + str(tokenizer.decode(row.ids, skip_special_tokens=True)) for row in rows]
    return [(text, len(row.ids) + (row.finish == "stop")) for text, row in zip(texts, rows, strict=True)]
