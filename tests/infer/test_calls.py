"""Prompts in which a function is called: the tokenizer's own template writes the function and the call."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proseform.errors import ConfigError, InputError, TaskError
from proseform.infer import ask, calls, controls, tokens
from proseform.input import Input
from proseform.prompt import JSON_MODE, TOOL_CALL, Prompt, Rendered
from proseform.testing import SCHEMA, toy_bundle, toy_task
from proseform.testing.untrained import CHATML, tokenizer
from proseform.train import base, rows
from tests.infer.exchange import exchange
from tests.infer.far import says

CASES = list(toy_task().generate("easy", "train", 0, 12))
CALLED = (
    "{% for tool in tools or [] %}<|im_start|>system\n<tools> {{ tool['function']['name'] }}({% for name in "
    "tool['function']['parameters']['properties'] %}{{ name }} {% endfor %}) {{ tool | tojson }} </tools>\n"
    "<|im_end|>{% endfor %}{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['tool_calls'] %}<tool_call>\n{ \"arguments\": {{ message['tool_calls'][0]['function']['arguments'] "
    "| tojson }}, \"name\": \"{{ message['tool_calls'][0]['function']['name'] }}\"}\n</tool_call> "
    "{% else %}{{ message['content'] }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Arguments before the name, blanks inside, no line end behind the system's turn: as models are published too."""
PLAIN_CALL = (
    "{% for message in messages %}{{ message['content'] or message['tool_calls'] }}{% endfor %}{{ tools | tojson }}"
)
TEMPLATES = {
    "ours": base.CHATML_TOOLS,
    "arguments first": CALLED,
    "several": {"default": CHATML, "tool_use": CALLED},
}
JSON_WORDS = "Schema:\n{schema}\nJSON only."
WORDS = [one for case in CASES for one in (case.prose, json.dumps(case.answer), json.dumps(SCHEMA))]
ODD = st.lists(
    st.sampled_from(("<|im_end|>", "<|im_", "end|>", "</tools>", "<tool_call>", "a", '"', " ", "\n")), max_size=6
)


@pytest.fixture(scope="module", params=TEMPLATES)
def template(request):
    return TEMPLATES[request.param]


@pytest.fixture(scope="module")
def both(template, tmp_path_factory):
    """A tokenizer as transformers has it, and as a bundle's folder gives it."""
    folder = tmp_path_factory.mktemp("tokenizer")
    fast = tokenizer(WORDS, 700, template)
    fast.save_pretrained(folder)
    return fast, tokens.BundleTokenizer.load(folder)


def prompted(prose: str, form: str = TOOL_CALL, schema: str = "") -> Rendered:
    """The toy's formatter in a form."""
    prompt = Prompt("chat", JSON_WORDS if form == JSON_MODE else "", "{prose}", form=form)
    return prompt.render({"prose": prose, "schema": schema or prompt.shown(toy_task().schema)})


def stated(tok, messages, **more) -> list[int]:
    """The ids that a template gives by transformers' own call."""
    return tok.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False, **more)


@pytest.mark.parametrize("case", CASES[:4], ids=lambda case: case.id)
def test_a_function_is_asked_for_token_by_token_as_the_template_does(both, case):
    fast, bundled = both
    functions = calls.function(json.loads(toy_task().schema.stated()))
    expected = stated(fast, [{"role": "user", "content": case.prose}], tools=functions)
    for tok in both:
        assert tokens.encode(tok, prompted(case.prose)) == expected
    assert calls.frame(fast, prompted("a")) == calls.frame(bundled, prompted("a"))


@pytest.mark.parametrize("case", CASES[:4], ids=lambda case: case.id)
def test_a_schema_in_the_systems_turn_is_asked_for_token_by_token_as_the_template_does(both, case):
    system = JSON_WORDS.replace("{schema}", toy_task().schema.stated())
    turns = [{"role": "system", "content": system}, {"role": "user", "content": case.prose}]
    for tok in both:
        assert tokens.encode(tok, prompted(case.prose, JSON_MODE)) == stated(both[0], turns)


@pytest.mark.parametrize("prefill", ["", '{"'])
@pytest.mark.parametrize("case", CASES[:4], ids=lambda case: case.id)
def test_a_row_is_the_conversation_that_the_template_writes(both, case, prefill):
    fast = both[0]
    called = {"type": "function", "function": {"name": calls.NAME, "arguments": case.answer}}
    turns = [{"role": "user", "content": case.prose}, {"role": "assistant", "content": "", "tool_calls": [called]}]
    functions = calls.function(json.loads(toy_task().schema.stated()))
    whole = fast.apply_chat_template(turns, tools=functions, tokenize=False)
    row = rows.Row(case.id, prompted(case.prose), json.dumps(case.answer))
    columns, _ = rows.encode(fast, [row], prefill, 4096)
    ids, labels = columns["input_ids"][0], columns["labels"][0]
    assert fast.decode(ids) == whole.rstrip("\n")
    learnt = fast.decode([one for one in labels if one != rows.IGNORED])
    frame = calls.frame(fast, row.prompt)
    assert learnt == frame.opening + json.dumps(case.answer) + frame.closing + "<|im_end|>"
    given_ids = tokens.given(fast, row.prompt, prefill)
    assert ids[: len(given_ids)] == given_ids  # what is learnt goes on where a model is asked


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(prose=ODD.map("".join), name=ODD.map("".join), about=ODD.map("".join))
def test_no_control_token_covers_a_character_of_theirs(both, prose, name, about):
    """Neither of a text nor of a caller's schema, whose texts are broken visibly where they spell one."""
    schema = {"type": "object", "properties": {f"a{name}": {"type": "string", "description": f"{about} {name}"}}}
    prose = Input.of(f"a{prose}").text
    for tok in both:
        known = controls.of(tok)

        def seen(rendered, tok=tok, known=known):
            return [known.names[one] for one in tokens.encode(tok, rendered) if one in known.names]

        assert seen(prompted(prose, schema=json.dumps(schema))) == seen(prompted("a"))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (CHATML, "leaves out the functions"),
        (PLAIN_CALL, "does not write a call's name and arguments"),
        ("{{ raise_exception('no tools') if tools }}", "no tools"),
    ],
)
def test_a_template_that_writes_no_calls_is_refused(source, words):
    with pytest.raises(ConfigError, match=words):
        tokens.given(tokenizer(WORDS, 700, source), prompted("a"))


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "other", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "answer"}</tool_call>',
        '<tool_call>{"name": "answer", "arguments": {}, "more": 1}</tool_call>',
        '<tool_call>{"name": "answer", "arguments": {}}</tool_call> and more',
        2 * '<tool_call>{"name": "answer", "arguments": {}}</tool_call>\n',
        '<tool_call>{"name": "answer", "arguments": {"a": 1, "a": 2}}</tool_call>',
        '<tool_call>{"name": "answer", "arguments": {"a": NaN}}</tool_call>',
        "<tool_call>",
        "",
    ],
)
def test_what_is_not_one_call_of_the_function_stays_what_it_is(text):
    """So the verifier refuses it."""
    assert calls.read(text) == text


@given(st.dictionaries(st.text(max_size=5), st.none() | st.text() | st.integers() | st.lists(st.booleans())))
def test_a_call_is_read_whatever_its_arguments_say(arguments):
    call = json.dumps({"name": calls.NAME, "arguments": arguments})
    assert json.loads(calls.read(f"<tool_call>\n{call}\n</tool_call> ")) == arguments


def test_a_file_states_the_form():
    prompt = Prompt.from_markdown("# form\ntool-call\n# user\n{prose}\n", "plain", "formatter.md")
    assert (prompt.style, prompt.form, prompt.placeholders) == ("chat", TOOL_CALL, {"prose", "schema"})
    own = Prompt.from_markdown("# form\njson-mode\n# system\nBy {schema}!\n# user\n{prose}\n", "plain", "f.md")
    assert own.render({"prose": "x", "schema": "{}"}).messages[0] == {"role": "system", "content": "By {}!"}
    assert Rendered.from_json(prompted("a").to_json()) == prompted("a")
    with pytest.raises(TaskError, match=r"f\.md: no form 'hermes'; there are: json-mode, tool-call"):
        Prompt.from_markdown("# form\nhermes\n# user\n{prose}\n", "plain", "f.md")
    with pytest.raises(InputError, match="needs schema"):
        prompt.render({"prose": "x"})


def asked(form: str):
    """What a bundle's formatter is asked in a form."""
    task = toy_task()
    formatter = Prompt("chat", JSON_WORDS if form == JSON_MODE else "", "{prose}", '{"', form)
    plain = toy_bundle(task)
    bundle = replace(plain, formatter=replace(plain.formatter, prompt=formatter))
    values = {"prose": "<|im_end|> 9 g", "schema": formatter.shown(task.schema)}
    return task, ask(bundle, "formatter", values, schema=task.schema.grammar)


@pytest.mark.parametrize("dialect", ["vllm", "openai"])
@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "tool_calls": [{"function": {"name": "answer", "arguments": '{"grams": 9}'}}]},
        {"content": '<tool_call>\n{"name": "answer", "arguments": {"grams": 9}}\n</tool_call>'},
        {"content": '{"grams": 9}'},
    ],
)
def test_a_server_that_takes_text_is_sent_the_function_and_its_arguments_are_the_text(dialect, message):
    task, request = asked(TOOL_CALL)
    choice = {"index": 0, "finish_reason": "tool_calls" if "tool_calls" in message else "stop", "message": message}
    outcome, sent = exchange(task, says("x", choices=[choice]), request, dialect=dialect)
    assert (outcome.text, outcome.finish, outcome.constrained) == ('{"grams": 9}', "stop", True)
    asked_for = sent[0].body
    assert asked_for["tools"][0]["function"]["parameters"] == task.schema.grammar
    assert asked_for["tool_choice"]["function"]["name"] == calls.NAME
    assert asked_for["messages"] == [{"role": "user", "content": "< |im_end|> 9 g"}]
    assert not {"response_format", "structured_outputs"} & asked_for.keys()
