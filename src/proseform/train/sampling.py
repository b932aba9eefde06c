"""What samples for GRPO: TRL's own generation, or a vLLM that gets the weights after every step.

TRL sends weights by NCCL, so each process trains on a GPU, and vLLM is installed beside the trainer whether it samples
in these processes or on a server of its own. What vLLM cannot do is said before anything is loaded.
Left out: vLLM on a CPU, which would sample from weights that never change.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from proseform import config
from proseform.config.sampling import ADDRESS
from proseform.errors import ConfigError, StageError

_IN_PROCESS = 'Set grpo.generation.engine = "in-process".'


def check(run: config.Run, *, gpus: bool, here: bool = True) -> None:
    """Refuse what cannot be on this machine.

    Args:
        run: ``grpo.generation``.
        gpus: Whether this machine shows GPUs.
        here: Whether no place gives the server's address.

    Raises:
        ConfigError: There is no GPU, no vLLM, or no address of a server.
    """
    knobs = run.grpo.generation
    if not knobs.vllm or not run.grpo.steps:
        return
    where = f'grpo.generation.engine: "{knobs.engine}"'
    if not gpus:
        raise ConfigError(f"{where} gets its weights by NCCL, from a GPU; this machine shows none.", hint=_IN_PROCESS)
    if importlib.util.find_spec("vllm") is None:
        raise ConfigError(
            f"{where} wants vLLM beside the trainer, which gets into its group by it; it is not installed here.",
            hint=f"Install a version that TRL knows (docs/signal.md). {_IN_PROCESS}",
        )
    if here and knobs.engine == "vllm-server" and not knobs.url:
        raise ConfigError(
            f"{where}: grpo.generation.url is empty.",
            hint="Start vLLM on GPUs of its own as docs/signal.md says, and state its URL.",
        )


def arguments(run: config.Run) -> dict[str, Any]:
    """What GRPOConfig is told; nothing where the trainer's own model samples."""
    knobs = run.grpo.generation
    if not knobs.vllm:
        return {}
    if knobs.engine == "vllm-server":
        where = {"vllm_mode": "server", "vllm_server_base_url": url(run), "vllm_server_timeout": float(knobs.timeout_s)}
    else:
        where = {
            "vllm_mode": "colocate",
            "vllm_gpu_memory_utilization": knobs.share,
            "vllm_tensor_parallel_size": knobs.tensor_parallel,
            "vllm_max_model_length": run.model.max_length,
        }
    return {"use_vllm": True, **where}


def url(run: config.Run) -> str:
    """The server's address: the place's if there is one, else the run's."""
    return os.environ.get(ADDRESS, "") or run.grpo.generation.url


@contextmanager
def answered(run: config.Run) -> Iterator[None]:
    """Say in words that a server does not answer while the trainer is made.

    Raises:
        StageError: It does not.
    """
    from requests import ConnectionError as Unanswered  # type: ignore[import-untyped] # TRL asks by it

    try:
        yield
    except Unanswered as error:
        raise StageError(
            f"grpo.generation: no vLLM server answers at {url(run)}, after {run.grpo.generation.timeout_s} s.",
            hint="See whether it runs and has loaded the model; at a place its pod is named like the job, with -vllm.",
        ) from error
