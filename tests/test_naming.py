"""People's names reach folders, URLs, MLflow and Kubernetes: refused at once, or mapped without collisions."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proseform import config, naming, testing
from proseform import task as tasks
from proseform.errors import ConfigError
from proseform.kube import services, traffic
from proseform.stages import preflight
from tests.kube.schemas import faults

RFC_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?")
PATH = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+")
"""The Gateway API's own rule for the value of a path."""
TEXTS = st.text(max_size=90) | st.text(alphabet="abzAZ019._- /", max_size=90)


@given(TEXTS)
@example("My_Team CV")
@example("team/cv")
@example("cover_letter")
@example("a" * 63 + "-")
@example("é" * 70)
@example("\ud800")
def test_whatever_is_mapped_is_a_name_that_kubernetes_takes(text):
    assert len(naming.label(text)) <= 63
    assert LABEL.fullmatch(naming.label(text))
    for longest in (63, 23):
        assert len(naming.dns(text, longest)) <= longest
        assert RFC_1123.fullmatch(naming.dns(text, longest))


@given(TEXTS, TEXTS)
@example("cover_letter", "cover-letter")
@example("CV", "cv")
@example("a" * 64, "a" * 65)
@example("run-" + "x" * 60 + "-1", "run-" + "x" * 60 + "-2")
def test_two_names_never_become_one(one, other):
    if one != other:
        assert naming.label(one) != naming.label(other)
        assert naming.dns(one, 23) != naming.dns(other, 23)


@given(st.from_regex(r"[A-Za-z0-9._-]{1,63}", fullmatch=True))
def test_a_word_is_a_label_and_a_path_and_a_name_in_mlflow(word):
    """A name that passes here passes MLflow's own check too."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.validation import _validate_model_name

    if naming.fault(word):
        return
    assert naming.label(word) == word
    assert PATH.fullmatch(f"/v1/models/{word}:predict")
    try:
        _validate_model_name(word)
    except MlflowException as error:  # told with the word, where hypothesis would show the library's frames alone
        pytest.fail(f"{word}: {error}")


@pytest.mark.parametrize(
    "text", ["team/cv", "My_Team CV", "a:b", "..", ".", "-a", "a_", "", "a\n", "a" * 64, "naïve", "cv\0"]
)
def test_what_is_no_name_is_told_with_what_is(text):
    assert "name" in naming.fault(text)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("extends = 'small'\nname = 'My_Team CV'\n", "run: name: 'My_Team CV' is no name"),
        ("extends = 'small'\nname = '../x'\n", "run: name: '../x' is no name"),
        ("extends = 'small'\nname = ''\n", "run: name: "),
        ("extends = 'small'\n[register]\nname = 'team/cv'\n", "run: register.name: 'team/cv' is no name"),
    ],
)
def test_a_run_with_a_name_that_cannot_travel_is_refused_when_it_is_read(run, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        config.load(run)


def test_names_from_elsewhere_are_refused_before_anything_starts(monkeypatch):
    run = 'extends = "small"\n[dataset]\ntrain = 16\n'
    with pytest.raises(ConfigError, match="--name: 'team/cv' is no name"):
        preflight.check("cv", run, name="team/cv")
    monkeypatch.setenv("PROSEFORM_RUN", "../elsewhere")
    with pytest.raises(ConfigError, match=r"PROSEFORM_RUN: '\.\./elsewhere' is no name"):
        preflight.check("cv", run)


def test_a_task_whose_name_cannot_travel_is_refused_before_anything_starts(monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr(tasks, "load", lambda _: replace(testing.toy_task(), name="team/cv"))
    with pytest.raises(ConfigError, match=r"task\.toml: name: 'team/cv' is no name"):
        preflight.check("team/cv", "name = 'x'\n[model]\nsource = 'tiny'\n")


@pytest.mark.parametrize("task", ["cover_letter", "CV", "a" * 63, "a.b_c"])
def test_the_objects_of_a_task_have_names_of_kubernetes_whatever_it_is_called(task):
    called = services.name(task, "123456")
    assert RFC_1123.fullmatch(f"{called}-formatter-transformer")
    assert len(f"{called}-formatter-transformer") <= 63
    assert all(LABEL.fullmatch(value) for value in services.labels(task, "12").values())
    route = traffic.route(task, f"proseform-{task}", {"1": called}, {"1": 100}, config.Place())
    assert faults(route) == []
    assert RFC_1123.fullmatch(route["metadata"]["name"])
    assert all(PATH.fullmatch(match["path"]["value"]) for match in route["spec"]["rules"][0]["matches"])
