"""``[grpo.generation]``: what samples the completions of GRPO, the trainer's own model or a vLLM beside it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from proseform.config.placement import Url
from proseform.config.section import Positive, Section

ADDRESS = "PROSEFORM_GENERATION_URL"
"""The environment variable by which a job at a place knows its vLLM server."""


class Sampling(Section):
    """What samples the completions of GRPO."""

    engine: Literal["in-process", "vllm-server", "vllm-colocate"] = "in-process"
    """The trainer's own model; a vLLM server with GPUs of its own; or vLLM within the trainer's processes."""
    url: Url = ""
    """Of the vLLM server where this machine trains; at a place its address is known, and this stays empty."""
    memory_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of a GPU's memory that vLLM takes; absent: 0.9 of a server's, 0.3 where it shares the trainer's GPUs."""
    tensor_parallel: Positive = 1
    """GPUs that one copy of the model is split over; a server at a place has as many."""
    timeout_s: Positive = 1200
    """Longest wait for a server to have loaded the model, in seconds."""

    @property
    def vllm(self) -> bool:
        """Whether vLLM samples."""
        return self.engine != "in-process"

    @property
    def share(self) -> float:
        """The share of a GPU's memory in force."""
        return self.memory_share or (0.3 if self.engine == "vllm-colocate" else 0.9)

    @model_validator(mode="after")
    def _is_used(self) -> Sampling:
        """A knob of vLLM without vLLM would be passed over in silence."""
        changed = [name for name, knob in type(self).model_fields.items() if getattr(self, name) != knob.default]
        if changed and not self.vllm:
            raise ValueError(f'grpo.generation.{changed[0]}: is for vLLM, and grpo.generation.engine is "in-process"')
        if self.url and self.engine != "vllm-server":
            raise ValueError('grpo.generation.url: is for grpo.generation.engine = "vllm-server"')
        return self
