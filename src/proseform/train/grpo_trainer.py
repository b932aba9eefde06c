"""TRL's GRPOTrainer with our prompts, our scorer and our stop rule, by its hooks and without a copy of its code.

- Prompts come from a source (:mod:`proseform.train.prompts`) when a step generates, and not from the dataset, which is
  a row of placeholders: so a source may choose by what it has seen, and its state after a step is exact.
- Faulted rollouts carry no advantage and leave the denominator: their tokens are masked, and losses that average over
  rows are scaled to the rows that are left.
- Prompt, prefill and the rest of a completion are tokenised as in SFT (:mod:`proseform.train.rows`).
- The states of source and stop rule are saved with every checkpoint, before it is sealed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from transformers import TrainerCallback
from trl import GRPOTrainer

from proseform import reward, store
from proseform.case import Case
from proseform.rollouts import Rollout
from proseform.train import hazards, head, stopping
from proseform.train.prompts import Asked, Group, Source
from proseform.train.recorder import Recorder
from proseform.train.scorer import Rewards
from proseform.train.stopping import Decision, StopRule

STATE = "proseform.json"
"""The file of a checkpoint that holds the states of source and stop rule."""

_BY_ROW = ("grpo", "dr_grpo")
"""Losses that are averaged over rows; the others are over tokens."""


@dataclass(frozen=True, slots=True)
class Seams:
    """What the trainer is given beside TRL's own.

    Attributes:
        source: Gives the prompts.
        rule: Says when to stop.
        rewards: Score the completions.
        ask: A case to what the policy is asked.
        prefill: The beginning of every completion, given.
        prompts: Prompts a step, over all processes.
        recorder: Keeps the rollouts; None where they are not to be kept.
    """

    source: Source
    rule: StopRule
    rewards: Rewards
    ask: Callable[[Case], Asked]
    prefill: str
    prompts: int
    recorder: Recorder | None = None

    def load(self, checkpoint: Path) -> None:
        """Restore the state from a checkpoint."""
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        self.source.load(state["source"])
        self.rule.load(state["rule"])

    def save(self, checkpoint: Path) -> None:
        """Write the state that a resumed run needs."""
        store.write_json(checkpoint / STATE, {"source": self.source.state(), "rule": self.rule.state()})


class StopEarly(TrainerCallback):
    """Ends training after the step in which the rule has decided that it converged."""

    def __init__(self, rule: StopRule) -> None:
        self.rule = rule

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Every rank has the same rule, and stops after the same step."""
        if self.rule.decision is Decision.CONVERGED:
            control.should_training_stop = True


class Trainer(GRPOTrainer):
    """See the module.

    Args:
        seams: Ours.
        more: :class:`trl.GRPOTrainer`'s own arguments, but for the reward functions.
    """

    def __init__(self, seams: Seams, **more: Any) -> None:
        self.seams = seams
        self.faulted_rollouts = 0
        """Rollouts that could not be scored so far, since this process began."""
        self._asked: list[Asked] = []
        self._cases: list[Case] = []
        self._faulted: torch.Tensor = torch.zeros(0, dtype=torch.bool)
        super().__init__(reward_funcs=seams.rewards.functions, **more)
        self.add_callback(StopEarly(seams.rule))

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """The registry writes the card."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """TRL's own, and our state; the checkpoint is sealed afterwards."""
        super()._save_checkpoint(model, trial)
        if self.is_world_process_zero():
            self.seams.save(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """TRL's own, on the source's prompts; faulted rollouts leave the loss."""
        self._cases = self.seams.source.next(self.seams.prompts)
        asked = [one for case in self._cases for one in [self.seams.ask(case)] * self.num_generations]
        own = slice(self.accelerator.process_index * len(inputs), (self.accelerator.process_index + 1) * len(inputs))
        self._asked = asked[own]
        batch: dict[str, Any] = super()._generate_and_score_completions(
            [{"prompt": one.prompt, "case": one.case} for one in self._asked]
        )
        left = len(self._faulted) - int(self._faulted.sum())
        if left < len(self._faulted):
            scored = ~self._faulted[own].to(batch["completion_mask"].device)
            batch["completion_mask"] = batch["completion_mask"] * scored.unsqueeze(1)
            batch["num_items_in_batch"] = self.accelerator.gather(batch["completion_mask"].sum()).sum()
        batch["row_scale"] = torch.tensor(len(self._faulted) / max(left, 1))
        return batch

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
        """TRL's own; averages over rows are over those that were scored."""
        loss = super()._compute_loss(model, inputs)
        return loss * inputs["row_scale"].to(loss.device) if self.loss_type in _BY_ROW else loss

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Any, attention_mask: Any, logits_to_keep: int,
        batch_size: int | None = None, compute_entropy: bool = False, **more: Any,
    ) -> Any:  # fmt: skip
        """TRL's own; on a CPU with logits at completions alone."""
        if self.accelerator.device.type != "cpu":
            return super()._get_per_token_logps_and_entropies(
                model, input_ids, attention_mask, logits_to_keep, batch_size, compute_entropy, **more
            )
        parts = []
        for some in torch.arange(len(input_ids)).split(batch_size or len(input_ids)):
            with self.accelerator.autocast():
                scored = input_ids[some], attention_mask[some], logits_to_keep, self.temperature
                parts.append(head.log_probabilities(model, *scored, entropy=compute_entropy))
        logs, entropies = zip(*parts, strict=True)
        return torch.cat(logs), torch.cat(entropies) if compute_entropy else None, None

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """The ids that were counted when the case was asked."""
        if len(prompts) != len(self._asked):
            raise RuntimeError(f"TRL tokenises {len(prompts)} prompts where {len(self._asked)} were given")
        return [list(one.ids) for one in self._asked], None, {}

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
        """Score whole completions, prefill included, and show the gathered rewards to source and rule.

        Raises:
            NoSignalError: The policy has collapsed.
            StageError: None of the step's completions could be scored.
        """
        whole = [self.seams.prefill + text for text in hazards.texts(completions)]
        scores = super()._calculate_rewards(inputs, prompts, whole, completion_ids_list)
        self._faulted = torch.isnan(scores).all(dim=1).cpu()
        if self.seams.recorder is not None:
            self.seams.recorder.add(self._rollouts(whole, completion_ids_list))
        faults = int(self._faulted.sum())
        self.faulted_rollouts += faults
        totals = (scores * self.reward_weights.to(scores.device)).nansum(dim=1).tolist()
        rewards = [None if fault else total for fault, total in zip(self._faulted.tolist(), totals, strict=True)]
        if faults == len(rewards):
            raise stopping.all_faulted([score.fault for score in self.seams.rewards.last])
        self._log_metric("frac_zero_variance", reward.zero_variance_share(rewards, self.num_generations))
        self._log_metric("faulted", faults / len(rewards))
        size, own = self.num_generations, gather_object(self.seams.rewards.last)
        self._log_metric("frac_cancelled", hazards.cancelled([own[at : at + size] for at in range(0, len(own), size)]))
        groups = [
            Group(case.id, tuple(rewards[place * size : (place + 1) * size])) for place, case in enumerate(self._cases)
        ]
        self.seams.source.observe(groups)
        if self.seams.rule.observe(rewards) is Decision.COLLAPSED:
            raise self.seams.rule.collapse(rewards, whole)
        return scores

    def _rollouts(self, texts: list[str], ids: list[list[int]]) -> list[Rollout]:
        """This rank's completions of the step, as they were scored."""
        first, size = self.accelerator.process_index * len(texts), self.num_generations
        return [
            Rollout(
                step=self.state.global_step + 1,
                group=place // size,
                place=place,
                tokens=len(ids[place - first]),
                case=self._cases[place // size].id,
                text=texts[place - first],
                fault=score.fault,
                reward=score.composite,
                terms=score.terms,
            )
            for place, score in enumerate(self.seams.rewards.last, start=first)
        ]
