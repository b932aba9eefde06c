"""Completions that are held to the schema's grammar: those of GRPO's own sampling, and those that are measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MethodType
from typing import Any

from proseform import task as tasks
from proseform.schema import Schema


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be asked.

    Attributes:
        model: A causal LM.
        tokenizer: Its own.
    """

    model: Any
    tokenizer: Any


class Grammar:
    """The grammar of a schema over a tokenizer, behind a prefill.

    Args:
        policy: Whose tokenizer, and how many logits.
        schema: The schema.
        prefill: The beginning of each document, given.
    """

    def __init__(self, policy: Model, schema: Schema, prefill: str) -> None:
        from proseform.infer import loading, tokens
        from proseform.infer.grammars.constrain import Constraints

        stop = sorted(loading.stop_ids(policy.model, policy.tokenizer))
        self.constraints = Constraints(policy.tokenizer, stop, policy.model.config.vocab_size)
        self._schema = schema.grammar
        self._prefill = tokens.continuation(policy.tokenizer, prefill)

    def matcher(self) -> Any:
        """A matcher of one completion."""
        return self.constraints.matcher(self._schema, self._prefill)


def hold(trainer: Any, task: str) -> None:
    """Have a trainer sample under the grammar of a task's schema.

    What is trained is the policy itself: its log-probabilities are those without a grammar.
    """
    import torch

    known = tasks.load(task)
    policy = Model(trainer.model, trainer.processing_class)
    grammar = Grammar(policy, known.schema, known.evaluator.prefill)
    generate = trainer.model.generate

    class Held:
        """A logits processor, for one call of generate: a matcher a row, which reads what was sampled last."""

        def __init__(self) -> None:
            self.matchers: list[Any] = []

        def __call__(self, ids: Any, scores: Any) -> Any:
            """Scores with what the grammar forbids at minus infinity; a row that has ended may end again."""
            if self.matchers:
                for matcher, token in zip(self.matchers, ids[:, -1].tolist(), strict=True):
                    if not matcher.is_stopped():
                        matcher.consume_token(token)
            else:
                self.matchers = [grammar.matcher() for _ in ids]
            open_ones = [None if matcher.is_stopped() else matcher for matcher in self.matchers]
            allowed = torch.from_numpy(grammar.constraints.allowed(open_ones))
            ended = torch.tensor([matcher is None for matcher in open_ones])
            allowed[ended] = False
            allowed[ended, policy.tokenizer.eos_token_id] = True
            return scores.masked_fill(~allowed, -math.inf)

    def held(model: Any, **given: Any) -> Any:  # noqa: ARG001 - a method
        from transformers import LogitsProcessorList

        return generate(**given, logits_processor=LogitsProcessorList([Held()]))

    trainer.model.generate = MethodType(held, trainer.model)
