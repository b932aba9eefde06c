"""TRL's GRPOTrainer with our prompts, our scorer and our stop rule, by its hooks and without a copy of its code.

- Prompts come from a source (:mod:`proseform.train.prompts`) when a step generates, and not from the dataset, which is
  a row of placeholders: so a source may choose by what it has seen, and its state after a step is exact.
- Faulted rollouts carry no advantage and leave the denominator: their tokens are masked, and losses that average over
  rows are scaled to the rows that are left.
- Prompt, prefill and the rest of a completion are tokenised as in SFT (:mod:`proseform.train.rows`).
- The states of source, methods and stop rule are saved with every checkpoint, before it is sealed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from accelerate.utils import gather_object
from transformers import TrainerCallback
from trl import GRPOTrainer

from proseform import reward
from proseform.case import Case
from proseform.rollouts import Rollout
from proseform.train import hazards, head, signal, stopping
from proseform.train.methods import Ask, Drawn, Sample, figures, rounds, skeleton, zero_variance
from proseform.train.methods.drawn import NOT_SAMPLED, joined
from proseform.train.prompts import Asked, Group
from proseform.train.seams import Seams
from proseform.train.stopping import Decision, StopRule

_BY_ROW = ("grpo", "dr_grpo")
"""Losses that are averaged over rows; the others are over tokens."""


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
        self._given: list[Sample] | None = None
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
        """TRL's own, on groups that are sampled and chosen beforehand; faulted rollouts leave the loss.

        Raises:
            NoSignalError: The policy has collapsed.
            StageError: None of the step's completions could be scored, or hardly half of those of many steps.
        """
        drawn, asks, sampled = self._draw()
        chosen = self.seams.methods.chosen(drawn)
        golden = self.seams.methods.with_gold([one.group(self.num_generations) for one in chosen])
        groups = self.seams.methods.with_replayed(golden, self.state.global_step + 1)
        self._note(drawn, asks, sampled, golden, groups)
        within = self._within(groups) if self.seams.methods.skeleton is not None else None

        rows = [(group.case, sample) for group in groups for sample in group.samples]
        own = slice(self.accelerator.process_index * len(inputs), (self.accelerator.process_index + 1) * len(inputs))
        self._given = [sample for _, sample in rows[own]]
        self._asked = [self.seams.ask(case) for case, _ in rows[own]]
        lines = [asked.case for asked in self._asked]
        self.seams.rewards.recall([one.text for one in self._given], lines, [one.score for one in self._given])
        batch: dict[str, Any] = super()._generate_and_score_completions(
            [{"prompt": one.prompt, "case": one.case} for one in self._asked]
        )
        self._given = None
        self._weigh(batch, chosen, groups, own)
        if within is not None:
            width = batch["completion_mask"].shape[1]
            batch["advantages"] = skeleton.spared(batch["advantages"], within[own], width)

        faulted = torch.tensor([bool(sample.score.fault) for _, sample in rows])
        left = len(faulted) - int(faulted.sum())
        if left < len(faulted):
            scored = ~faulted[own].to(batch["completion_mask"].device)
            batch["completion_mask"] = batch["completion_mask"] * scored.unsqueeze(1)
            batch["num_items_in_batch"] = self.accelerator.gather(batch["completion_mask"].sum()).sum()
        batch["row_scale"] = torch.tensor(len(faulted) / max(left, 1))
        return batch

    def _draw(self) -> tuple[list[Drawn], list[Ask], list[Sample]]:
        """Sample, score and gather until no method asks for more: the prompts, what was asked, and all completions.

        A round's rows divide among the ranks: its last prompt is asked again as often as that takes.
        """
        size, world = self.num_generations, self.accelerator.num_processes
        unit = world // math.gcd(size, world)
        fresh = self.seams.methods.fresh(self.state.global_step + 1)
        drawn: list[Drawn] = []
        asks: list[Ask] = []
        sampled: list[Sample] = []
        more = [Ask(case) for case in self.seams.source.next(fresh)]
        while more:
            last = more[-1].again if more[-1].again is not None else len(drawn) + len(more) - 1
            more += [Ask(more[-1].case, last)] * (-len(more) % unit)
            some = self._sample([ask.case for ask in more], len(sampled))
            drawn = joined(drawn, more, [some[at : at + size] for at in range(0, len(some), size)])
            asks += more
            sampled += some
            more = self.seams.methods.more(drawn)
        return drawn, asks, sampled

    def _sample(self, cases: list[Case], place: int) -> list[Sample]:
        """A group of completions for each case, over all ranks, scored; each rank samples and scores its share."""
        asked = [one for case in cases for one in [self.seams.ask(case)] * self.num_generations]
        share = len(asked) // self.accelerator.num_processes
        self._asked = asked[self.accelerator.process_index * share :][:share]
        _, ids, _, completions, engine, *_ = super()._generate([one.prompt for one in self._asked])
        whole = [self.seams.prefill + text for text in hazards.texts(completions)]
        scores = self.seams.rewards.score(whole, [one.case for one in self._asked])
        rows = gather_object(list(zip(whole, ids, scores, engine or [[]] * len(ids), strict=True)))
        paid = self.seams.methods.paid([score for _, _, score, _ in rows], first=not place)
        return [
            Sample(text, tuple(map(int, some)), score, at, engine=tuple(logs))
            for at, ((text, some, _, logs), score) in enumerate(zip(rows, paid, strict=True), place)
        ]

    def _generate(self, prompts: list[Any]) -> Any:
        """What was chosen for this rank, in TRL's form."""
        if self._given is None or len(prompts) != len(self._given):
            raise RuntimeError(f"TRL generates for {len(prompts)} prompts that were not sampled beforehand")
        prompt_ids = [list(one.ids) for one in self._asked]
        texts = [one.text.removeprefix(self.seams.prefill) for one in self._given]
        engine = [list(one.engine) for one in self._given] if self.use_vllm else None
        return prompt_ids, [list(one.ids) for one in self._given], None, texts, engine, {}, None, []

    def _note(
        self, drawn: list[Drawn], asks: list[Ask], sampled: list[Sample], golden: list[Drawn], groups: list[Drawn]
    ) -> None:
        """Show what was earned to recorder, log, source and stop rule."""
        size = self.num_generations
        rewards = [sample.score.composite for sample in sampled]
        trained = {sample.place for group in groups for sample in group.samples}
        if self.seams.recorder is not None:
            self.seams.recorder.add(self._rollouts(asks, sampled, trained))
        faults = sum(bool(sample.score.fault) for sample in sampled)
        self.faulted_rollouts += faults
        if faults == len(sampled):
            raise stopping.all_faulted([sample.score.fault for sample in sampled])
        by_group = [
            signal.Group([one.text for one in some], [one.score for one in some])
            for some in (sampled[at : at + size] for at in range(0, len(sampled), size))
        ]
        earned = [one for one in rewards if one is not None]
        reading_s = self.seams.rewards.reading_s()
        row = {
            "frac_zero_variance": reward.zero_variance_share(rewards, size),
            "frac_cancelled": hazards.cancelled([one.scores for one in by_group]),
            "faulted": faults / len(sampled),
            **signal.record(by_group, self.seams.methods.best),
            **figures(sampled, groups, self.seams.source),
            **({"form": self.seams.methods.form.compliance} if self.seams.methods.form else {}),
            **({"sampled_reward": fmean(earned)} if self.seams.methods.active else {}),  # TRL's is of what was chosen
            **({} if reading_s is None else {"reading_s": reading_s}),
        }
        for name, value in row.items():
            self._log_metric(name, value)
        self.seams.source.observe(
            [Group(one.case.id, tuple(sample.score.composite for sample in one.samples)) for one in drawn]
        )
        with_gold = [sample for group in golden for sample in group.samples if group.golden]
        if self.seams.rule.observe([*rewards, *(sample.score.composite for sample in with_gold)]) is Decision.COLLAPSED:
            raise self.seams.rule.collapse(rewards, [sample.text for sample in sampled])
        if self.seams.rule.broken and faults:
            raise stopping.mostly_faulted([sample.score.fault for sample in sampled])

    def _weigh(self, batch: dict[str, Any], chosen: list[Drawn], groups: list[Drawn], own: slice) -> None:
        """Advantages and old probabilities as the methods have them."""
        methods, size = self.seams.methods, self.num_generations
        again = [
            rounds.advantages(group, one, scaled=self.scale_rewards == "group")
            if one and len(one.samples) > size and one.mixed and all(s.place != NOT_SAMPLED for s in group.samples)
            else [math.nan] * size
            for one, group in zip_longest(chosen, groups)
        ]
        ours = torch.tensor([value for group in again for value in group][own], device=batch["advantages"].device)
        batch["advantages"] = torch.where(ours.isnan(), batch["advantages"], ours.to(batch["advantages"].dtype))
        if methods.replay is None and methods.zero_variance is None:
            return
        mask = batch["completion_mask"]
        with torch.no_grad():
            logs, entropies, _ = self._get_per_token_logps_and_entropies(
                self.model,
                torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1),
                torch.cat([batch["prompt_mask"], mask], dim=1),
                mask.shape[1],
                batch_size=self.args.per_device_train_batch_size,
                compute_entropy=methods.zero_variance is not None,
            )
        rows = [sample for group in groups for sample in group.samples][own]
        if methods.zero_variance is not None:
            signs = [zero_variance.direction(group, methods.best) for group in groups for _ in group.samples][own]
            scale = methods.zero_variance.scale
            batch["advantages"] = zero_variance.shaped(batch["advantages"], signs, entropies, mask, scale)
        if methods.replay is not None:
            for place, sample in enumerate(rows):
                if sample.logs:
                    logs[place, : len(sample.logs)] = torch.tensor(sample.logs, device=logs.device)
            batch["old_per_token_logps"] = logs
            values = [logs[place, : len(sample.ids)].tolist() for place, sample in enumerate(rows)]
            methods.replay.keep(groups, gather_object(values), self.state.global_step + 1)

    def _within(self, groups: list[Drawn]) -> list[list[bool]]:
        """Which tokens of each row lie within a shared skeleton; their share is logged."""
        prefill = len(self.seams.prefill)
        within = [
            skeleton.tokens(sample, flags, prefill, self._pieces)
            for group in groups
            for sample, flags in zip(group.samples, skeleton.shared(group), strict=True)
        ]
        self._log_metric("skeleton", sum(map(sum, within)) / max(1, sum(map(len, within))))
        return within

    def _pieces(self, ids: Sequence[int]) -> list[str]:
        """The text of each token; of special ones it is empty, as in completions."""
        return list(self._tokenizer.batch_decode([[one] for one in ids], skip_special_tokens=True))

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
        """TRL's own, on whole completions: prefill included."""
        whole = [self.seams.prefill + text for text in hazards.texts(completions)]
        return super()._calculate_rewards(inputs, prompts, whole, completion_ids_list)

    def _rollouts(self, asks: list[Ask], sampled: list[Sample], trained: set[int]) -> list[Rollout]:
        """This rank's share of the step's completions, as they were scored."""
        size, world = self.num_generations, self.accelerator.num_processes
        own = sampled[self.accelerator.process_index :: world] if world > 1 else sampled
        return [
            Rollout(
                step=self.state.global_step + 1,
                group=one.place // size,
                place=one.place,
                tokens=len(one.ids),
                case=asks[one.place // size].case.id,
                text=one.text,
                fault=one.score.fault,
                reward=one.score.composite,
                terms=one.score.terms,
                trained=one.place in trained,
            )
            for one in own
        ]
