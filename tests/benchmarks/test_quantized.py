"""Weights of 8 bits: which layers change, by how much, and that both ways are asked the same."""

import pytest
import torch

from benchmarks import quantized
from proseform import task as tasks
from proseform import testing
from proseform.infer import loading


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return testing.random_bundle(tmp_path_factory.mktemp("bundle"), testing.toy_task())


def test_linear_layers_are_changed_a_little_and_the_head_is_not(bundle):
    model, _ = loading.load_model(bundle / "evaluator", device="cpu")
    changed = quantized.quantised(model)
    kinds = {type(module) for module in changed.base_model.modules()}
    assert torch.nn.Linear not in kinds
    assert torch.ao.nn.quantized.dynamic.Linear in kinds
    assert torch.equal(changed.get_output_embeddings().weight, model.get_output_embeddings().weight)
    assert any(isinstance(module, torch.nn.Linear) for module in model.base_model.modules()), "a copy is changed"
    ids = torch.arange(5, 45)[None]
    with torch.no_grad():
        before, after = (one(input_ids=ids).logits for one in (model, changed))
    off = (after - before).norm() / before.norm()
    assert 0 < off < 0.2


def test_both_ways_are_asked_about_the_same_cases_and_the_same_models_give_the_same(bundle, monkeypatch, capsys):
    """Random models answer nothing right; with nothing quantised both rows are one."""
    task = testing.toy_task()
    monkeypatch.setattr(tasks, "load", lambda _: task)
    monkeypatch.setattr(quantized, "quantised", lambda model: model)
    quantized.main(bundle, cases=3, batch=2)
    rows = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if "bits" in line or "as it" in line]
    (one, *first), (other, *second) = rows
    assert (one.strip(), other.strip()) == quantized.WAYS
    assert first[:-1] == second[:-1]
    assert first[4].strip().startswith("1.000")
