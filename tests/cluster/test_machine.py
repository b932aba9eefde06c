"""A machine that cannot hold a cluster says what it lacks; one that can is left as it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import cluster, machine, programs

ROOT = Path(__file__).parents[2]


@pytest.fixture
def able(tmp_path, monkeypatch):
    """A machine with everything: root, Go, packages, no other kubelet."""
    monkeypatch.setattr(machine.os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine.shutil, "which", lambda name, path=None: f"/usr/bin/{name}")
    monkeypatch.setattr(machine, "STATE", tmp_path / "state")
    monkeypatch.setattr(machine, "_TRACES", tmp_path / "state/before.json")
    monkeypatch.setattr(machine, "cgroups", lambda: iter(()))
    return tmp_path


def without(monkeypatch, *names):
    """As if programs were not there."""
    monkeypatch.setattr(machine.shutil, "which", lambda name, path=None: None if name in names else f"/usr/bin/{name}")


def test_a_machine_with_everything_passes(able):
    machine.check()


def test_without_root_it_cannot(able, monkeypatch):
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    with pytest.raises(machine.CannotError, match="it wants root"):
        machine.check()


def test_without_go_it_cannot_unless_everything_is_built(able, monkeypatch):
    without(monkeypatch, "go")
    monkeypatch.setattr(programs, "CACHE", able)
    with pytest.raises(machine.CannotError, match="it wants Go to build pause, wait-for-name, etcd"):
        machine.check()
    for program in programs.ALL:
        program.path.touch()
    machine.check()


def test_without_containerd_and_apt_it_cannot_and_with_apt_it_can(able, monkeypatch):
    without(monkeypatch, "containerd", "nft", "apt-get")
    with pytest.raises(machine.CannotError, match="it wants containerd, nftables, and there is no apt-get"):
        machine.check()
    without(monkeypatch, "containerd", "nft")
    machine.check()
    assert machine.missing() == ["containerd", "nftables"]


def test_beside_another_kubelet_it_cannot(able, monkeypatch):
    monkeypatch.setattr(machine, "cgroups", lambda: iter([Path("/sys/fs/cgroup/kubepods")]))
    with pytest.raises(machine.CannotError, match="another kubelet"):
        machine.check()


def test_the_command_says_so_in_one_line_and_ends_with_3(tmp_path):
    """Where the state folder is missing and Go is not on the path, before anything is touched."""
    env = {
        **os.environ,
        "PATH": str(tmp_path),
        "PROSEFORM_CLUSTER_CACHE": str(tmp_path),
        "PROSEFORM_CLUSTER_STATE": str(tmp_path / "none"),
    }
    env.pop("KUBECONFIG", None)
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster", "up"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("No cluster on this machine: it wants ")
    assert not (tmp_path / "none").exists()


def test_what_is_not_up_is_taken_down_in_a_line(tmp_path):
    env = {**os.environ, "PROSEFORM_CLUSTER_STATE": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster", "down"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "No cluster is here.\n")


def test_settings_and_folders_of_before_are_restored(able, monkeypatch):
    kernel, existing, missing = able / "sys/setting", able / "there", able / "made"
    monkeypatch.setattr(machine, "_SETTINGS", (str(kernel),))
    monkeypatch.setattr(machine, "_OUTSIDE", (str(existing), str(missing)))
    kernel.parent.mkdir()
    kernel.write_text("0\n")
    existing.mkdir()
    machine.remember()
    kernel.write_text("1")
    missing.mkdir()
    machine.remember()
    machine.restore()
    assert kernel.read_text() == "0"
    assert existing.is_dir()
    assert not missing.exists()
    assert json.loads((able / "state/before.json").read_text())["folders"] == [str(existing)]


@pytest.mark.parametrize("named", ["", "/nowhere/kubeconfig"], ids=["not set", "a file that is not there"])
def test_a_kubeconfig_that_leads_nowhere_is_not_taken_for_a_cluster(named, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", named)
    assert cluster.foreign() == ""


def test_a_cluster_that_answers_is_used_instead(tmp_path, monkeypatch):
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("""#!/bin/sh\necho '{"serverVersion": {"gitVersion": "v1.33.1"}}'\n""")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("KUBECONFIG", "/theirs")
    sentences = []
    assert cluster.up(sentences.append) is None
    assert sentences == ["Kubernetes v1.33.1 of KUBECONFIG=/theirs is used as it is; nothing is brought up.\n"]
