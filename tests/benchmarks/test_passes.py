"""What drafts save: the ways write the same, and where rounding parts them the distance of the two tokens is told."""

import math

import pytest
import torch

from benchmarks import passes
from proseform import task as tasks
from proseform import testing
from proseform.infer import loading
from proseform.infer.decode import Row
from proseform.infer.role_model import RoleModel


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return testing.random_bundle(tmp_path_factory.mktemp("bundle"), testing.toy_task())


def row(ids, finish="stop"):
    made = Row([5, 6, 7], 9)
    made.ids, made.finish = ids, finish
    return made


def test_the_distance_is_that_of_the_first_tokens_that_differ(bundle):
    model = RoleModel.of(*loading.load_model(bundle / "evaluator", device="cpu"))
    with torch.no_grad():
        logits = model.model(input_ids=torch.tensor([[5, 6, 7, 9]])).logits[0, -1]
    end = float(logits[sorted(model.stop)].max())
    due = abs(float(logits[11] - logits[12])) / max(abs(float(logits[11])), abs(float(logits[12])))
    assert passes.gap(model, row([9, 11, 4]), row([9, 12])) == pytest.approx(due)
    assert passes.gap(model, row([9]), row([9, 12])) == pytest.approx(
        abs(end - float(logits[12])) / max(abs(end), abs(float(logits[12])))
    )
    assert math.isinf(passes.gap(model, row([9], "length"), row([9, 12], "length"))), "no model chose to end there"


def test_a_bundle_is_measured_and_more_than_rounding_ends_with_1(bundle, monkeypatch, capsys):
    monkeypatch.setattr(tasks, "load", lambda _: testing.toy_task())
    passes.main(bundle, cases=3, batches="2", roles="formatter")
    rows = [
        line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if any(w in line for w in passes.WAYS)
    ]
    assert [one[0].strip() for one in rows] == [*passes.WAYS]
    assert {one[7].strip() for one in rows} == {"0"}
    assert int(rows[1][1]) < int(rows[0][1]), "random models write what is forced too"
    monkeypatch.setattr(passes, "compare", lambda *_: ({way: passes.Cost(1, 1, 1, 0, [0.5]) for way in passes.WAYS}, 1))
    with pytest.raises(SystemExit) as ended:
        passes.main(bundle, cases=3, batches="2", roles="formatter")
    assert ended.value.code == 1
