"""The benchmark of serving: an open load, strict judgement, bounds that can break, and the command as it stands."""

import asyncio
import json
import math
import sys

import pytest

from benchmarks.serving import __main__ as serving
from benchmarks.serving import cases, engine, hours, http, load, measure

COUNT = 4


def played(answer, *, rate=50.0, seconds=0.4, subject="direct", mode="two calls"):
    """What a load makes of a server."""

    async def play():
        server = await asyncio.get_running_loop().create_server(lambda: http.Served(answer), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            lines = http.Lines(port)
            loaded = load.Load(load.Plan(subject, mode, port, rate, seconds, 0.0, COUNT), lines)
            await loaded.run()
            lines.close()
            return loaded.window

    return asyncio.run(play())


def scripted():
    """The engine's answers, without its delay."""
    script = engine.Script(cases.texts(cases.drawn(COUNT)), bytes.decode)

    async def answer(_path, data):
        body = json.loads(data)
        return json.dumps(engine.completion(body, script.text(body))).encode()

    return answer


def test_every_case_is_answered_rightly_by_the_scripted_engine():
    window = played(scripted())
    assert (len(window.answers), window.failed) == (20, {})
    assert [round(at, 6) for at, _ in sorted(window.answers)] == [round(number / 50, 6) for number in range(20)]


def test_whoever_would_have_come_while_a_server_stood_still_is_counted_from_their_time():
    """A load that waited for answers would have seen one slow request: that omission is what is avoided."""
    answer, stood = scripted(), asyncio.Event()

    async def standing(path, data):
        if not stood.is_set():
            stood.set()
            await asyncio.sleep(0)
            until = asyncio.get_running_loop().time() + 0.3
            while asyncio.get_running_loop().time() < until:
                pass  # the load shares this event loop: it cannot send meanwhile
        return await answer(path, data)

    window = played(standing)
    assert window.failed == {}
    waited = [seconds > 0.3 - at for at, seconds in window.answers if at < 0.3]
    assert len(waited) == 15
    assert all(waited)
    assert window.late_s > 0.1, "and the load says that it was late"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda _data: b"{}", "no answer"),  # a body without choices
        (lambda _data: b"\xff", "no answer"),  # no JSON
        (lambda data: data.replace(b'\\"score\\": ', b'\\"score\\": 1'), "another answer"),  # a digit too many
    ],
)
def test_a_wrong_answer_is_none(change, named):
    answer = scripted()

    async def wrong(path, data):
        return change(await answer(path, data))

    window = played(wrong, mode="one call", seconds=0.1)
    assert (window.answers, window.failed) == ([], {named: 5})


def test_a_request_that_cannot_be_answered_breaks_its_connection():
    async def broken(_path, _data):
        raise OSError

    assert played(broken, seconds=0.04).failed == {"BrokenError": 2}


def test_an_engine_takes_ids_too():
    case = cases.drawn(COUNT)[0]
    script = engine.Script(cases.texts([case]), lambda ids: bytes(ids).decode())
    assert json.loads(script.text({"prompt": list(f"Text: {case.prose}".encode())})) == dict(case.answer)


def point(p50_ms, p99_ms, cpu_us=0.0, answered=1.0, failed=None):
    return measure.Point(p50_ms, p99_ms, cpu_us, answered, 0.1, failed or {})


def test_what_is_added_is_the_mean_of_differences_and_how_far_they_go():
    alone = point(20.0, 21.0)
    added = measure.added([(alone, point(22.0, 25.0, 900.0)), (alone, point(24.0, 27.0, 1100.0, 0.5, {"HTTP 503": 2}))])
    assert added.p50_ms == (3.0, 2.0, 4.0)
    assert added.p99_ms == (5.0, 4.0, 6.0)
    assert added.cpu_us == (1000.0, 900.0, 1100.0)
    assert (added.answered, added.failed) == (0.5, {"HTTP 503": 2})


@pytest.mark.parametrize("limit", [19.0, 20.0, 21.0, 300.0, 2000.0, 1e9])
def test_the_highest_rate_is_the_last_rung_at_which_the_bound_holds(limit):
    asked = []

    def excess_ms(rate):
        asked.append(rate)
        return 1.0 if rate <= limit else math.inf

    rungs = [measure.rate(rung) for rung in range(31)]
    best = max((rung for rung in rungs if rung <= limit), default=0.0)
    assert measure.highest(excess_ms, [5, 10]) == {5: best, 10: best}
    assert len(asked) == len(set(asked)) <= 12, "no rung is measured twice"


def figures(**changes):
    same = {"memory_mb": (100.0, 104.0), "files": (40.0, 46.0), "p50_ms": (40.0, 40.0), "p99_ms": (50.0, 59.0)}
    return hours.Figures(
        **{"rate": 10.0, "seconds": 6.0, "answered": 1.0, "failed": {"HTTP 503": 1}, **same, **changes}
    )


@pytest.mark.parametrize(
    "change",
    [
        {"memory_mb": (100.0, 106.0)},
        {"files": (40.0, 60.0)},
        {"p99_ms": (50.0, 61.0)},
        {"failed": {"another answer": 1}},
        {"failed": {"TimeoutError": 1}},
    ],
)
def test_bounds_of_the_long_load_are_told_where_they_are_broken(change):
    assert figures().broken() == []
    assert len(figures(**change).broken()) == 1


def test_a_machine_on_which_no_rate_is_borne_is_told_so(monkeypatch, capsys):
    monkeypatch.setattr(hours, "_borne", lambda *_: 0.0)
    monkeypatch.setattr(sys, "argv", ["serving", "--hours"])
    with pytest.raises(SystemExit) as ended:
        serving.main()
    assert ended.value.code == 2
    assert "No rate is borne" in capsys.readouterr().err


def test_the_command_runs_through_with_our_own_server_which_sends_traces(monkeypatch, tmp_path, capsys):
    out = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["serving", "--quick", "--servers", "traced", "--json", str(out)])
    with pytest.raises(SystemExit) as ended:
        serving.main()
    printed = capsys.readouterr().out
    assert ended.value.code == 0, printed
    rows = json.loads(out.read_text())["rows"]
    assert [(row["mode"], row["answered"]) for row in rows] == [("one call", 1.0), ("two calls", 1.0)]
    assert printed.count("| traced | 20 |") == 2
