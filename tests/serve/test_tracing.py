"""Traces: which spans an answer has, what they say, where they go on, and what a collector that is away costs."""

import asyncio
import contextlib
import json
import logging
import sys

import httpx
import pytest
from opentelemetry.trace import SpanKind, StatusCode
from typer.testing import CliRunner

from proseform import cli, testing
from proseform.errors import ConfigError, InputError
from proseform.infer import genai, spans
from proseform.infer.http import HttpEngine
from proseform.infer.kept import ProseCache
from proseform.infer.spec import EngineSpec
from proseform.serve import tracing
from proseform.serve.admission import Admission
from proseform.serve.app import App
from proseform.serve.batches.work import called
from proseform.serve.logs import Line
from proseform.serve.router import Router, Weighted
from tests import virtual
from tests.infer import far
from tests.infer.resilience import test_calls as scripted
from tests.serve.light import INPUTS, JSON, PROSE, light, post
from tests.serve.recorded import Tree, collector, kept
from tests.waiting import PATIENCE_S, until

OURS = "/v1/tasks/toy/answer"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STATED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=7"}


@pytest.fixture
def exporter():
    with kept() as one:
        yield one


def says(texts):
    """A server like vLLM that says texts in order, by role, and counts tokens."""
    rest = {role: list(many) for role, many in texts.items()}

    async def handler(_request, asked):
        if asked.path == "/tokenize":
            return far.web.json_response({"count": 7, "max_model_len": 4096})
        text = rest[asked.body["model"]].pop(0)
        if isinstance(text, int):
            return far.web.Response(status=text)
        return far.web.json_response(far.body(text, chat=asked.path.endswith("chat/completions")))

    return handler


async def answered(*handlers, body=None, headers=None, **options):
    """A request to a server over engines by URL: its response, and what the engines were asked."""
    async with contextlib.AsyncExitStack() as stack:
        fars = [await stack.enter_async_context(far.far(handler)) for handler in handlers]
        task = testing.toy_task()
        engine = HttpEngine(EngineSpec(",".join(one.url for one in fars)), testing.toy_bundle(task))
        stack.push_async_callback(engine.close)
        app = App(Admission(Router([Weighted(engine)]), task, **options), "toy")
        client = await stack.enter_async_context(httpx.AsyncClient(transport=httpx.ASGITransport(app)))
        response = await client.post(f"http://server{OURS}", json=body or {"inputs": INPUTS}, headers=headers)
    return response, [one.asked for one in fars]


def named(found):
    return [one.name for one in found]


def test_an_answer_is_a_tree_of_spans_which_goes_on_with_the_callers_and_at_the_engines(exporter, caplog):
    caplog.set_level(logging.INFO, "proseform")
    response, (asked,) = asyncio.run(
        answered(says({"evaluator": [PROSE], "formatter": [JSON]}), headers={**STATED, "x-request-id": "b7"})
    )
    assert response.status_code == 200
    tree = Tree(exporter.get_finished_spans())
    root = tree.one("POST /v1/tasks/{task}/answer")
    assert format(root.parent.span_id, "016x") == PARENT
    assert {format(one.context.trace_id, "032x") for one in tree.spans} == {TRACE}
    assert root.kind is SpanKind.SERVER
    assert dict(root.attributes) == {
        "http.request.method": "POST",
        "http.route": "/v1/tasks/{task}/answer",
        "http.response.status_code": 200,
        "proseform.request.id": "b7",
        "proseform.protocol": "proseform",
        "proseform.task": "toy",
        "proseform.outcome": "answered",
        "proseform.bundle": response.headers["x-proseform-bundle"],
    }
    assert named(tree.inside(root)) == ["reading", "queue", "invoke_workflow toy"]
    whole = tree.one("invoke_workflow toy")
    assert whole.attributes["gen_ai.operation.name"] == "invoke_workflow"
    assert whole.attributes["gen_ai.workflow.name"] == "toy"
    assert named(tree.inside(whole)) == ["evaluator", "formatter", "verification"]
    calls = [tree.inside(tree.one(role)) for role in ("evaluator", "formatter")]
    assert [named(one) for one in calls] == [["chat evaluator"], ["text_completion formatter"]]
    assert [named(tree.inside(one)) for (one,) in calls] == [["verification"], ["verification"]]
    stated = [one.headers["traceparent"].split("-") for one in asked if "completions" in one.path]
    assert [(trace, span) for _, trace, span, _ in stated] == [
        (TRACE, format(one.context.span_id, "016x")) for (one,) in calls
    ]
    assert {one.headers["tracestate"] for one in asked} == {"vendor=7"}
    assert [record.msg.facts["trace_id"] for record in caplog.records if isinstance(record.msg, Line)] == [TRACE]


def test_a_call_is_told_by_the_conventions_for_generative_ai(exporter):
    asyncio.run(answered(says({"evaluator": [PROSE], "formatter": [JSON]})))
    call = Tree(exporter.get_finished_spans()).one("text_completion formatter")
    assert call.kind is SpanKind.CLIENT
    facts = dict(call.attributes)
    assert facts.pop("server.port") > 0
    assert facts == {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "formatter",
        "gen_ai.output.type": "json",
        "gen_ai.request.max_tokens": 128,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.seed": 0,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.output_tokens": 4,
        "server.address": "127.0.0.1",
        "proseform.role": "formatter",
        "proseform.why": "first",
        "proseform.ended": "ok",
    }


def test_each_try_and_each_retry_is_a_span_with_why_it_was_made_and_how_it_ended(exporter):
    evaluations, documents = ["I cannot say.", 500, PROSE], [JSON]
    handler = says({"evaluator": evaluations, "formatter": documents})
    response, _ = asyncio.run(answered(handler, handler))
    assert response.status_code == 200
    tree = Tree(exporter.get_finished_spans())
    assert [one.attributes["proseform.try"] for one in tree.named("evaluator")] == [1, 2]
    first, second = map(tree.inside, tree.named("evaluator"))
    told = [(one.attributes["proseform.why"], one.attributes["proseform.ended"]) for one in [*first, *second]]
    assert told == [("first", "invalid"), ("first", "error"), ("retry", "ok")]
    failed = second[0]
    assert (failed.status.status_code, failed.attributes["error.type"]) == (StatusCode.ERROR, "error")
    judged = [one.attributes for one in tree.named("verification") if one.attributes["proseform.role"] == "evaluator"]
    assert [one["proseform.accepted"] for one in judged] == [False, True]
    assert judged[0]["proseform.reason"] == "form"


def test_a_hedge_is_a_span_beside_the_one_that_it_beats(exporter):
    slow, quick = scripted.Far(0.1), scripted.Far(0.1)
    pool, _ = scripted.pool(slow, quick)

    async def run():
        await scripted.warm(pool)
        pool.traced = lambda root, request, why: genai.calling(request, "chat", "m", "vllm", root, why=why)
        slow.takes_s, pool.replicas[0].turn = 0.4, 0  # so that it is asked first
        return await scripted.outcome(pool)

    assert virtual.run(run()).backend == "b"
    told = [dict(one.attributes) for one in Tree(exporter.get_finished_spans()).named("chat m")]
    assert [(one["server.address"], one["proseform.why"], one["proseform.ended"]) for one in told] == [
        ("a", "first", "cancelled"),
        ("b", "hedge", "ok"),
    ]
    assert told[0]["proseform.cancelled"]
    assert "error.type" not in told[0]


def test_a_refusal_and_a_fault_are_told_by_one_word(exporter):
    response, _ = asyncio.run(answered(says({"evaluator": ["Quillfeather"] * 3})))
    assert response.status_code == 422
    tree = Tree(exporter.get_finished_spans())
    root, whole = tree.one("POST /v1/tasks/{task}/answer"), tree.one("invoke_workflow toy")
    assert root.attributes["proseform.reason"] == whole.attributes["error.type"] == "incomplete"
    assert (root.status.status_code, whole.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    exporter.clear()
    with pytest.raises(ValueError, match="Quillfeather"), spans.span("reading"):
        raise ValueError("Quillfeather")
    (one,) = exporter.get_finished_spans()
    assert one.attributes["error.type"] == "ValueError"
    assert "Quillfeather" not in one.to_json()


def test_prose_that_was_kept_is_told_and_a_joined_request_too(exporter):
    async def run():
        task = testing.toy_task()
        engine = testing.ScriptedEngine(testing.toy_bundle(task), [PROSE, JSON, JSON])
        kept_prose = ProseCache(b"0123456789abcdef", 1 << 20, 60)
        app = App(Admission(Router([Weighted(engine)]), task, kept=kept_prose), "toy")
        for _ in range(2):
            await called(app, OURS, {"inputs": INPUTS})

    asyncio.run(run())
    tree = Tree(exporter.get_finished_spans())
    assert [one.attributes["proseform.prose_kept"] for one in tree.named("invoke_workflow toy")] == [False, True]
    assert len(tree.named("evaluator")) == 1


def test_a_streams_span_holds_its_answer_and_probes_have_none(exporter):
    with light() as server:
        line = server.line()
        line.request("POST", OURS, json.dumps({"inputs": INPUTS, "stream": True}), {"content-type": "application/json"})
        assert b"event: answer" in line.getresponse().read()
        line.request("GET", "/livez")
        line.getresponse().read()
        until(lambda: Tree(exporter.get_finished_spans()).named("POST /v1/tasks/{task}/answer"))
    tree = Tree(exporter.get_finished_spans())
    root = tree.one("POST /v1/tasks/{task}/answer")
    inner = tree.one("invoke_workflow toy")
    assert inner.parent.span_id == root.context.span_id
    assert inner.end_time <= root.end_time
    assert [one.name for one in tree.spans if one.parent is None] == [root.name]


def test_a_callers_method_and_path_are_no_words_of_a_span(exporter):
    async def run():
        task = testing.toy_task()
        app = App(Admission(Router([Weighted(testing.ScriptedEngine(testing.toy_bundle(task), []))]), task), "toy")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return await client.request("QUILLFEATHER", "http://server/Quillfeather")

    assert asyncio.run(run()).status_code == 404
    (one,) = exporter.get_finished_spans()
    assert (one.name, one.attributes["http.request.method"]) == ("HTTP", "_OTHER")
    assert "quillfeather" not in one.to_json().lower()


def test_a_collector_gets_the_spans_over_otlp_by_http():
    with collector() as far_end, tracing.traced(far_end.url + "/", {}) as sent, light() as server:
        assert sent
        assert post(server.line(), OURS, {"inputs": INPUTS}, **STATED)[0] == 200
    assert set(far_end.paths) == {"/v1/traces"}
    assert {one.trace_id.hex() for one in far_end.spans()} == {TRACE}
    assert "POST /v1/tasks/{task}/answer" in {one.name for one in far_end.spans()}
    (resource,) = {request.resource_spans[0].resource.SerializeToString() for request in far_end.requests}
    assert b"service.name" in resource
    assert b"proseform" in resource
    assert not spans.on()


def test_a_collector_that_hangs_costs_no_answer_and_no_more_than_its_queue(monkeypatch):
    queue, batch, asked = 32, 8, 50
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", str(queue))
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", str(batch))
    with collector() as far_end:
        far_end.free.clear()
        with tracing.traced(far_end.url, {}), light() as server:
            line = server.line()
            assert post(line, OURS, {"inputs": INPUTS})[0] == 200
            assert far_end.asked.wait(PATIENCE_S), "its first batch is under way"
            assert [post(line, OURS, {"inputs": INPUTS})[0] for _ in range(asked)] == [200] * asked
            far_end.free.set()
    assert 0 < len(far_end.spans()) <= queue + 2 * batch, "the rest was dropped"


def test_a_collector_that_stays_away_keeps_nobody_from_ending(monkeypatch, caplog):
    monkeypatch.setattr(tracing, "_END_S", 0.05)
    with collector() as far_end:
        far_end.free.clear()
        with tracing.traced(far_end.url, {}), spans.span("reading"):
            pass
        assert "the last spans were not taken" in caplog.text


@pytest.mark.parametrize(
    ("url", "variables", "on"),
    [
        ("", {}, False),
        ("http://c:4318", {}, True),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ("", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ("", {"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ("", {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ("http://c:4318", {"OTEL_TRACES_EXPORTER": "none"}, True),
        ("http://c:4318", {"OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_traces_are_off_unless_asked_for(url, variables, on):
    assert tracing.asked(url, variables) is on


@pytest.mark.parametrize(
    ("url", "variables", "words"),
    [
        ("c:4318", {}, "no http or https URL"),
        ("", {"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ("http://c:4317", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
    ],
)
def test_what_is_not_spoken_here_is_refused_before_anything_is_loaded(monkeypatch, url, variables, words):
    with pytest.raises(ConfigError, match=words):
        tracing.asked(url, variables)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(cli.app, ["serve", "--task", "cv", *(["--traces", url] if url else [])])
    assert isinstance(result.exception, InputError)
    assert words in str(result.exception)


def test_a_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match="a library is missing"), tracing.traced("http://c:4318", {}):
        pass


def test_off_nothing_is_recorded():
    with tracing.traced("", {}) as sent, spans.span("reading") as span:
        span.set({"proseform.try": 1})
        assert not sent
        assert not spans.on()
        assert (span.trace, spans.headers()) == ("", {})
