"""SFT of an encoder-decoder: the prompt goes to the encoder, the completion is what the decoder writes.

TRL's SFTTrainer knows causal models only; transformers' Seq2SeqTrainer takes its place, with the same arguments, order
of rows, checkpoints and figures, so that an interrupted run ends with the same weights too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proseform import config, launch
from proseform.train import progress, rows, weights


def columns(joined: Mapping[str, Sequence[Sequence[int]]]) -> dict[str, list[list[int]]]:
    """What :func:`proseform.train.rows.encode` gives, with the prompt for the encoder and the completion as labels.

    >>> columns({"input_ids": [[5, 6, 7]], "labels": [[rows.IGNORED, 6, 7]]})
    {'input_ids': [[5]], 'labels': [[6, 7]]}
    """
    prompts = [labels.count(rows.IGNORED) for labels in joined["labels"]]
    return {
        "input_ids": [list(ids[:count]) for ids, count in zip(joined["input_ids"], prompts, strict=True)],
        "labels": [list(labels[count:]) for labels, count in zip(joined["labels"], prompts, strict=True)],
    }


def trainer(
    job: launch.Job, run: config.Run, knobs: config.Sft, micro: int,
    tokenizer: Any, model: Any, train: dict[str, Any], valid: dict[str, Any], order: Sequence[int],
) -> Any:  # fmt: skip
    """The trainer of an encoder-decoder.

    Args:
        job: For the checkpoints' folder.
        run: The run.
        knobs: The stage's.
        micro: Rows of one forward pass of one process.
        tokenizer: The model's.
        model: An encoder-decoder, an adapter on it or not.
        train: ``input_ids`` and ``labels``, joined as :func:`proseform.train.rows.encode` gives them.
        valid: The same of the rows whose loss is reported.
        order: The rows of every step.
    """
    import torch
    from datasets import Dataset
    from torch.nn import functional
    from transformers import DataCollatorForSeq2Seq, Seq2SeqTrainer, Seq2SeqTrainingArguments

    shares: list[float] = []

    def loss(output: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
        """The negative log-likelihood of a completion's tokens, over all tokens of the step."""
        scored = labels != rows.IGNORED
        logits, labelled = output.logits[scored].float(), labels[scored]
        shares.append((logits.detach().argmax(-1) == labelled).float().mean().nan_to_num().item())
        total = functional.cross_entropy(logits, labelled, reduction="sum")
        return total / torch.as_tensor(scored.sum() if num_items_in_batch is None else num_items_in_batch).clamp(min=1)

    class Trainer(Seq2SeqTrainer):
        """Seq2SeqTrainer that logs the share of tokens which the model thinks likeliest, as TRL's trainers do."""

        def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
            """Add the share since the last log."""
            if shares:
                logs["mean_token_accuracy"] = sum(shares) / len(shares)
                shares.clear()
            super().log(logs, *args, **kwargs)

    return Trainer(
        model=model,
        args=Seq2SeqTrainingArguments(
            **weights.arguments(run, knobs, job, micro=micro, accumulate=knobs.batch // (micro * job.world_size)),
            train_sampling_strategy="sequential",
            per_device_eval_batch_size=micro,
            remove_unused_columns=False,
        ),
        train_dataset=Dataset.from_dict(columns(train)).select(order),
        eval_dataset=Dataset.from_dict(columns(valid)),
        processing_class=tokenizer,
        data_collator=DataCollatorForSeq2Seq(tokenizer, model=model),
        callbacks=[progress.callback(job, knobs.steps, "loss")],
        compute_loss_func=loss,
        optimizers=weights.optimizers(model, knobs),
    )
