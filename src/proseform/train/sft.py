"""The sft worker: supervised fine-tuning of one role, whole weights or LoRA, by TRL's SFTTrainer.

A formatter that is an encoder-decoder is trained by :mod:`proseform.train.seq2seq`, and all else is the same.

Rows are tokenised and ordered beforehand (:mod:`proseform.train.rows`); the loss is on completions only. A run
that is interrupted at any moment resumes from the last sealed checkpoint and ends with the same weights.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from proseform import config, launch, task
from proseform.case import load_cases
from proseform.errors import ConfigError
from proseform.train import checkpoints, hazards, progress, rows, sharding, weights

_VALID = 200
"""Most validation rows; their loss is only reported, and nothing is chosen by it."""


def main(job: launch.Job) -> None:
    """Train the role of ``job.settings["role"]`` on ``job.inputs["dataset"]``, from ``job.inputs["base"]``.

    Where there is ``job.inputs["start"]``, a payload of weights that were trained already, it goes on from these.

    Raises:
        ConfigError: An unknown role, a batch that does not divide among the processes.
        RowError: A row of the wrong shape.
    """
    began = time.monotonic()
    weights.quiet()
    hazards.check_versions()
    run = weights.read_run(job)
    role = str(job.settings.get("role"))
    knobs = {"evaluator": run.sft.evaluator, "formatter": run.sft.formatter}.get(role)
    if knobs is None:
        raise ConfigError(f"sft: no role '{role}'; there are: evaluator, formatter.")
    micro = rows.micro_batch(knobs.batch, knobs.micro_batch, job.world_size, f"sft.{role}")
    dataset, base = job.input("dataset"), job.input("base")
    tokenizer = weights.tokenizer(base)
    prompt = getattr(task.load(str(job.settings["task"])), role)
    columns = {}
    dropped = {}
    for split in ("train", "valid"):
        read = rows.read(dataset / f"{role}-{split}.jsonl")[: None if split == "train" else _VALID]
        gold = (
            {case.id: case.prose for case in load_cases(dataset / f"cases-{split}.jsonl")}
            if role == "evaluator"
            else {}
        )
        columns[split], dropped[split] = rows.encode(
            tokenizer, read, prompt.prefill, run.model.max_length, gold, f"sft.{role}, split '{split}'"
        )
    train, valid = columns["train"], columns["valid"]

    folder = Path(job.work) / checkpoints.FOLDER
    last = checkpoints.latest(folder, job.world_size)
    trainer = _trainer(job, run, knobs, micro, tokenizer, base, train, valid)
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        checkpoints.sweep(folder, last)
    trainer.accelerator.wait_for_everyone()
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    valid_loss = trainer.evaluate()["eval_loss"]

    model = sharding.whole(trainer)
    past = progress.history(job)
    figures = {
        "loss": progress.mean(past[-20:], "loss"),
        "valid_loss": round(float(valid_loss), 4),
        "steps": knobs.steps,
        "rows": len(train["input_ids"]),
        "dropped": dropped["train"],
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "seconds": round(time.monotonic() - began, 1),
    }
    weights.write(job, model, tokenizer, run, figures)
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()


def _trainer(
    job: launch.Job, run: config.Run, knobs: config.Sft, micro: int,
    tokenizer: Any, base: Path, train: dict[str, Any], valid: dict[str, Any],
) -> Any:  # fmt: skip
    """The trainer, with every row of every step laid out in order."""
    from datasets import Dataset
    from datasets.utils import logging as talk
    from trl import SFTConfig, SFTTrainer

    from proseform.train import head, seq2seq

    talk.disable_progress_bar()

    class Trainer(SFTTrainer):
        """SFTTrainer without a model card at each checkpoint, and quicker on a CPU."""

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """The registry writes the card."""

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            """TRL's loss; on a CPU with logits at completions alone."""
            if self.accelerator.device.type != "cpu" or return_outputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            loss, likeliest = head.loss(model, inputs, num_items_in_batch)
            self._metrics["train" if self.model.training else "eval"]["mean_token_accuracy"].append(likeliest)
            shared = self.args.average_tokens_across_devices and num_items_in_batch is not None
            return (
                loss * self.accelerator.num_processes if shared else loss
            )  # DDP averages what was counted over all ranks

    whole = knobs.lora is None
    kind = run.formatter.kind if job.settings["role"] == "formatter" else "causal"
    start = job.input("start") / weights.WEIGHTS if "start" in job.inputs else None
    loaded = start if start is not None and whole else base
    model = weights.load(loaded, run.model, whole=whole, kind=kind, attention=run.launch.attention)
    if start is not None and not whole:
        model = weights.with_adapter(model, start)
    elif knobs.lora is not None:
        import torch

        torch.manual_seed(knobs.seed)
        model = weights.with_new_adapter(model, knobs.lora)
    order = rows.order([len(ids) for ids in train["input_ids"]], knobs.batch, knobs.steps, knobs.seed)
    if kind == "seq2seq":
        return seq2seq.trainer(job, run, knobs, micro, tokenizer, model, train, valid, order)
    return Trainer(
        model=model,
        args=SFTConfig(
            **weights.arguments(run, knobs, job, micro=micro, accumulate=knobs.batch // (micro * job.world_size)),
            max_length=None,
            train_sampling_strategy="sequential",
            padding_free=knobs.packing,
            dataset_kwargs={"skip_prepare_dataset": True},
            per_device_eval_batch_size=micro,
        ),
        train_dataset=Dataset.from_dict(train).select(order),
        eval_dataset=Dataset.from_dict(valid),
        processing_class=tokenizer,
        callbacks=[progress.callback(job, knobs.steps, "loss")],
        optimizers=weights.optimizers(model, knobs),
    )


if __name__ == "__main__":
    launch.worker(main)
