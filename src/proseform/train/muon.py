"""Muon for the matrices, AdamW for the rest: one optimiser, so that trainer and checkpoints see one state.

Source: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024), with the quintic
Newton-Schulz iteration and its coefficients; the update is scaled by sqrt(max(1, rows / columns)). On models of a
million parameters the iteration costs little, since matrices of one shape go through it together, and each rank takes
its share of them.
Left out: sharded parameters.
PyTorch's own Muon takes matrices only and iterates in bfloat16, which is slow on a CPU without such instructions.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
_MOMENTUM = 0.95
_EPSILON = 1e-8
_TOGETHER = 1 << 26
"""Entries of the matrices that are orthogonalised at once. The iteration holds them about six times over in fp32, here
1.6 GB: all matrices of a tiny model go together, of a large one each by itself."""


def orthogonalised(stack: torch.Tensor) -> torch.Tensor:
    """The nearest (semi-)orthogonal matrices, roughly: singular values come out between about 0.7 and 1.2.

    Args:
        stack: (matrices, rows, columns), float.
    """
    a, b, c = _COEFFICIENTS
    wide = stack.size(-2) <= stack.size(-1)
    x = stack if wide else stack.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(_ROUNDS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


def shared(stack: torch.Tensor) -> torch.Tensor:
    """The same as :func:`orthogonalised`, where every rank holds the whole stack: each makes a share of the matrices.

    Fewer matrices than ranks are not shared.

    Args:
        stack: (matrices, rows, columns), float; the same on every rank.
    """
    import torch
    from torch import distributed as dist

    ranks = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
    if len(stack) < ranks or ranks == 1:
        return orthogonalised(stack)
    size, rank = math.ceil(len(stack) / ranks), dist.get_rank()
    own = stack[rank * size : (rank + 1) * size]
    share = stack.new_zeros((size, *stack.shape[1:]))
    if len(own):
        share[: len(own)] = orthogonalised(own)
    shares = [torch.empty_like(share) for _ in range(ranks)]
    dist.all_gather(shares, share)
    return torch.cat(shares)[: len(stack)]


def optimizer(model: Any, rate: float, matrix_rate: float, beta2: float, weight_decay: float) -> torch.optim.Optimizer:
    """The optimiser of a model's trainable parameters.

    Args:
        model: Its two-dimensional parameters outside of embeddings and head are matrices; the rest is AdamW's.
        rate: AdamW's peak learning rate.
        matrix_rate: Muon's peak learning rate.
        beta2: Decay rate of AdamW's second moment.
        weight_decay: Of the matrices, decoupled.
    """
    import torch

    class Muon(torch.optim.Optimizer):
        """See the module."""

        @torch.no_grad()
        def step(self, closure: Any = None) -> None:  # noqa: ARG002 - the trainer's protocol
            """One update of every parameter that has a gradient."""
            for group in self.param_groups:
                params = [p for p in group["params"] if p.grad is not None]
                (_step_matrices if group["matrices"] else _step_rest)(params, group, self.state)

    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    matrices: list[torch.Tensor] = []
    rest: list[torch.Tensor] = []
    for name, p in model.named_parameters():
        if p.requires_grad:
            (matrices if _is_matrix(name, p) and id(p) not in embeddings else rest).append(p)
    groups = [
        {"params": matrices, "lr": matrix_rate, "weight_decay": weight_decay, "matrices": True, "betas": (0.9, beta2)},
        {"params": rest, "lr": rate, "weight_decay": 0.0, "matrices": False, "betas": (0.9, beta2)},
    ]
    return Muon([group for group in groups if group["params"]], {})


def _is_matrix(name: str, parameter: torch.Tensor) -> bool:
    """Whether a parameter maps activations to activations."""
    return parameter.dim() > 1 and "embed" not in name and "lm_head" not in name


def _step_matrices(params: list[torch.Tensor], group: dict[str, Any], state: Any) -> None:
    """Nesterov momentum, orthogonalised, for matrices of one shape together."""
    import torch

    shapes = defaultdict(list)
    for p in params:
        shapes[p.shape].append(p)
    for (rows, columns), same in shapes.items():
        scale = max(1.0, rows / columns) ** 0.5
        together = max(1, _TOGETHER // (rows * columns))
        for start in range(0, len(same), together):
            some = same[start : start + together]
            updates = []
            for p in some:
                momentum = _kept(state[p], "momentum", p)
                momentum.lerp_(p.grad, 1 - _MOMENTUM)
                updates.append(p.grad.lerp(momentum, _MOMENTUM))
            for p, update in zip(some, shared(torch.stack(updates)), strict=True):
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update, alpha=-group["lr"] * scale)


def _kept(own: dict[str, Any], name: str, p: torch.Tensor) -> torch.Tensor:
    """A parameter's state of that name, zeros to begin with."""
    if name not in own:
        own[name] = p.new_zeros(p.shape)
    kept: torch.Tensor = own[name]
    return kept


def _step_rest(params: list[torch.Tensor], group: dict[str, Any], state: Any) -> None:
    """Adam with bias correction."""
    beta1, beta2 = group["betas"]
    for p in params:
        own = state[p]
        own["step"] = own.get("step", 0) + 1
        first, second = _kept(own, "exp_avg", p), _kept(own, "exp_avg_sq", p)
        first.lerp_(p.grad, 1 - beta1)
        second.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
        spread = (second / (1 - beta2 ** own["step"])).sqrt_().add_(_EPSILON)
        p.addcdiv_(first / (1 - beta1 ** own["step"]), spread, value=-group["lr"])
