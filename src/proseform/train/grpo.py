"""The grpo worker: enforces the task's rubric on the policy that SFT trained, by TRL's GRPOTrainer.

GRPO here does not teach a new skill: it makes a policy that imitates careless annotators keep the rubric. The terms
of the rubric are separate reward functions, weighted as the rubric says, so that each is a curve of its own. The KL
divergence is measured against the SFT policy, whole or adapter. With ``reward = "json"`` the model is asked for JSON
directly and paid by the gated reward; it is there to show the collapse.
Left out: vLLM's weight synchronisation, which is CUDA's alone.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from proseform import config, launch, reward
from proseform import task as tasks
from proseform.case import Case, load_cases
from proseform.errors import ConfigError
from proseform.infer import tokens
from proseform.prompt import Rendered
from proseform.rubric import Rubric
from proseform.task import Task
from proseform.train import checkpoints, progress, rows, signal, weights

ACCURACY = "accuracy"
"""The term whose power a run may override."""

Reward = Callable[..., list[float]]


def main(job: launch.Job) -> None:
    """Train the evaluator of ``job.inputs["policy"]`` on the cases of ``job.inputs["dataset"]``.

    Raises:
        ConfigError: An unknown rubric, completions that do not divide among the processes.
        NoSignalError: No group has carried a signal for ``grpo.signal_window`` steps.
    """
    began = time.monotonic()
    weights.quiet()
    run = weights.read_run(job)
    knobs = run.grpo
    task = tasks.load(str(job.settings["task"]))
    micro = rows.micro_batch(knobs.prompts * knobs.generations, knobs.micro_batch, job.world_size, "grpo")
    dataset, policy = job.input("dataset"), job.input("policy") / weights.WEIGHTS
    cases = load_cases(dataset / "cases-train.jsonl")
    functions, shares, best = rewards(task, knobs)
    tokenizer = weights.tokenizer(policy)
    examples = prompts(task, cases, knobs, tokenizer)

    folder = Path(job.work) / checkpoints.FOLDER
    last = checkpoints.latest(folder, job.world_size)
    watch = signal.Watch(knobs.generations, knobs.signal_window, best)
    trainer = _trainer(job, run, micro, policy, tokenizer, examples, functions, shares, watch)
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        checkpoints.sweep(folder, last)
    trainer.accelerator.wait_for_everyone()
    if knobs.steps:
        trainer.train(resume_from_checkpoint=str(last) if last else None)

    model = trainer.accelerator.unwrap_model(trainer.model)
    past = progress.history(job)
    figures = {
        "reward_first": progress.mean(past[:5], "reward"),
        "reward_last": progress.mean(past[-5:], "reward"),
        "frac_zero_variance": progress.mean(past, "frac_zero_variance"),
        "kl": progress.mean(past[-5:], "kl"),
        "steps": knobs.steps,
        "completions": knobs.steps * knobs.prompts * knobs.generations,
        "seconds": round(time.monotonic() - began, 1),
    }
    weights.write(job, model, tokenizer, run, figures)
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()


def rubric(task: Task, knobs: config.Grpo) -> Rubric:
    """The rubric in force: the run's variant, with the run's power on accuracy.

    Raises:
        ConfigError: The run overrides the power of a term that the rubric does not weigh.
        TaskError: Unknown variant.
    """
    found = task.rubric(knobs.rubric)
    if knobs.accuracy_exponent is None:
        return found
    if ACCURACY not in found.weights:
        raise ConfigError(
            f"grpo.accuracy_exponent: the rubric has no term '{ACCURACY}'; it has {', '.join(found.weights)}."
        )
    return Rubric(found.weights, {**found.exponents, ACCURACY: knobs.accuracy_exponent})


def rewards(task: Task, knobs: config.Grpo) -> tuple[list[Reward], list[float], float]:
    """The reward functions, their weights, and the highest weighted sum there is.

    A function gets ``completions`` (texts) and ``case`` (lines of JSON), and gives a number for each.
    """
    if knobs.reward == "json":

        def gated(completions: list[str], case: list[str], **_: Any) -> list[float]:
            found = [Case.from_json(line) for line in case]
            return [
                reward.gated_json(text, one.answer, task.schema) for text, one in zip(completions, found, strict=True)
            ]

        gated.__name__ = "json"
        return [gated], [1.0], 2.0
    chosen = rubric(task, knobs)

    def term(name: str) -> Reward:
        def score(completions: list[str], case: list[str], **_: Any) -> list[float]:
            power = chosen.exponents.get(name, 1)
            found = [Case.from_json(line) for line in case]
            return [
                reward.powered(task.terms[name](text, one), power) for text, one in zip(completions, found, strict=True)
            ]

        score.__name__ = name
        return score

    return [term(name) for name in chosen.weights], list(chosen.weights.values()), 1.0


def prompts(task: Task, cases: list[Case], knobs: config.Grpo, tokenizer: Any) -> list[dict[str, str]]:
    """The prompt of every step's every group, in order: ``prompt`` (rendered text, prefill last) and ``case`` (JSON)."""
    rng = random.Random(f"grpo/{knobs.seed}")
    wanted = max(knobs.steps, 1) * knobs.prompts
    chosen: list[Case] = []
    while len(chosen) < wanted:
        chosen += rng.sample(cases, min(len(cases), wanted - len(chosen)))
    asked: list[Rendered] = []
    for case in chosen:
        prompt = task.evaluator.render(case.inputs)
        if knobs.reward == "json" and prompt.style == "chat":
            prompt = prompt.with_ours(f"\n{task.formatter.system}\n{task.schema.signature()}")
        asked.append(prompt)
    return [
        {"prompt": tokens.text(tokenizer, prompt), "case": case.to_json()}
        for prompt, case in zip(asked, chosen, strict=True)
    ]


def _trainer(
    job: launch.Job, run: config.Run, micro: int, policy: Path, tokenizer: Any,
    examples: list[dict[str, str]], functions: list[Reward], shares: list[float], watch: signal.Watch,
) -> Any:  # fmt: skip
    """The trainer, with the watch in its way of scoring."""
    import torch
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    from proseform.train import head

    task = tasks.load(str(job.settings["task"]))
    plain = task.evaluator.style == "plain"
    prefill = task.evaluator.prefill if run.grpo.reward == "prose" else ""
    opening = tokenizer(prefill, add_special_tokens=False)["input_ids"] if prefill else []

    class Trainer(GRPOTrainer):
        """GRPOTrainer that tokenises as SFT does and counts zero-variance groups."""

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """The registry writes the card."""

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
            """Prompt and prefill apart, as :mod:`proseform.train.rows` does."""
            return [[*ids, *opening] for ids in tokenizer(prompts, add_special_tokens=plain)["input_ids"]], None, {}

        def _calculate_rewards(
            self, inputs: Any, prompts: Any, completions: list[str], completion_ids_list: Any
        ) -> Any:
            """Score whole completions, prefill included, and show the gathered rewards to the watch."""
            whole = [prefill + text for text in completions]
            scores = super()._calculate_rewards(inputs, prompts, whole, completion_ids_list)
            total = (scores * self.reward_weights.to(scores.device)).nansum(dim=1)
            self._log_metric("frac_zero_variance", watch.see(total.tolist(), whole))
            return scores

    knobs = run.grpo
    adapter = weights.is_adapter(policy)
    model: Any = weights.load(policy if not adapter else job.input("base"), run.model, whole=not adapter)
    if adapter:
        model = weights.with_adapter(model, policy)
    accumulate = knobs.prompts * knobs.generations // (micro * job.world_size)
    shared = weights.arguments(run, knobs, job, micro=micro, accumulate=accumulate)
    return Trainer(
        model=model,
        reward_funcs=functions,
        args=GRPOConfig(
            **{**shared, "max_steps": max(knobs.steps, 1)},
            num_generations=knobs.generations,
            max_completion_length=run.generation.evaluator.max_tokens,
            temperature=knobs.temperature,
            beta=knobs.beta,
            loss_type=knobs.loss,
            reward_weights=shares,
            shuffle_dataset=False,
            remove_unused_columns=False,
        ),
        train_dataset=Dataset.from_list(examples),
        processing_class=tokenizer,
        callbacks=[progress.callback(job, knobs.steps, "reward")],
        optimizers=weights.optimizers(model, knobs),
    )


if __name__ == "__main__":
    launch.worker(main)
