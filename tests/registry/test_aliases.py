"""Promotion and rollback: only through an open gate, and finished after an interruption."""

import os
import signal
import subprocess
import sys

import pytest

from proseform import digest
from proseform.errors import RegistryError
from proseform.registry import aliases, attachments, models
from proseform.registry.models import CANDIDATE, CHAMPION, PREVIOUS
from tests.waiting import PATIENCE_S


def state(mlflow, name):
    """The aliases, after checking that no move is left open."""
    assert aliases.MOVE not in mlflow.client.get_registered_model(name).tags
    return models.aliases(mlflow, name)


def test_the_first_promotion_has_no_previous_and_the_second_has(mlflow, name, promotable):
    one = promotable(1)
    assert aliases.promote(mlflow, name) == one
    assert state(mlflow, name) == {CHAMPION: "1"}
    two = promotable(2)
    assert state(mlflow, name) == {CHAMPION: "1", CANDIDATE: "2"}
    assert aliases.promote(mlflow, name) == two
    assert state(mlflow, name) == {CHAMPION: "2", PREVIOUS: "1"}


def test_promoting_the_champion_changes_nothing(mlflow, name, promotable):
    promotable(1)
    aliases.promote(mlflow, name)
    promotable(2)
    before = state(mlflow, name)
    assert aliases.promote(mlflow, name, "1").version == "1"
    assert state(mlflow, name) == before


def test_another_candidate_is_left_alone(mlflow, name, promotable):
    promotable(1)
    promotable(2)
    aliases.promote(mlflow, name, "1")
    assert state(mlflow, name) == {CHAMPION: "1", CANDIDATE: "2"}


def test_a_rollback_swaps_and_a_second_one_swaps_back(mlflow, name, promotable):
    for number in (1, 2):
        promotable(number)
        aliases.promote(mlflow, name)
    assert aliases.rollback(mlflow, name).version == "1"
    assert state(mlflow, name) == {CHAMPION: "1", PREVIOUS: "2"}
    assert aliases.rollback(mlflow, name).version == "2"
    assert state(mlflow, name) == {CHAMPION: "2", PREVIOUS: "1"}


def test_there_is_nothing_to_return_to_after_the_first_promotion(mlflow, name, promotable):
    promotable(1)
    aliases.promote(mlflow, name)
    with pytest.raises(RegistryError, match="no previous champion"):
        aliases.rollback(mlflow, name)
    assert state(mlflow, name) == {CHAMPION: "1"}


def nobody(_mlflow, _version, _verdict):
    """No gate has judged."""


def closed(mlflow, version, verdict):
    """The gate judged, and stayed closed."""
    attachments.judge(mlflow, version, verdict(version.bundle, is_open=False))


def tagged(mlflow, version, verdict):
    """The gate is closed, and somebody has set the tag to 'open'."""
    closed(mlflow, version, verdict)
    mlflow.client.set_model_version_tag(version.name, version.version, "proseform.gate", "open")


def borrowed(mlflow, version, verdict):
    """An open verdict of another bundle, filed with its digest."""
    attachments.judge(
        mlflow,
        models.Version(version.name, version.version, other := digest.of_json(1), version.model_id),
        verdict(other),
    )


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (nobody, "no gate has judged it"),
        (closed, "its gate is closed: schema_valid: not measured"),
        (tagged, "its gate is closed"),
        (borrowed, "its verdict is of another bundle"),
    ],
)
def test_nothing_passes_a_gate_that_is_not_open_for_this_very_bundle(
    mlflow, name, bundles, verdict, promotable, prepare, words
):
    promotable(1)
    aliases.promote(mlflow, name)
    prepare(mlflow, models.register(mlflow, bundles(2), name=name), verdict)
    with pytest.raises(RegistryError, match="version 2 cannot be promoted") as caught:
        aliases.promote(mlflow, name)
    assert words in str(caught.value)
    assert state(mlflow, name) == {CHAMPION: "1", CANDIDATE: "2"}


def test_what_does_not_exist_cannot_be_promoted(mlflow, name, promotable):
    with pytest.raises(RegistryError, match=f"No model '{name}'"):
        aliases.promote(mlflow, name)
    promotable(1)
    aliases.promote(mlflow, name)
    with pytest.raises(RegistryError, match=r"no alias or version 'candidate'; aliases: champion \(version 1\)"):
        aliases.promote(mlflow, name)


@pytest.mark.parametrize("writes", range(7))
def test_a_promotion_that_was_cut_short_ends_where_it_would_have(mlflow, name, promotable, dying, writes):
    """The writes: lease created, earlier lease deleted, move recorded, previous, champion, candidate, move deleted."""
    for number in (1, 2):
        promotable(number)
        aliases.promote(mlflow, name)
    promotable(3)
    half, died = dying(writes)
    with pytest.raises(died):
        aliases.promote(half, name)
    assert models.aliases(mlflow, name)[CHAMPION] in {"2", "3"}
    assert aliases.promote(mlflow, name).version == "3"
    assert state(mlflow, name) == {CHAMPION: "3", PREVIOUS: "2"}


@pytest.mark.parametrize("writes", range(6))
def test_a_rollback_that_was_cut_short_ends_where_it_would_have(mlflow, name, promotable, dying, writes):
    """It does not swap twice."""
    for number in (1, 2):
        promotable(number)
        aliases.promote(mlflow, name)
    half, died = dying(writes)
    with pytest.raises(died):
        aliases.rollback(half, name)
    assert models.aliases(mlflow, name)[CHAMPION] in {"1", "2"}
    assert aliases.rollback(mlflow, name).version == "1"
    assert state(mlflow, name) == {CHAMPION: "1", PREVIOUS: "2"}


@pytest.mark.parametrize("writes", [3, 4, 5])
def test_a_rollback_after_half_a_promotion_finishes_that_one_first(mlflow, name, promotable, dying, writes):
    promotable(1)
    aliases.promote(mlflow, name)
    promotable(2)
    half, died = dying(writes)
    with pytest.raises(died):
        aliases.promote(half, name)
    assert aliases.rollback(mlflow, name).version == "1"
    assert state(mlflow, name) == {CHAMPION: "1", PREVIOUS: "2"}


KILLED = """
import os, signal, sys
from pathlib import Path
from proseform import registry
from proseform.registry import aliases
mlflow = registry.connect(Path(sys.argv[1]))
real = mlflow.client.set_registered_model_alias
def kill(name, alias, version):
    real(name, alias, version)
    os.kill(os.getpid(), signal.SIGKILL)
mlflow.client.set_registered_model_alias = kill
aliases.promote(mlflow, sys.argv[2])
"""


def test_kill_9_between_two_alias_writes(mlflow, home, name, promotable):
    """A real process, really killed: `previous` is written, `champion` is not."""
    promotable(1)
    aliases.promote(mlflow, name)
    promotable(2)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(home), name],
        env={**os.environ},
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert models.aliases(mlflow, name) == {PREVIOUS: "1", CHAMPION: "1", CANDIDATE: "2"}
    assert aliases.promote(mlflow, name).version == "2"
    assert state(mlflow, name) == {CHAMPION: "2", PREVIOUS: "1"}
