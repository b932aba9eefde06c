"""One bundle of random weights, made and loaded once."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proseform import testing
from proseform.infer import http
from proseform.infer.resilience.backoff import Backoff
from proseform.task import Task

if TYPE_CHECKING:
    from proseform.infer.grammars.constrain import Constraints

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine by URL hardly pauses between attempts."""
    monkeypatch.setattr(http, "BACKOFF", Backoff(0.001, 0.001))


@pytest.fixture(scope="session")
def task() -> Task:
    return testing.toy_task()


@pytest.fixture(scope="session")
def folder(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return testing.random_bundle(tmp_path_factory.mktemp("bundle"), task)


@pytest.fixture(scope="module")
def model(folder: Path) -> tuple[Any, Any, "Constraints"]:
    """The formatter's model, its tokenizer, and what constrains it."""
    import torch

    from proseform.infer import loading
    from proseform.infer.grammars.constrain import Constraints

    loaded, words = loading.load_model(folder / "formatter")
    torch.set_num_threads(1)
    return loaded, words, Constraints(words, [words.eos_token_id], loaded.get_output_embeddings().weight.shape[0])


@pytest.fixture(scope="session")
def engine(folder: Path) -> Iterator[object]:
    from proseform.infer.answer import close
    from proseform.infer.local import LocalEngine

    loaded = LocalEngine(folder)
    yield loaded
    close(loaded)
