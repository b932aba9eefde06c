"""Evaluations that replicas share, by a real Redis server: sealed, bound to their keys, and never waited for."""

import asyncio
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import testing
from proseform.errors import ConfigError
from proseform.infer import kept, shared
from proseform.infer.answer import answered
from proseform.infer.shared import SharedCache
from proseform.serve.draining import Beside
from tests.infer.test_chain import JSON, PROSE
from tests.infer.test_kept import BUNDLE, SECRET, TASK, TEXTS, Notes
from tests.waiting import PATIENCE_S

KEY = "0" * 64


@pytest.fixture(scope="module")
def url():
    """A real server's, which asks for a password."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        pytest.skip("neither valkey-server nor redis-server is installed")
    with tempfile.TemporaryDirectory(prefix="proseform-redis-") as folder:  # a socket's path may have 107 bytes
        path = Path(folder) / "s"
        arguments = ["--port", "0", "--unixsocket", path, "--save", "", "--requirepass", "secret", "--dir", folder]
        process = subprocess.Popen([program, *map(str, arguments)], stdout=subprocess.DEVNULL)
        try:
            while not path.exists():
                assert process.poll() is None
            yield f"unix://:secret@{path}"
        finally:
            process.kill()
            process.wait()


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """No server is away because a machine is slow; tests of that set their own."""
    monkeypatch.setattr(shared, "LIMIT_S", float(PATIENCE_S))


def opened(url, secret=SECRET, age_s=60.0):
    cache = SharedCache(secret, 1 << 20, age_s, url)
    cache.observer = Notes()
    return cache


async def put(cache, key, prose):
    """Keep prose, and wait until the server has it."""
    await cache.put(key, prose)
    await asyncio.gather(*cache._puts)


def run(work):
    return asyncio.run(work)


@pytest.mark.parametrize("prose", [PROSE, "", "名前\n\u200b", "\ud800 alone", "x" * 100_000])
def test_another_replica_finds_what_one_has_kept(url, prose):
    async def work():
        one, other = opened(url), opened(url)
        await put(one, KEY, prose)
        assert await other.get(KEY) == prose
        assert other.observer.cache == ["miss", "shared_hit", "stored"]
        assert await other.get(KEY) == prose
        assert other.observer.cache[-1] == "hit"
        for cache in (one, other):
            await cache.end(0)

    run(work())


def test_a_retry_of_the_formatter_in_another_replica_does_not_pay_for_the_evaluator(url):
    engines = [
        testing.ScriptedEngine(BUNDLE, lambda request: PROSE if request.role == "evaluator" else JSON) for _ in range(2)
    ]

    async def work():
        for engine in engines:
            cache = opened(url)
            answer = await answered(engine, TASK, TEXTS, kept=cache, tenant="retry")
            await cache.end(0)
        return answer

    assert run(work()).as_dict()["verdict"] == "verified"
    assert [[request.role for request in engine.requests] for engine in engines] == [
        ["evaluator", "formatter"],
        ["formatter"],
    ]


def test_the_server_holds_nothing_that_can_be_read_and_nothing_for_ever(url):
    async def work():
        cache = opened(url)
        await put(cache, KEY, PROSE)
        names = await cache._server.keys("*")
        held = b"".join([await cache._server.get(name) for name in names])
        age_ms = await cache._server.pttl(f"proseform:prose:{KEY}")
        await cache.end(0)
        return names, held, age_ms

    names, held, age_ms = run(work())
    assert not [word for word in PROSE.split() if len(word) > 3 and word.encode() in held]
    assert all(name.startswith(b"proseform:prose:") for name in names)
    assert 0 < age_ms <= 60_000


def test_what_was_put_under_another_key_or_by_another_deployment_is_nothing(url):
    async def work():
        cache, foreign = opened(url), opened(url, b"another secret of theirs")
        await put(foreign, "1" * 64, PROSE)
        await put(cache, KEY, PROSE)
        sealed = await cache._server.get(f"proseform:prose:{KEY}")
        await cache._server.set(f"proseform:prose:{'2' * 64}", sealed)
        fresh = opened(url)
        found = [await fresh.get(digit * 64) for digit in "12"]
        for one in (cache, foreign, fresh):
            await one.end(0)
        return found, fresh.observer.cache

    found, told = run(work())
    assert found == [None, None]
    assert told == ["miss", "shared_invalid"] * 2


@given(st.binary(max_size=80) | st.none() | st.text(max_size=5))
def test_no_bytes_of_anybody_else_are_opened(data):
    assert SharedCache(SECRET, 1 << 20, 60, "redis://far.test")._opened(KEY, data) is None


@given(st.text(st.characters(), max_size=40), st.integers(0, 200), st.integers(1, 255))
def test_what_is_sealed_is_opened_and_one_changed_bit_is_noticed(prose, place, flip):
    cache = SharedCache(SECRET, 1 << 20, 60, "redis://far.test", today=lambda: 7.0)
    sealed = cache._sealed(KEY, prose)
    assert cache._opened(KEY, sealed) == (prose, 7.0)
    changed = bytearray(sealed)
    changed[place % len(sealed)] ^= flip
    assert cache._opened(KEY, bytes(changed)) is None


@pytest.mark.parametrize(
    "ahead_s", [0, 20, -20], ids=["clocks agree", "the reader's is ahead", "the writer's is ahead"]
)
def test_an_evaluation_ages_from_its_writing_wherever_it_is_kept(ahead_s):
    now, held = [0.0], {}

    class Server:
        """Forgets nothing."""

        async def get(self, name):
            return held.get(name)

        async def set(self, name, sealed, px):
            held[name] = sealed
            return px

    def replica(ahead_s):
        cache = SharedCache(
            SECRET, 1 << 20, 60, "redis://far.test", clock=lambda: now[0] + 500, today=lambda: now[0] + ahead_s
        )
        cache._server, cache.observer = Server(), Notes()
        return cache

    async def work():
        writer, reader, late = replica(0), replica(ahead_s), replica(ahead_s)
        await put(writer, KEY, PROSE)
        now[0] = 30.0
        assert await reader.get(KEY) == PROSE
        now[0] = 59.0 - ahead_s
        assert await reader.get(KEY) == PROSE
        now[0] = 60.0 - ahead_s
        assert await reader.get(KEY) is None
        assert reader.bytes == 0
        assert await late.get(KEY) is None, "the server has it still"
        return reader.observer.cache, late.observer.cache

    known, late = run(work())
    assert known == ["miss", "shared_hit", "stored", "hit", "miss"]
    assert late == ["miss"]


def test_a_server_that_is_away_is_left_alone_for_a_while(monkeypatch):
    monkeypatch.setattr(shared, "REST_S", 3600.0)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))

        async def work():
            cache = opened(f"redis://127.0.0.1:{nobody.getsockname()[1]}")
            await cache.begin()
            for _ in range(3):
                assert await cache.get(KEY) is None
            await put(cache, KEY, PROSE)
            assert await cache.get(KEY) == PROSE, "this process's own memory goes on"
            await cache.end(0)
            return cache.observer.cache

        assert run(work()).count("shared_away") == 1


def test_a_server_that_hangs_holds_nobody(monkeypatch):
    monkeypatch.setattr(shared, "LIMIT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as hanging:

        async def work():
            cache = opened(f"redis://127.0.0.1:{hanging.getsockname()[1]}")
            assert await cache.get(KEY) is None
            await cache.end(0)
            return cache.observer.cache

        assert run(work()) == ["miss", "shared_away"]


def test_options_that_cannot_be_used_are_refused_and_a_password_is_not_told(tmp_path):
    secret, url = tmp_path / "secret", tmp_path / "url"
    secret.write_bytes(SECRET)
    url.write_text("http://:hunter2@far.test\n")
    with pytest.raises(ConfigError, match="no URL of a Valkey or Redis server") as caught:
        kept.cache(64, 60, secret, url)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
    url.write_text("redis://far.test\n")
    assert isinstance(kept.cache(64, 60, secret, url), Beside), "the server begins and ends it"
    assert not isinstance(kept.cache(64, 60, secret), Beside)
    for options in ((64, 60, None, url), (0, 60, secret, url), (64, 60, secret, tmp_path / "none")):
        with pytest.raises(ConfigError, match="--cache"):
            kept.cache(*options)
    secret.write_bytes(b"short")
    with pytest.raises(ConfigError, match="fewer than 16 bytes"):
        kept.cache(64, 60, secret, url)
