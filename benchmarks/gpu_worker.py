"""The worker of the GPU benchmarks: a training stage as a run starts it, watched.

`proseform.launch` starts this module.

It calls the stage's own ``main`` beneath the launcher, on a model of a Llama's shape with random weights and on rows of
words. Inputs are folders as they lie: what a run fetches and hashes beforehand has no part in what a GPU holds.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from proseform import launch, task
from proseform.train import grpo, rows, sft, weights

MEASURED = "measured.json"
"""What the worker leaves in the job's work folder."""
VOCABULARY = 49_152
STAGES: dict[str, Callable[[launch.Job], None]] = {"sft": sft.main, "grpo": grpo.main}
_TASK = "cv"
_ROWS = 16
_UNKNOWN = "<unk>"


class EnoughError(Exception):
    """The steps that are measured are done."""


@dataclass(frozen=True)
class Watched(launch.Job):
    """A job that notes time and memory after every step.

    Attributes:
        stop: The step after which :class:`EnoughError` ends the stage; 0 lets it end by itself.
        marks: A line for each step.
    """

    stop: int = 0
    marks: list[dict[str, float]] = field(default_factory=list)

    def input(self, name: str) -> Path:
        """The folder that a reference names, as it lies."""
        return Path(self.inputs[name].partition("#")[0])

    def progress(self, done: int, total: int, **figures: float | str) -> None:
        """Note a step.

        Raises:
            EnoughError: It was the last that is measured.
        """
        super().progress(done, total, **figures)
        self.marks.append({"step": done, "seconds": time.perf_counter(), **memory()})
        if self.stop and done >= self.stop:
            raise EnoughError


def main(job: launch.Job) -> None:
    """Make a base (stage ``base``), or run a stage under watch and write :data:`MEASURED`."""
    weights.quiet()
    if job.settings.get("deterministic"):
        deterministic()
    if job.stage == "base":
        base(dict(job.settings["shape"]), Path(job.out))
        return
    watched = Watched(**asdict(job), stop=int(job.settings.get("stop", 0)))
    if job.settings.get("words"):
        words(watched)
    outcome, message = "done", ""
    try:
        STAGES[job.stage](watched)
    except EnoughError:
        pass
    except RuntimeError as error:
        if "out of memory" not in str(error):
            raise
        outcome, message = "out of memory", str(error).split(". ")[0]
    measured = {"outcome": outcome, "message": message, "device": device(), "marks": [*watched.marks, memory()]}
    (Path(job.work) / MEASURED).write_text(json.dumps(measured))


def memory() -> dict[str, float]:
    """Bytes that the allocator holds, held and reserved at most, and that the GPU has in use; empty without one."""
    import torch

    if not torch.cuda.is_available():
        return {}
    free, total = torch.cuda.mem_get_info()
    return {
        "held": torch.cuda.memory_allocated(),
        "peak": torch.cuda.max_memory_allocated(),
        "reserved": torch.cuda.max_memory_reserved(),
        "used": total - free,
    }


def device() -> dict[str, Any]:
    """The GPU's name and memory in bytes, and the libraries' versions."""
    import torch
    import transformers
    import trl

    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__}
    if not torch.cuda.is_available():
        return {"name": "", "bytes": 0, **versions}
    about = torch.cuda.get_device_properties(0)
    return {"name": about.name, "bytes": about.total_memory, **versions}


def deterministic() -> None:
    """Have torch take deterministic algorithms alone; before CUDA is used."""
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    import torch

    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False


def base(shape: dict[str, Any], out: Path) -> None:
    """A model folder with random weights in bfloat16, and a tokenizer of whole words.

    Args:
        shape: Of a Llama, by the names of transformers' configuration.
        out: The folder.
    """
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    tokenizer = _tokenizer()
    about = LlamaConfig(
        vocab_size=VOCABULARY,
        max_position_embeddings=8192,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        **shape,
    )
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(about, dtype=torch.bfloat16)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def _tokenizer() -> Any:
    """Words ``w0``, ``w1``, ... of one token each, with ChatML."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from proseform.train.base import CHATML
    from proseform.train.tiny import SPECIAL

    names = [*SPECIAL, _UNKNOWN]
    names += [f"w{number}" for number in range(VOCABULARY - len(names))]
    raw = Tokenizer(models.WordLevel({name: place for place, name in enumerate(names)}, unk_token=_UNKNOWN))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    padding, _, end = SPECIAL
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token=padding, eos_token=end, unk_token=_UNKNOWN)
    tokenizer.chat_template = CHATML
    return tokenizer


def words(job: Watched) -> None:
    """Write the job's dataset: rows of exactly ``model.max_length`` tokens, with the longest completions.

    A policy of random weights does not end its completions, so GRPO's are as long.
    """
    run = weights.read_run(job)
    tokenizer = weights.tokenizer(job.input("base"))
    the_task = task.load(_TASK)
    case = next(iter(the_task.generate(the_task.levels[0], "train", 0, 1)))
    most = run.generation.evaluator.max_tokens
    prose = " ".join(f"w{number}" for number in range(most - 1))
    opening = replace(case, inputs=dict.fromkeys(case.inputs, "w1"), prose=prose)
    left = run.model.max_length - most - _length(tokenizer, the_task, opening)
    name = next(iter(case.inputs))
    inputs = {**opening.inputs, name: " ".join(["w1"] * (left + 1))}
    folder = job.input("dataset")
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "valid"):
        cases = [replace(opening, id=f"{split}-{number}", split=split, inputs=inputs) for number in range(_ROWS)]
        prompt = the_task.question(inputs).to_json()
        lines = [json.dumps({"id": case.id, "prompt": prompt, "completion": prose}) for case in cases]
        (folder / f"evaluator-{split}.jsonl").write_text("".join(f"{line}\n" for line in lines))
        (folder / f"cases-{split}.jsonl").write_text("".join(f"{case.to_json()}\n" for case in cases))
    read = rows.encode(tokenizer, rows.read(folder / "evaluator-train.jsonl"), "", run.model.max_length)[0]
    if {len(ids) for ids in read["input_ids"]} != {run.model.max_length}:
        raise RuntimeError(f"rows of {len(read['input_ids'][0])} tokens where {run.model.max_length} were asked for")


def _length(tokenizer: Any, the_task: Any, case: Any) -> int:
    """Tokens of a case's prompt."""
    from proseform.infer import tokens

    return len(tokens.encode(tokenizer, the_task.question(case.inputs)))


def per_step(marks: list[dict[str, float]]) -> float:
    """Mean seconds of the steps after the first, which compiles and warms up; not a number where there are none."""
    times = [mark["seconds"] for mark in marks if mark.get("step", 0) >= 1]
    return (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else math.nan


if __name__ == "__main__":
    launch.worker(main)
