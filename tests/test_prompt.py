"""Prompts: values go in as they are, and never become templates."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.errors import InputError, RowError, TaskError
from proseform.input import Input
from proseform.prompt import Prompt, Rendered, Segment

TEXT = '# system\nJudge.\n\n# user\nCV: {cv}\nJob: {job}\n\n# prefill\n{"\n'


def test_a_file_is_read_into_its_sections():
    prompt = Prompt.from_markdown(TEXT, "chat", "evaluator.md")
    assert (prompt.system, prompt.user, prompt.prefill) == ("Judge.", "CV: {cv}\nJob: {job}", '{"')
    assert prompt.placeholders == {"cv", "job"}


@pytest.mark.parametrize(
    "text", ["", "CV: {cv}", "# system\nJudge.\n", "# user\n\n# prefill\n{", "## user\n{cv}\n", "# User\n{cv}\n"]
)
def test_a_file_without_a_user_section_is_refused(text):
    with pytest.raises(TaskError, match=r"evaluator\.md: no '# user' section"):
        Prompt.from_markdown(text, "chat", "evaluator.md")


@given(st.text(), st.text())
def test_values_are_inserted_as_they_are(cv, job):
    """Braces, back-references and placeholders within a value stay text: a CV is no template."""
    rendered = Prompt.from_markdown(TEXT, "chat", "x").render({"cv": cv, "job": job})
    assert rendered.messages[-1]["content"] == "CV: " + Input.of(cv).text + "\nJob: " + Input.of(job).text
    assert "".join(rendered.theirs) == Input.of(cv).text + Input.of(job).text


@pytest.mark.parametrize("hostile", ["{job}", r"\1 \g<0>", "{0}", "{cv}{job}", "%s $job {{job}}"])
def test_a_value_that_looks_like_a_template_stays_text(hostile):
    assert hostile in Prompt("chat", "", "{cv}").render({"cv": hostile}).text


def test_a_chat_has_messages_and_plain_text_has_none():
    assert Prompt("chat", "S", "{a}").render({"a": "x"}).messages == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "x"},
    ]
    assert Prompt("chat", "", "{a}").render({"a": "x"}).messages == [{"role": "user", "content": "x"}]
    assert Prompt("plain", "S", "{a}").render({"a": "x"}).text == "S\nx\n"
    assert Prompt("plain", "", "{a}").render({"a": "x"}).text == "x\n"


def test_a_placeholder_without_a_value_is_named_and_a_value_too_many_is_not_in_the_way():
    prompt = Prompt("plain", "", "{cv} {job}")
    with pytest.raises(InputError, match=r"needs job\. Given: cv"):
        prompt.render({"cv": "x"})
    assert prompt.render({"cv": "x", "job": "y", "more": "z"}).text == "x y\n"


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"]))


@given(st.sampled_from(["chat", "plain"]), TEXTS, TEXTS, TEXTS)
def test_a_rendered_prompt_survives_a_dataset_row(style, system, cv, job):
    rendered = Prompt(style, system, "CV: {cv}\nJob: {job}").render({"cv": cv, "job": job})
    assert Rendered.from_json(json.loads(json.dumps(rendered.to_json()))) == rendered


def test_rows_without_segments_are_ours():
    """Datasets of others hold strings and messages."""
    assert Rendered.from_json("Say:").turns[0].segments == (Segment("Say:"),)
    chat = Rendered.from_json([{"role": "user", "content": "x"}])
    assert (chat.style, chat.messages, chat.theirs) == ("chat", [{"role": "user", "content": "x"}], ())


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        {},
        [],
        [3],
        [["a", "b"]],  # a piece of theirs is one string
        [[]],
        ["a", {"role": "user", "content": "x"}],  # half plain, half chat
        [{"content": "x"}],
        [{"role": "", "content": "x"}],
        [{"role": "user"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": [["a"], 3]}],
    ],
)
def test_what_is_no_prompt_is_refused(value):
    with pytest.raises(RowError, match="row 3, field 'prompt'"):
        Rendered.from_json(value, "row 3, field 'prompt'")


def test_text_of_ours_can_follow():
    rendered = Prompt("chat", "S", "{a}").render({"a": "x"})
    assert rendered.with_ours("\ny").messages[-1] == {"role": "user", "content": "x\ny"}
    assert rendered.with_ours("\ny").theirs == ("x",)
