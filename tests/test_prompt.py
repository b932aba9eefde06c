"""Prompts: values go in as they are, and never become templates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform.errors import InputError, TaskError
from proseform.prompt import Prompt

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
    user = Prompt.from_markdown(TEXT, "chat", "x").render({"cv": cv, "job": job})[-1]["content"]
    assert user == "CV: " + cv + "\nJob: " + job


@pytest.mark.parametrize("hostile", ["{job}", r"\1 \g<0>", "{0}", "{cv}{job}", "%s $job {{job}}"])
def test_a_value_that_looks_like_a_template_stays_text(hostile):
    assert hostile in Prompt("chat", "", "{cv}").render({"cv": hostile})[0]["content"]


def test_a_chat_has_messages_and_plain_text_has_none():
    assert Prompt("chat", "S", "{a}").render({"a": "x"}) == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "x"},
    ]
    assert Prompt("chat", "", "{a}").render({"a": "x"}) == [{"role": "user", "content": "x"}]
    assert Prompt("plain", "S", "{a}").render({"a": "x"}) == "S\nx\n"
    assert Prompt("plain", "", "{a}").render({"a": "x"}) == "x\n"


def test_a_placeholder_without_a_value_is_named_and_a_value_too_many_is_not_in_the_way():
    prompt = Prompt("plain", "", "{cv} {job}")
    with pytest.raises(InputError, match=r"wants job\. Given: cv"):
        prompt.render({"cv": "x"})
    assert prompt.render({"cv": "x", "job": "y", "more": "z"}) == "x y\n"
