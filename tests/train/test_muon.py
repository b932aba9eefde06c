"""The optimiser of the tiny models."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from proseform.train import muon  # noqa: E402


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 8), (2, 8, 24)])
def test_updates_come_out_nearly_orthogonal(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    singular = torch.linalg.svdvals(muon.orthogonalised(torch.randn(shape)))
    assert singular.min() > 0.3
    assert singular.max() < 1.3


def test_large_matrices_go_one_by_one_and_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held in one step is then a matrix's, and not all matrices'."""

    def train() -> dict:
        torch.manual_seed(0)
        model = torch.nn.Sequential(*(torch.nn.Linear(8, 8) for _ in range(5)))
        optimizer = muon.optimizer(model, 1e-2, 1e-2, 0.98, 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(2, 8)).pow(2).sum().backward()
            optimizer.step()
        return model.state_dict()

    seen: list[int] = []
    iteration = muon.orthogonalised
    monkeypatch.setattr(muon, "orthogonalised", lambda stack: seen.append(len(stack)) or iteration(stack))
    together = train()
    assert seen == [5, 5, 5]
    monkeypatch.setattr(muon, "_TOGETHER", 2 * 64)
    apart = train()
    assert seen[3:] == [2, 2, 1] * 3
    for name, weight in together.items():
        assert torch.allclose(weight, apart[name], atol=1e-6), name


def test_it_learns_and_its_state_travels() -> None:
    """Two steps, state saved and loaded, two more: the same weights as four steps in one go."""

    def train(steps: int, start: dict | None = None) -> tuple[dict, dict, float]:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 1))
        optimizer = muon.optimizer(model, 1e-2, 1e-2, 0.98, 0.0)
        if start:
            model.load_state_dict(start["model"])
            optimizer.load_state_dict(start["optimizer"])
        x = torch.randn(16, 4, generator=torch.Generator().manual_seed(1))
        for _ in range(steps):
            optimizer.zero_grad()
            loss = ((model(x) - x.sum(dim=1, keepdim=True)) ** 2).mean()
            loss.backward()
            optimizer.step()
        return model.state_dict(), optimizer.state_dict(), float(loss)

    weights, state, first = train(2)
    resumed, _, _ = train(2, {"model": weights, "optimizer": state})
    whole, _, _ = train(4)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert train(60)[2] < first


@pytest.mark.parametrize(("matrices", "ranks"), [(8, 2), (4, 3), (1, 2)])
def test_ranks_share_the_work_and_hold_the_same_update(tmp_path: Path, matrices: int, ranks: int) -> None:
    """Also where the matrices do not divide, where the last rank has none, and where there are fewer than ranks."""
    torch.manual_seed(0)
    stack = torch.randn(matrices, 16, 8)
    share = partial(_share, ranks=ranks, store=tmp_path / "store", stack=stack)
    with ProcessPoolExecutor(ranks, multiprocessing.get_context("fork")) as workers:  # one that fails says why
        updates = [torch.tensor(update) for update in workers.map(share, range(ranks))]
    assert all(torch.equal(update, updates[0]) for update in updates)
    torch.testing.assert_close(updates[0], muon.orthogonalised(stack))


def _share(rank: int, *, ranks: int, store: Path, stack: Any) -> Any:
    """Be one rank, which leaves once all have come: one that has no matrix to wait for would be gone before."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=ranks)
    update = muon.shared(stack).tolist()
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    return update
