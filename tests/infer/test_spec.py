"""Which engine to ask, checked before anything is loaded."""

import pytest

from proseform.errors import ConfigError
from proseform.infer.spec import EngineSpec


@pytest.mark.parametrize(
    "url", ["http://far.test", "http://far.test/", "http://far.test/v1", "http://far.test/v1/"], ids=str
)
def test_a_url_may_end_in_v1(url):
    assert EngineSpec(url).roots("formatter") == ("http://far.test",)


def test_the_evaluator_may_live_elsewhere():
    spec = EngineSpec.parse("http://far.test/v1", models="judge, writer", evaluator="https://other.test:8443/llm/v1/")
    assert spec.roots("evaluator") == ("https://other.test:8443/llm",)
    assert (spec.model("evaluator"), spec.model("formatter")) == ("judge", "writer")


def test_without_a_url_the_bundle_runs_in_this_process():
    assert EngineSpec.parse("").url == ""


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"url": "localhost:8000"}, "--engine localhost:8000"),
        ({"url": "ftp://far.test"}, "no URL of an HTTP server"),
        ({"url": "http://"}, "no URL of an HTTP server"),
        ({"url": "http://far.test:port"}, "no URL"),
        ({"url": "http://[far.test"}, "no URL"),
        ({"url": "http://far.test?key=x"}, "no '?'"),
        ({"url": "http://far.test", "evaluator_url": "nowhere"}, "--evaluator nowhere"),
        ({"evaluator_url": "http://far.test"}, "without --engine"),
        ({"key_file": "key"}, "without --engine"),
        ({"url": "http://far.test", "dialect": "klingon"}, "--dialect klingon"),
        ({"url": "http://far.test", "formatter_model": " "}, "--models"),
        ({"url": "http://far.test", "timeout_s": 0}, "timeout_s"),
        ({"url": "http://far.test", "timeout_s": float("nan")}, "timeout_s"),
        ({"url": "http://far.test", "connection_s": float("inf")}, "connection_s"),
        ({"url": "http://far.test", "attempts": 0}, "attempts"),
        ({"url": "http://far.test", "concurrency": -1}, "concurrency"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(options, named):
    with pytest.raises(ConfigError) as caught:
        EngineSpec(**options)
    assert named in str(caught.value)


@pytest.mark.parametrize("models", ["", "one", "one,two,three", "one,", ","])
def test_two_models_are_named(models):
    with pytest.raises(ConfigError, match="--models"):
        EngineSpec.parse("http://far.test", models=models)


def test_a_key_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(ConfigError) as caught:
        EngineSpec("http://me:secret@far.test")
    assert "secret" not in str(caught.value)
    assert "--key-file" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b" \n", b"two\nlines", "schlüssel".encode(), b"\xff\xfe", b"a\x00b"])
def test_a_file_that_holds_no_key_is_refused(tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigError, match="key"):
        EngineSpec("http://far.test", key_file=str(tmp_path / "key")).key()


def test_a_key_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        EngineSpec("http://far.test", key_file=str(tmp_path / "nowhere")).key()
    assert EngineSpec("http://far.test").key() == ""


def test_several_servers_of_a_role_are_replicas():
    spec = EngineSpec.parse(["http://a.test/v1", "http://b.test", "http://a.test/"], evaluator=["http://c.test"])
    assert spec.roots("formatter") == ("http://a.test", "http://b.test")
    assert spec.roots("evaluator") == ("http://c.test",)
    with pytest.raises(ConfigError, match=r"--engine b\.test"):
        EngineSpec.parse(["http://a.test", "b.test"])
