"""API keys: the file, who is let in, how often, and what changes without a restart."""

import json
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from proseform import cli
from proseform.errors import ConfigError, InputError
from proseform.serve import keys, server
from proseform.serve.guard import Bucket, Guard
from proseform.serve.keys import Keys
from tests.serve.light import INPUTS, light, post

OURS, CHAT, V1, V2 = (
    "/v1/tasks/toy/answer",
    "/openai/v1/chat/completions",
    "/v1/models/proseform-toy:predict",
    "/v2/models/proseform-toy/infer",
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "keys.json"


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def ask(serving, token="", path=OURS, body=None):
    headers = bearer(token) if token else {}
    return post(serving.line(), path, body or {"inputs": INPUTS}, **headers)


def get(serving, path, **headers):
    line = serving.line()
    line.request("GET", path, headers=headers)
    response = line.getresponse()
    response.read()
    return response.status


def test_a_file_holds_hashes_alone_and_is_its_owners(file):
    token = keys.new(file, "ci", 60)
    assert token not in file.read_text()
    assert token.rpartition("-")[2] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = token.split("-", 2)[2]
    assert len(secret) >= 128 / 6, "six bits a character"
    assert keys.new(file, "other", 0).split("-", 2)[2] != secret
    with pytest.raises(InputError, match="named 'ci'"):
        keys.new(file, "ci", 60)


@pytest.mark.parametrize("path", [OURS, CHAT, V1, V2, "/openai/v1/models", "/v1/bundle", "/v2", "/v1/models"])
def test_nobody_is_let_in_without_a_key_nor_with_nobodys(file, path):
    token = keys.new(file, "ci", 0)
    number = token.split("-")[1]
    with light(guard=Guard(Keys(file))) as serving:
        for wrong in ("", "x", f"pf-{number}", f"pf-{number}-x", token[:-1], f"{token}x", "pf--", "\x80", "-" * 99):
            line = serving.line()
            line.request("GET" if path[-4:] in {"dels", "ndle", "/v2"} else "POST", path, "{}", bearer(wrong))
            response = line.getresponse()
            answer = json.loads(response.read())
            assert response.status == 401, (wrong, answer)
            assert response.headers["www-authenticate"] == "Bearer"
            assert "error" in answer
        assert serving.engine.requests == []
        assert ask(serving, token)[0] == 200


def test_errors_of_keys_are_in_openais_shape_for_its_clients(file):
    keys.new(file, "ci", 0)
    with light(guard=Guard(Keys(file))) as serving:
        assert ask(serving, path=CHAT)[2]["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/metrics", "/", "/v2/health/live", "/v2/models/proseform-toy/ready"]
)
def test_probes_and_scrapers_have_no_key(file, path):
    keys.new(file, "ci", 0)
    with light(guard=Guard(Keys(file))) as serving:
        assert get(serving, path) == 200


def test_keys_are_added_and_revoked_without_a_restart(file):
    first = keys.new(file, "first", 0)
    with light(guard=Guard(Keys(file))) as serving:
        second = keys.new(file, "second", 0)
        assert [ask(serving, token)[0] for token in (first, second)] == [200, 200]
        keys.revoke(file, "first")
        assert [ask(serving, token)[0] for token in (first, second)] == [401, 200]
        keys.revoke(file, second.split("-")[1])
        assert ask(serving, second)[0] == 401


def test_a_file_that_is_broken_or_gone_leaves_the_keys_as_they_were(file, caplog):
    token = keys.new(file, "ci", 0)
    known = Keys(file)
    file.write_text("{")
    assert known.owner(token).name == "ci"
    assert "cannot be read" in caplog.text
    file.unlink()
    assert known.owner(token).name == "ci"
    other = keys.new(file, "other", 0)
    assert known.owner(token) is None
    assert known.owner(other).name == "other"


def test_a_secret_that_kubernetes_mounts_anew_is_read(tmp_path):
    """The mounted file is a link to a folder that is exchanged whole."""
    tokens = [keys.new(tmp_path / name / "keys.json", name, 0) for name in ("one", "two")]
    (tmp_path / "data").symlink_to(tmp_path / "one")
    (tmp_path / "keys.json").symlink_to(tmp_path / "data" / "keys.json")
    known = Keys(tmp_path / "keys.json")
    assert [known.owner(token) is not None for token in tokens] == [True, False]
    (tmp_path / "next").symlink_to(tmp_path / "two")
    (tmp_path / "next").replace(tmp_path / "data")
    assert [known.owner(token) is not None for token in tokens] == [False, True]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "JSON"),
        ('{"keys": 5}', "keys"),
        ('{"keys": [{"id": "x"}]}', "keys.0.id"),
        ('{"keys": [], "more": 1}', "more"),
        ('{"keys": [{"id": "0123456789ab", "name": "s3cret", "sha256": 5, "per_minute": 1, "created": ""}]}', "sha256"),
    ],
)
def test_a_file_of_another_shape_is_refused_by_field_and_without_its_values(file, text, named):
    file.write_text(text)
    with pytest.raises(ConfigError, match=named) as caught:
        Keys(file)
    assert "s3cret" not in str(caught.value)


def test_a_key_has_its_own_rate_and_is_told_when_to_come_again(file):
    slow, free = keys.new(file, "slow", 2), keys.new(file, "free", 0)
    now = [0.0]
    with light(guard=Guard(Keys(file), lambda: now[0])) as serving:
        assert [ask(serving, slow)[0] for _ in range(2)] == [200, 200]
        status, headers, answer = ask(serving, slow)
        assert (status, headers["retry-after"], answer["error"]["reason"]) == (429, "30", "rate")
        assert ask(serving, free)[0] == 200
        now[0] = 29.0
        assert ask(serving, slow)[0] == 429
        now[0] = 30.0
        assert ask(serving, slow)[0] == 200
        assert get(serving, "/v1/bundle", **bearer(slow)) == 200, "only cases count"


def test_each_evaluation_of_a_critical_case_counts(file):
    token = keys.new(file, "ci", 3)
    with light(guard=Guard(Keys(file), lambda: 0.0)) as serving:
        assert ask(serving, token, body={"inputs": INPUTS, "samples": 2})[0] == 200
        assert ask(serving, token, body={"inputs": INPUTS, "samples": 3})[0] == 429


def test_each_case_of_a_request_counts(file):
    token = keys.new(file, "ci", 3)
    now = [0.0]
    with light(guard=Guard(Keys(file), lambda: now[0])) as serving:
        assert ask(serving, token, V1, {"instances": [INPUTS] * 3})[0] == 200
        assert ask(serving, token)[0] == 429


SEVERAL = {
    "cases": lambda many: (V1, {"instances": [INPUTS] * many}),
    "evaluations": lambda many: (OURS, {"inputs": INPUTS, "samples": many}),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_a_request_of_several_is_let_in_when_it_was_told_to_come_again(file, kind):
    """A refusal takes nothing, and its time is that of the whole request, however often it is asked."""
    token, now = keys.new(file, "ci", 6), [0.0]
    with light(guard=Guard(Keys(file), lambda: now[0])) as serving:
        assert ask(serving, token, *SEVERAL[kind](4))[0] == 200
        for _ in range(3):
            status, headers, _ = ask(serving, token, *SEVERAL[kind](3))
            assert (status, headers["retry-after"]) == (429, "10"), "two are left"
        now[0] = 10.0
        assert ask(serving, token, *SEVERAL[kind](3))[0] == 200


@pytest.mark.parametrize("kind", SEVERAL)
def test_a_request_larger_than_a_minutes_cases_is_taken_where_these_are_left_and_owed(file, kind):
    token, now = keys.new(file, "ci", 6), [0.0]
    with light(guard=Guard(Keys(file), lambda: now[0])) as serving:
        assert ask(serving, token, *SEVERAL[kind](9))[0] == 200
        status, headers, _ = ask(serving, token)
        assert (status, headers["retry-after"]) == (429, "40"), "three are owed, and one is asked for"
        now[0] = 40.0
        assert ask(serving, token)[0] == 200


@pytest.mark.parametrize("cases", [0, 65, 1000])
def test_a_number_of_cases_that_no_request_may_have_is_not_owed(file, cases):
    token = keys.new(file, "ci", 6)
    with light(guard=Guard(Keys(file), lambda: 0.0)) as serving:
        assert ask(serving, token, V1, {"instances": [INPUTS] * cases})[0] == 422
        assert ask(serving, token, V1, {"instances": [INPUTS] * 5})[0] == 200
        assert ask(serving, token)[0] == 429, "the request itself has counted as one"


@given(st.integers(1, 50), st.floats(0, 50), st.integers(2, 80), st.floats(0, 30))
def test_what_was_held_counts_once(per_minute, left, cases, after_s):
    """A request that was let in as one is judged as if all of it had been asked for by now."""
    left = min(left, float(per_minute))
    once, twice = Bucket(per_minute, left, 0.0), Bucket(per_minute, left, 0.0)
    if twice.take(1, 0.0):
        return
    assert twice.take(cases, after_s, held=1) == pytest.approx(once.take(cases, after_s), abs=1e-6)
    assert twice.left == pytest.approx(once.left, abs=1e-6)


@given(st.integers(1, 50), st.lists(st.tuples(st.floats(0, 100), st.integers(1, 80)), max_size=40))
def test_no_key_gets_more_than_its_rate_and_a_burst(per_minute, asks):
    """Over any time, cases are at most what is refilled, a minute's, and what the last request owes."""
    bucket, now, taken, largest = Bucket(per_minute, float(per_minute), 0.0), 0.0, 0, 0
    for after_s, cases in asks:
        now += after_s
        wait_s = bucket.take(cases, now)
        assert 0 <= wait_s <= 60 * (1 + max(largest, cases) / per_minute)
        if not wait_s:
            taken, largest = taken + cases, max(largest, cases)
        else:
            assert Bucket(per_minute, bucket.left, now).take(cases, now + wait_s + 1e-3) == 0, "the wait is true"
    assert taken <= per_minute * (1 + now / 60) + largest + 1e-6


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_on_loopback_keys_are_a_choice(host, file):
    assert server.guarding(host, None).keys is None
    keys.new(file, "ci", 0)
    assert server.guarding(host, file).keys is not None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "a.test"])
def test_elsewhere_keys_are_asked_for_unless_that_is_said(host, file):
    with pytest.raises(ConfigError, match="no key is asked for"):
        server.guarding(host, None)
    assert server.guarding(host, None, no_keys=True).keys is None
    keys.new(file, "ci", 0)
    assert server.guarding(host, file).keys is not None
    with pytest.raises(ConfigError, match="exclude"):
        server.guarding(host, file, no_keys=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        server.guarding(host, file.with_name("none"))


def test_the_command_line_makes_lists_and_revokes(file):
    run = CliRunner()
    made = run.invoke(cli.app, ["keys", "new", "ci", "--file", str(file), "--per-minute", "5"])
    assert Keys(file).owner(made.stdout.strip()).per_minute == 5
    listed = run.invoke(cli.app, ["keys", "list", "--file", str(file), "--json"])
    assert json.loads(listed.stdout)[0]["name"] == "ci"
    assert made.stdout.strip() not in listed.stdout
    assert run.invoke(cli.app, ["keys", "revoke", "ci", "--file", str(file)]).exit_code == 0
    assert keys.listed(file) == ()
    assert isinstance(run.invoke(cli.app, ["keys", "revoke", "ci", "--file", str(file)]).exception, InputError)
