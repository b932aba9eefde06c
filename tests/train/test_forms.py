"""A formatter of each form, from cases as people have them for function calling to an answer that is verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proseform import config, digest, task
from proseform.data import new, splits
from proseform.data.forms import Columns
from proseform.infer import ask, calls, tokens
from proseform.infer.answer import Formatted, close, completed, formatted
from proseform.infer.local import LocalEngine
from proseform.launch import Job
from proseform.stages import assembly
from proseform.train import base, sft, weights
from tests.train.conftest import SMALL, merged

WORDS = ("amber", "cedar", "ember", "maple", "onyx", "raven")
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"word": {"type": "string", "maxLength": 20, "x-from": "text"}, "tree": {"type": "boolean"}},
    "required": ["word", "tree"],
}
RUN = config.Run.model_validate(
    merged(SMALL, {
        "dataset": {"train": 24, "valid": 4, "test": 4, "random_schemas": 0.0},
        "model": {"max_length": 512, "tiny": {"vocabulary": 600}},
        "sft": {"formatter": {"steps": 6, "save_every": 6}},
    })
)  # fmt: skip


def row(number: int) -> dict[str, Any]:
    """A case as a conversation in which a function is called."""
    word = WORDS[number % len(WORDS)]
    called = {"name": "file", "arguments": {"word": word, "tree": word in ("cedar", "maple")}}
    turns = {
        "system": "You may call a function. <tools>...</tools>",
        "human": f"{word} {number}",
        "gpt": f"<tool_call>\n{called}\n</tool_call>",
    }
    return {"conversations": [{"from": who, "value": text} for who, text in turns.items()]}


@pytest.mark.parametrize("form", ["json-mode", "tool-call"])
def test_trained_on_a_few_calls_it_answers_and_the_answer_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv(task.FOLDERS, str(tmp_path / "tasks"))
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "calls.jsonl").write_text("".join(json.dumps(row(number)) + "\n" for number in range(40)))
    made = new.write("calls", tmp_path / "schema.json", tmp_path / "calls.jsonl", Columns(), tmp_path / "tasks")
    plain = task.load("calls").contract
    (made.folder / "formatter.md").write_text(f'# form\n{form}\n# user\n{{prose}}\n# prefill\n{{"\n')
    the_task = task.load("calls")
    assert the_task.contract != plain  # a bundle of another form is another contract's

    data, made_base, trained = (tmp_path / name for name in ("data", "base", "formatter"))
    data.mkdir()
    splits.write(the_task, RUN.dataset, {}, data, lambda _done, _total: None)
    settings = {"task": "calls", "role": "formatter", "run": RUN.model_dump(mode="json", by_alias=True)}

    def job(stage: str, place: Path, **inputs: Path) -> Job:
        refs = {name: f"{folder}#{digest.of_files(folder)}" for name, folder in inputs.items()}
        (place / "work").mkdir(parents=True)
        return Job(stage, str(place / "work"), str(place / "out"), refs, settings)

    base.main(job("base", made_base, dataset=data))
    sft.main(job("sft-formatter", trained, dataset=data, base=made_base / "out"))
    policy = assembly.Policy(trained / "out" / weights.WEIGHTS, None)
    bundle = assembly.assemble(tmp_path / "bundle", the_task, RUN, policy, policy)
    assert bundle.document["formatter"]["prompt"]["form"] == form
    assert "form" not in bundle.document["evaluator"]["prompt"]

    engine = LocalEngine(tmp_path / "bundle")
    try:
        case = next(iter(the_task.generate(the_task.levels[0], "test", 0, 1)))
        (answer,) = formatted(engine, [case.prose], the_task.schema)
        assert isinstance(answer, Formatted)
        assert the_task.schema.fault(answer.value) is None
        assert json.loads(answer.text) == answer.value  # the call's frame is no part of it
        request = ask(bundle, "formatter", {"prose": case.prose, "schema": the_task.formatter.shown(the_task.schema)})
        (free,) = completed(engine, [request])
        assert free.text.startswith('{"')  # it goes on from the prefill, behind the beginning of the call
        tokenizer = tokens.BundleTokenizer.load(tmp_path / "bundle" / bundle.formatter.base)
        assert bool(calls.frame(tokenizer, request.prompt).closing) == (form == "tool-call")
    finally:
        close(engine)
