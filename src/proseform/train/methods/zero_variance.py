"""Learning from zero-variance groups: what succeeds throughout is reinforced, what fails throughout is discouraged.

Le and others, RL-ZVP (arXiv 2509.21880). A token of a group in which all succeed gets the advantage ``scale * H``, with
H its entropy at sampling, so that decisions are reinforced and formalities hardly; a token of a group in which all fail
gets ``-scale * (max H - H)``, the maximum over its own completion, so that decisions are spared. There a group
is right or wrong. Here it succeeds from :data:`proseform.train.stopping.NEAR` of the highest reward on, fails up to
:data:`~proseform.train.stopping.NEVER` of it, and in between it keeps its advantage of 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proseform.train.methods.drawn import Drawn
from proseform.train.stopping import NEAR, NEVER


def direction(group: Drawn, best: float) -> int:
    """1 for a zero-variance group that succeeds, -1 for one that fails, 0 for every other.

    Args:
        group: With at least one completion.
        best: The highest reward there is.
    """
    if group.mixed or not group.rewards:
        return 0
    earned = group.rewards[0]
    return 1 if earned >= NEAR * best else -1 if earned <= NEVER * best else 0


def shaped(advantages: Any, directions: Sequence[int], entropies: Any, mask: Any, scale: float) -> Any:
    """Advantages by token.

    Args:
        advantages: Of shape (rows,).
        directions: Of each row; see :func:`direction`.
        entropies: Of shape (rows, tokens), in nats.
        mask: The same shape, 1 for a completion's tokens.
        scale: The advantage of a nat.

    Returns:
        A tensor of shape (rows, tokens); rows of direction 0 keep their advantage.
    """
    import torch

    signs = torch.tensor(directions, device=entropies.device).unsqueeze(1)
    spread = entropies * mask
    highest = spread.max(dim=1, keepdim=True).values
    plain = advantages.unsqueeze(1).expand_as(spread)
    return torch.where(signs > 0, scale * spread, torch.where(signs < 0, -scale * (highest - spread) * mask, plain))
