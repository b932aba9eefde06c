"""The configuration: every knob once, each with one sentence, from which help and docs are derived.

Two kinds of file, both TOML. A run says what is trained, measured and promoted; ``runs/`` holds the shipped ones
(``small``, ``smollm2``, ``default``). A place says where and how that runs on a Kubernetes, and changes no result;
``places/`` holds the shipped ones (``default``). Either may begin with ``extends = "default"`` and then states only
what differs. Every knob is defined once, in the module of its section, with its sentence.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from proseform import digest
from proseform.config.dataset import Dataset
from proseform.config.files import Files
from proseform.config.knobs import knobs
from proseform.config.place import EvaluateEngine, EvaluateJob, GenerationJob, Images, Jobs, Place, Steps
from proseform.config.placement import Environment, Placed, Toleration
from proseform.config.release import Abstention, Check, Evaluate, Gate, Probe, Promote, Register
from proseform.config.sampling import Sampling
from proseform.config.section import Section, Word
from proseform.config.serving import Engine, Scaling, Serving, Transformer
from proseform.config.signal import Curriculum, Form, Gold, Replay, Resample, Rounds, Signal, Skip, ZeroVariance
from proseform.config.training import (
    Completions,
    Formatter,
    Generation,
    Grpo,
    Kind,
    Launch,
    Lora,
    Model,
    Sft,
    SftRoles,
    Tiny,
    Training,
)

__all__ = [
    "PLACES",
    "RUNS",
    "Abstention",
    "Check",
    "Completions",
    "Curriculum",
    "Dataset",
    "Engine",
    "Environment",
    "Evaluate",
    "EvaluateEngine",
    "EvaluateJob",
    "Files",
    "Form",
    "Formatter",
    "Gate",
    "Generation",
    "GenerationJob",
    "Gold",
    "Grpo",
    "Images",
    "Jobs",
    "Kind",
    "Launch",
    "Lora",
    "Model",
    "Place",
    "Placed",
    "Probe",
    "Promote",
    "Register",
    "Replay",
    "Resample",
    "Rounds",
    "Run",
    "Sampling",
    "Scaling",
    "Section",
    "Serving",
    "Sft",
    "SftRoles",
    "Signal",
    "Skip",
    "Steps",
    "Tiny",
    "Toleration",
    "Training",
    "Transformer",
    "ZeroVariance",
    "knobs",
    "load",
    "parse",
    "shipped",
    "toml",
]


_MOVED = {
    "cluster": "The place is a file of its own: move these tables there without the leading 'cluster.', "
    "and give it by --place FILE.",
    "grpo.max_tokens": "It is generation.evaluator.max_tokens now.",
    "evaluate.evaluator_tokens": "It is generation.evaluator.max_tokens now.",
    "evaluate.formatter_tokens": "It is generation.formatter.max_tokens now.",
}
"""Keys of earlier versions, each with what to write instead."""


class Run(Section):
    """A run: what is trained, measured and promoted."""

    name: Annotated[Word, Field(min_length=1)]
    """The run's name."""
    description: str = ""
    """One sentence for people."""
    model: Model = Model()
    formatter: Formatter = Formatter()
    dataset: Dataset = Dataset()
    sft: SftRoles = SftRoles()
    grpo: Grpo = Grpo()
    generation: Generation = Generation()
    evaluate: Evaluate = Evaluate()
    abstention: Abstention = Abstention()
    register_: Register = Field(default=Register(), alias="register")
    gate: Gate = Gate()
    promote: Promote = Promote()
    probe: Probe = Probe()
    launch: Launch = Launch()

    @model_validator(mode="after")
    def _fits(self) -> Run:
        """The rows of an optimiser step divide among the processes, and a completion leaves room for its prompt."""
        batches = {
            "sft.evaluator.batch": self.sft.evaluator.batch,
            "sft.formatter.batch": self.sft.formatter.batch,
            "grpo.prompts": self.grpo.prompts * self.grpo.generations,
        }
        for name, batch in batches.items():
            if batch % self.launch.processes:
                raise ValueError(
                    f"{name}: {batch} rows do not divide among the {self.launch.processes} processes of "
                    "launch.processes"
                )
        for role in ("evaluator", "formatter"):
            longest = getattr(self.generation, role).max_tokens
            if longest >= self.model.max_length:
                raise ValueError(
                    f"generation.{role}.max_tokens: {longest} tokens leave no prompt in the {self.model.max_length} of "
                    "model.max_length"
                )
        return self

    @model_validator(mode="after")
    def _can_be_shared(self) -> Run:
        """What cannot be divided among processes."""
        sharding = self.launch.sharding
        if sharding == "none":
            return self
        if self.launch.processes == 1:
            raise ValueError(f'launch.sharding: "{sharding}" is for several processes; launch.processes is 1')
        if self.model.quantize != "none":
            raise ValueError(f'launch.sharding: "{sharding}" divides whole weights; model.quantize is set')
        if sharding == "fsdp" and self.formatter.kind == "seq2seq":
            # torch refuses a parameter that two FSDP groups see, and accelerate puts these embeddings into two
            raise ValueError(
                'formatter.kind: encoder and decoder of a "seq2seq" share their embeddings, which "fsdp" of '
                'launch.sharding cannot divide; "zero2" and "zero3" can'
            )
        stages = {"sft.evaluator": self.sft.evaluator, "sft.formatter": self.sft.formatter, "grpo": self.grpo}
        for name, trained in stages.items():
            if trained.optimizer == "muon":
                raise ValueError(f'{name}.optimizer: "muon" needs whole matrices; launch.sharding is "{sharding}"')
        return self

    @model_validator(mode="after")
    def _can_be_sampled(self) -> Run:
        """What vLLM cannot do for this run, whatever the machine."""
        engine, processes = self.grpo.generation, self.launch.processes
        if not engine.vllm:
            return self
        where = f'grpo.generation.engine: "{engine.engine}"'
        if self.launch.device == "cpu":
            raise ValueError(f'{where} gets its weights by NCCL, from a GPU; launch.device is "cpu"')
        if self.model.quantize != "none":
            raise ValueError(f'{where} gets whole weights; model.quantize is "{self.model.quantize}"')
        if engine.engine == "vllm-colocate" and processes % engine.tensor_parallel:
            raise ValueError(
                f"grpo.generation.tensor_parallel: the {processes} processes of launch.processes do not divide into "
                f"groups of {engine.tensor_parallel}"
            )
        return self

    @property
    def digest(self) -> str:
        """The digest of the resolved run."""
        return digest.of_json(self.model_dump(mode="json", by_alias=True))


RUNS = Files(Run, "run", "proseform.runs", _MOVED)
PLACES = Files(Place, "place", "proseform.places")

shipped, load, parse, toml = RUNS.shipped, RUNS.load, RUNS.parse, RUNS.portable
"""The functions of :data:`RUNS`, which most of the code reads."""
