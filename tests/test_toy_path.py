"""The whole way in one test: data, both roles, GRPO, a report, and a valid answer by the bundle that was measured.

The models learn nothing in six steps, but every stage runs, with real trainers and real workers,
which are forked from one warm process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proseform import config, task, warm
from proseform.infer.answer import answer
from proseform.infer.local import LocalEngine
from proseform.stages import cache, dataset, evaluate, grpo, policy, sft

RUN = str(Path(__file__).parent / "runs" / "micro.toml")


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home of its own, and a warm process that ends with this one."""
    root = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROSEFORM_HOME", str(root))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv(warm.SOCKET, str(root / "warm"))
        server = subprocess.Popen([sys.executable, "-m", "proseform.warm", str(root / "warm"), *warm.MODULES])
        yield
        server.kill()
        server.wait()


def test_from_data_to_a_valid_answer() -> None:
    data, imitator, evaluator, formatter, report = (cache.Slot() for _ in range(5))
    dataset.run("cv", RUN, data)
    sft.run("cv", RUN, "evaluator", data, imitator)
    sft.run("cv", RUN, "formatter", data, formatter)
    grpo.run("cv", RUN, data, imitator, evaluator)
    evaluate.run("cv", RUN, data, imitator, evaluator, formatter, report)
    figures = json.loads((cache.folder(report) / "report.json").read_text())["figures"]
    assert figures["schema_valid"]["value"] == 1.0

    cv, run = task.load("cv"), config.load(RUN)
    folder = cache.home().root / "bundle"
    bundle = policy.assemble(folder, cv, run, policy.of(evaluator), policy.of(formatter))
    assert json.loads((cache.folder(report) / "report.json").read_text())["meta"]["digests"]["bundle"] == bundle.digest
    result = answer(LocalEngine(folder), cv, dict(cv.gold[0].inputs))
    assert result.bundle == bundle.digest
    assert bundle.compiled().fault(result.value) is None
