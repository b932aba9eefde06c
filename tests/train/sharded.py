"""The training workers with accelerate's FSDP on a CPU, by gloo, for tests.

Accelerate shards on GPUs alone: on a CPU it passes a plug-in over. Here it is told what it tells itself on a GPU. All
else is the real thing: PyTorch's ``fully_shard``, the trainers, their checkpoints and ours.
"""

from __future__ import annotations

import sys
from typing import Any

from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType

from proseform import launch
from proseform.train import grpo, sft, sharding

_init = AcceleratorState.__init__


def _told(self: Any, *args: Any, fsdp_plugin: Any = None, **more: Any) -> None:
    """Accelerate's own, and its conclusion from a plug-in where there are GPUs."""
    _init(self, *args, fsdp_plugin=fsdp_plugin, **more)
    if fsdp_plugin is not None:
        self.__dict__.update(distributed_type=DistributedType.FSDP, fsdp_plugin=fsdp_plugin)
        PartialState._shared_state["distributed_type"] = DistributedType.FSDP


def _unchecked(*_: Any, **__: Any) -> None:
    """No GPU is here, and none is needed."""


if __name__ == "__main__":  # pytest imports every module, and is to stay as it is
    AcceleratorState.__init__ = _told  # type: ignore[method-assign]
    sharding.check = _unchecked  # type: ignore[assignment]
    work = sys.argv[sys.argv.index("--job") + 1]
    launch.worker(grpo.main if "/grpo" in work else sft.main)
