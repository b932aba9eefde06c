"""What two scrapes say together, and a running server in a terminal."""

import io
import json
import re
import socket
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from rich.console import Console
from typer.testing import CliRunner

from proseform import cli, display
from proseform.errors import EngineError, InputError
from proseform.serve import metrics, scrape
from proseform.serve.scrape import Scrape, Window, figures
from tests.serve.light import INPUTS, light, post

NAMED = [one for one in vars(metrics).values() if isinstance(one, Counter | Gauge | Histogram)]
ONE, TWO = "sha256:1111111aaa", "sha256:2222222bbb"


class Server:
    """Metrics of a server of its own, by the names of the real one."""

    def __init__(self, started=1000.0):
        self._registry = CollectorRegistry()
        self.of = {}
        for one in NAMED:
            more = {"buckets": one._kwargs["buckets"]} if isinstance(one, Histogram) else {}
            self.of[one._name] = type(one)(one._name, "x", one._labelnames, registry=self._registry, **more)
        Gauge("process_start_time_seconds", "x", registry=self._registry).set(started)

    def labels(self, name, *labels):
        return self.of[f"proseform_{name}"].labels(*labels)

    def scraped(self, at):
        return Scrape.parsed(generate_latest(self._registry).decode(), at)


@pytest.fixture
def server():
    one = Server()
    one.labels("answers", "cv", ONE, "proseform").inc(30)
    one.labels("refusals", "cv", ONE, "openai", "ungrounded").inc(6)
    one.labels("refusals", "cv", "", "v1", "input").inc(4)
    one.labels("engine_calls", "formatter", "a:1", "first", "ok").inc(40)
    one.labels("breaker_state", "formatter", "a:1").set(0)
    one.labels("breaker_state", "evaluator", "b:2").set(2)
    return one


def test_without_an_earlier_scrape_all_is_counted_from_the_start(server):
    shown = figures(Window(server.scraped(1100.0)))
    assert (shown["since_start"], shown["seconds"], shown["cases_s"]) == (True, 100.0, 0.4)
    assert shown["outcomes"] == [
        {"outcome": "answered", "cases": 30, "per_s": 0.3, "share": 0.75},
        {"outcome": "ungrounded", "cases": 6, "per_s": 0.06, "share": 0.15},
        {"outcome": "input", "cases": 4, "per_s": 0.04, "share": 0.1},
    ]
    assert shown["bundles"] == [
        {"bundle": "", "answers": 0, "refusals": 4},
        {"bundle": ONE, "answers": 30, "refusals": 6},
    ]
    assert [(row["role"], row["backend"], row["breaker"], row["ok"]) for row in shown["engines"]] == [
        ("evaluator", "b:2", "open", None),
        ("formatter", "a:1", "closed", 1.0),
    ]


def test_between_two_scrapes_only_what_rose_counts(server):
    before = server.scraped(1100.0)
    server.labels("answers", "cv", TWO, "proseform").inc(5)
    server.labels("engine_calls", "formatter", "a:1", "retry", "timeout").inc(2)
    server.labels("texts", "formatter", "yes").inc(3)
    server.labels("texts", "formatter", "no").inc(1)
    server.labels("tokens", "formatter", "generated").inc(500)
    server.labels("tokens", "formatter", "prompt").inc(9000)
    server.labels("prose_cache", "hit").inc(1)
    server.labels("prose_cache", "miss").inc(4)
    server.labels("prose_cache", "stored").inc(4)
    server.labels("queue_depth", "interactive").set(7)
    server.of["proseform_in_flight"].set(2)
    shown = figures(Window.between(before, server.scraped(1110.0)))
    assert (shown["since_start"], shown["seconds"], shown["cases_s"]) == (False, 10.0, 0.5)
    assert shown["outcomes"] == [{"outcome": "answered", "cases": 5, "per_s": 0.5, "share": 1.0}]
    assert {row["bundle"]: row["answers"] for row in shown["bundles"]} == {"": 0, ONE: 0, TWO: 5}
    (called,) = [row for row in shown["engines"] if row["ended"]]
    assert (called["ended"], called["calls_s"], called["ok"]) == ({"timeout": 2}, 0.2, 0.0)
    assert (shown["accepted"], shown["tokens_s"]) == ({"formatter": 0.75}, {"formatter": 50.0})
    assert shown["prose_kept"] == {"lookups": 5, "hits": 1, "share": 0.2}
    assert (shown["queue"], shown["in_flight"]) == ({"interactive": 7}, 2)


def test_a_server_that_was_started_anew_is_counted_from_its_start(server):
    before = server.scraped(1100.0)
    anew = Server(1105.0)
    anew.labels("answers", "cv", ONE, "proseform").inc(2)
    shown = figures(Window.between(before, anew.scraped(1110.0)))
    assert (shown["since_start"], shown["seconds"], shown["cases_s"]) == (True, 5.0, 0.4)


def test_quantiles_are_those_that_prometheus_would_give():
    server = Server()
    seconds = server.labels("answer_seconds", "cv")
    empty = server.scraped(1100.0)
    for value in [0.02] * 50 + [0.3] * 49 + [500.0]:
        seconds.observe(value)
    window = Window.between(empty, server.scraped(1110.0))
    assert window.quantile("proseform_answer_seconds", 0.25) == pytest.approx(0.01 + 0.015 * 25 / 50)
    assert window.quantile("proseform_answer_seconds", 0.99) == pytest.approx(0.5)
    assert window.quantile("proseform_answer_seconds", 1.0) == 120, "the highest bound, of what lies beyond"
    assert Window.between(empty, empty).quantile("proseform_answer_seconds", 0.5) is None


def test_stages_have_latencies_of_their_own():
    server = Server()
    server.labels("stage_seconds", "cv", "evaluator").observe(2.0)
    server.labels("stage_seconds", "cv", "formatter").observe(0.02)
    server.labels("queue_seconds", "batch").observe(0.02)
    rows = {row["stage"]: row for row in figures(Window(server.scraped(1100.0)))["latency"]}
    assert list(rows) == ["queue", "evaluator", "formatter"]
    assert 1 < rows["evaluator"]["p50_s"] < 2.5
    assert 0.01 < rows["formatter"]["p99_s"] < 0.025


def test_every_name_that_is_asked_for_is_one_that_servers_give():
    for one in NAMED:
        if one._labelnames:
            one.labels(*one._labelnames)
    known = set(re.findall(r"^(proseform_\w+)", generate_latest().decode(), re.MULTILINE))
    asked = set(re.findall(r'"(proseform_\w+)"', Path(scrape.__file__).read_text()))
    bases = {re.sub("_(bucket|count|sum)$", "", name) for name in known}
    assert asked
    assert asked <= known | bases


@pytest.mark.parametrize("text", ["up 1\n", "", "a b c d\n"], ids=["another's", "nothing", "no metrics"])
def test_what_is_no_server_of_ours_is_refused(text):
    with pytest.raises(InputError):
        Scrape.parsed(text, 0.0)


def shown(*arguments):
    return CliRunner().invoke(cli.app, ["top", *arguments])


def test_a_running_server_is_shown_once_and_as_json():
    with light() as one:
        line = one.line()
        for _ in range(3):
            assert post(line, "/v1/tasks/toy/answer", {"inputs": INPUTS})[0] == 200
        assert post(line, "/v1/tasks/toy/answer", {"inputs": {}})[0] == 422
        url = f"http://127.0.0.1:{one.port}"
        text, data = shown(url), json.loads(shown(url + "/metrics", "--json").output)
    assert text.exit_code == 0
    for word in ("answered", "input", "evaluator", "formatter", "p99", one.engine.bundle.digest.partition(":")[2][:7]):
        assert word in text.output, word
    outcomes = {row["outcome"]: row["cases"] for row in data["outcomes"]}
    assert outcomes["answered"] >= 3
    assert outcomes["input"] >= 1
    assert data["since_start"]
    assert data["seconds"] > 0


def test_nothing_that_listens_is_said_in_words():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        result = shown(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert isinstance(result.exception, EngineError)
    assert "No server answers" in str(result.exception)
    assert isinstance(shown("nowhere").exception, InputError)


def test_a_terminal_is_refreshed_and_told_when_the_server_goes(server):
    later = server.scraped(1102.0)
    answers = iter([server.scraped(1100.0), later, EngineError("No server answers."), KeyboardInterrupt()])

    def fetch():
        answer = next(answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    screen = Console(file=io.StringIO(), force_terminal=True, width=120)
    with pytest.raises(KeyboardInterrupt):
        display.top("http://a", fetch, as_json=False, once=False, every_s=0.001, console=screen)
    text = screen.file.getvalue()
    assert "since its start" in text
    assert "the last 2 s" in text
    assert "No server answers." in text
