"""The grpo worker: enforces the task's rubric on the policy that SFT trained, by TRL's GRPOTrainer.

GRPO here does not teach a new skill: it makes a policy that imitates careless annotators keep the rubric. The terms
of the rubric are separate reward functions, weighted as the rubric says, so that each has a curve of its own. The KL
divergence is measured against the SFT policy, whole or adapter. With ``reward = "json"`` the model is asked for JSON
directly and paid by the gated reward: a model that never opens a brace then earns nothing in every group, and the stage
ends by its stop rule (tests/train/test_grpo.py). Free prose is rewarded by round trip, through a frozen formatter
(:mod:`proseform.train.reader`).
A vLLM may sample in the place of the trainer's own model (:mod:`proseform.train.sampling`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from proseform import config, direct, launch, tagged
from proseform import task as tasks
from proseform.case import Case, load_cases
from proseform.infer import length, tokens
from proseform.prompt import Rendered
from proseform.rollouts import About
from proseform.rubric import Rubric
from proseform.task import Task
from proseform.train import checkpoints, hazards, methods, progress, rows, sampling, sharding, weights
from proseform.train.methods import Methods, Sample
from proseform.train.prompts import Asked, Source
from proseform.train.reader import Reader
from proseform.train.recorder import Recorder
from proseform.train.scorer import Rewards, Scorer
from proseform.train.stopping import Decision, StopRule

_TRIED = 8
"""Gold completions that are tried against the tokenizer."""


def main(job: launch.Job) -> None:
    """Train the evaluator of ``job.inputs["policy"]`` on the cases of ``job.inputs["dataset"]``.

    Raises:
        ConfigError: An unknown rubric, completions that do not divide among the processes, a hazard of
            :mod:`proseform.train.hazards`, an engine that cannot sample here.
        RowError: Most cases are longer than the context.
        NoSignalError: No group has carried a signal for ``grpo.signal_window`` steps, and rewards are low.
        StageError: The reward cannot be loaded, or scores nothing.
    """
    began = time.monotonic()
    weights.quiet()
    hazards.check_versions()
    run = weights.read_run(job)
    knobs = run.grpo
    if knobs.generation.vllm:
        sampling.check(run, gpus=not weights.on_cpu(run.launch), here=not sampling.url(run))
    task = tasks.load(str(job.settings["task"])).narrowed(format_of(run))
    micro = rows.micro_batch(knobs.prompts * knobs.generations, knobs.micro_batch, job.world_size, "grpo")
    rubric = rubric_of(task, knobs)
    dataset, policy = job.input("dataset"), job.input("policy") / weights.WEIGHTS
    tokenizer = weights.tokenizer(job.input("base") if weights.is_adapter(policy) else policy)
    known = [direct.asked(case, task, rubric) for case in load_cases(dataset / "cases-train.jsonl")]
    cases = length.fitting(tokenizer, task, known, run.model.max_length, "grpo")
    hazards.check_decoded(tokenizer, [gold_of(task, case, knobs) for case in cases[:_TRIED]])

    folder = Path(job.work) / checkpoints.FOLDER
    last = checkpoints.latest(folder, job.world_size)
    reader = _reader(job, run, task)
    read = reader.read if reader is not None else None
    with Scorer(task.name, rubric, format_name=format_of(run), read=read) as scorer:
        rewards = Rewards(scorer, rubric, whole=knobs.signal.form is not None)
        rule = StopRule(knobs.generations, knobs.signal_window, rewards.best)
        source = methods.source(knobs, cases, rewards.best)
        recorder = _recorder(job, run, task, rubric, last)
        with sampling.answered(run):
            trainer = _trainer(job, run, task, micro, policy, tokenizer, source, rule, rewards, recorder, last)
        trainer.accelerator.wait_for_everyone()
        if trainer.is_world_process_zero():
            checkpoints.sweep(folder, last)
        trainer.accelerator.wait_for_everyone()
        if knobs.steps:
            trainer.train(resume_from_checkpoint=str(last) if last else None)
        trainer.accelerator.wait_for_everyone()

    model = sharding.whole(trainer)
    past, steps = progress.history(job), trainer.state.global_step
    figures = {
        "reward_first": progress.mean(past[:5], "reward"),
        "reward_last": progress.mean(past[-5:], "reward"),
        "frac_zero_variance": progress.mean(past, "frac_zero_variance"),
        "kl": progress.mean(past[-5:], "kl"),
        "steps": steps,
        "stopped": rule.sentence(steps) if rule.decision is Decision.CONVERGED else "",
        "completions": steps * knobs.prompts * knobs.generations,
        "faulted": progress.mean(past, "faulted"),
        **({"reading_s": progress.mean(past, "reading_s")} if reader is not None else {}),
        "cases": len(cases),
        "dropped": len(known) - len(cases),
        "seconds": round(time.monotonic() - began, 1),
    }
    weights.write(job, model, tokenizer, run, figures)
    if recorder is not None and trainer.is_world_process_zero():
        recorder.finish()
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()


def _reader(job: launch.Job, run: config.Run, task: Task) -> Reader | None:
    """The frozen formatter that reads free prose; None where a reader of the task's own does, or JSON is rewarded."""
    if not task.free or run.grpo.reward == "json":
        return None
    return Reader.load(run, task, job.input("formatter") / weights.WEIGHTS, job.input("base"))


def rubric_of(task: Task, knobs: config.Grpo) -> Rubric | None:
    """The rubric in force; None for the gated reward of JSON.

    Raises:
        ConfigError: The task has no such rubric, or an exponent is of no term.
    """
    if knobs.reward == "prose":
        return task.rubric(knobs.rubric, knobs.accuracy_exponent)
    return direct.rubric(knobs.rubric)


def format_of(run: config.Run) -> str:
    """The named format of JSON that is asked for directly; empty for prose, whose terms look at the whole answer."""
    return run.dataset.format if run.grpo.reward == "json" else ""


def prefill_of(task: Task, knobs: config.Grpo) -> str:
    """The beginning of every completion, given; empty where JSON is rewarded."""
    return task.evaluator.prefill if knobs.reward == "prose" else ""


def gold_of(task: Task, case: Case, knobs: config.Grpo) -> str:
    """What earns the most on a case, without the prefill."""
    if knobs.reward == "prose":
        return case.prose.removeprefix(task.evaluator.prefill)
    return direct.gold(case, rubric_of(task, knobs))


def prompt(task: Task, case: Case, knobs: config.Grpo) -> Rendered:
    """What the policy is asked: the evaluator's prompt; for direct JSON with the formatter's instruction and schema."""
    rendered = task.question(case.inputs)
    if knobs.reward == "prose" or rendered.style == "plain":
        return rendered
    words = tagged.THINK if knobs.rubric == "think" else ""
    return rendered.with_ours(f"\n{task.formatter.instruction(task.schema)}{words}")


def _asker(task: Task, knobs: config.Grpo, tokenizer: Any, prefill: str) -> Callable[[Case], Asked]:
    """A case to what the policy is asked, tokenised as in SFT."""
    opening = tokens.continuation(tokenizer, prefill) if prefill else []

    def ask(case: Case) -> Asked:
        rendered = prompt(task, case, knobs)
        ids = [*tokens.encode(tokenizer, rendered), *opening]
        return Asked(tokens.text(tokenizer, rendered), ids, case.to_json())

    return ask


def _writer(
    task: Task, run: config.Run, tokenizer: Any, prefill: str, rewards: Rewards
) -> Callable[[Sequence[Case]], list[Sample | None]]:
    """Cases to their gold completions, tokenised as in SFT and scored; None where one is longer than sampled ones."""

    def write(cases: Sequence[Case]) -> list[Sample | None]:
        from accelerate.utils import broadcast_object_list

        rests = [gold_of(task, case, run.grpo) for case in cases]
        ids = [(*tokens.continuation(tokenizer, rest), int(tokenizer.eos_token_id)) for rest in rests]
        scores = broadcast_object_list(
            rewards.score([prefill + rest for rest in rests], [case.to_json() for case in cases])
        )
        return [
            Sample(prefill + rest, some, score) if len(some) <= run.generation.evaluator.max_tokens else None
            for rest, some, score in zip(rests, ids, scores, strict=True)
        ]

    return write


def _trainer(
    job: launch.Job, run: config.Run, task: Task, micro: int, policy: Path, tokenizer: Any,
    source: Source, rule: StopRule, rewards: Rewards, recorder: Recorder | None, last: Path | None,
) -> Any:  # fmt: skip
    """The trainer, with prompt source and stop rule restored from the last checkpoint."""
    from datasets import Dataset
    from trl import GRPOConfig

    from proseform.train.grpo_trainer import Trainer
    from proseform.train.seams import Seams

    knobs, prefill = run.grpo, prefill_of(task, run.grpo)
    ask = _asker(task, knobs, tokenizer, prefill)
    rubric = rubric_of(task, knobs)
    acting = Methods(knobs, source, rewards.best, _writer(task, run, tokenizer, prefill, rewards), rubric)
    seams = Seams(source, acting, rule, rewards, ask, prefill, recorder)
    steps = max(knobs.steps, 1)
    if last:
        seams.load(last)
        if rule.decision is Decision.CONVERGED:  # interrupted between its last step and its commit
            steps = checkpoints.step(last)
    adapter = weights.is_adapter(policy)
    start = job.input("base") if adapter else policy
    model: Any = weights.load(start, run.model, whole=not adapter, attention=run.launch.attention)
    if adapter:
        model = weights.with_adapter(model, policy)
    accumulate = knobs.prompts * knobs.generations // (micro * job.world_size)
    shared = weights.arguments(run, knobs, job, micro=micro, accumulate=accumulate)
    return Trainer(
        seams,
        model=model,
        args=GRPOConfig(
            **{**shared, "max_steps": steps},
            num_generations=knobs.generations,
            max_completion_length=run.generation.evaluator.max_tokens,
            temperature=knobs.temperature,
            beta=knobs.beta,
            loss_type=knobs.loss,
            scale_rewards=knobs.scale,
            multi_objective_aggregation="normalize_then_sum" if knobs.decoupled else "sum_then_normalize",
            mask_truncated_completions=knobs.mask_cut,
            reward_weights=rewards.weights,
            shuffle_dataset=False,
            remove_unused_columns=False,
            **sampling.arguments(run),
        ),
        train_dataset=Dataset.from_dict({"prompt": [""] * (steps * knobs.prompts)}),  # the source gives the prompts
        processing_class=tokenizer,
        callbacks=[progress.callback(job, knobs.steps, "reward")],
        optimizers=weights.optimizers(model, knobs),
    )


def _recorder(
    job: launch.Job, run: config.Run, task: Task, rubric: Rubric | None, last: Path | None
) -> Recorder | None:
    """Keeps the rollouts; None where the cases are a user's own."""
    if run.dataset.file:
        return None
    about = About(task.name, rubric, job.inputs["dataset"], run.grpo.generations, format_of(run))
    return Recorder(job, about, int(os.environ.get("RANK", "0")), checkpoints.step(last) if last else 0)


if __name__ == "__main__":
    launch.worker(main)
