"""`run --place …`: what is missing on the cluster is an error before anything starts, with its own exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kube.server import Server, serving
from tests.pipelines.conftest import MICRO, finish, start

NAMESPACE: tuple[str, Any] = ("/api/v1/namespaces/proseform", {"metadata": {"name": "proseform"}})
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "no namespace": ({}, "namespace: the cluster has no namespace 'proseform'"),
    "no claim": (dict([NAMESPACE]), "claim: namespace 'proseform' has no claim 'proseform-store'"),
}


def kubeconfig(folder: Path, url: str) -> str:
    """A kubeconfig for a server on this machine."""
    entry = {"name": "here", "context": {"cluster": "here", "user": "here"}}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [entry],
        "clusters": [{"name": "here", "cluster": {"server": url}}],
        "users": [{"name": "here", "user": {"token": "t"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def test_without_a_cluster_it_says_so(tmp_path: Path) -> None:
    env = {"KUBECONFIG": str(tmp_path / "nothing"), "HOME": str(tmp_path)}
    process = start(tmp_path / "home", "run", "--place", "default", "--run", MICRO, env=env)
    output = " ".join(finish(process).split())
    assert process.returncode == 4
    assert "ClusterError: No cluster is configured" in output
    assert "KUBECONFIG" in output


@pytest.mark.parametrize("name", CASES)
def test_what_the_cluster_lacks_is_named_with_its_field(name: str, tmp_path: Path) -> None:
    objects, words = CASES[name]
    server = Server()
    server.objects = dict(objects)
    with serving(server) as url:
        env = {"KUBECONFIG": kubeconfig(tmp_path, url), "HOME": str(tmp_path)}
        process = start(tmp_path / "home", "run", "--place", "default", "--run", MICRO, env=env)
        output = " ".join(finish(process).split())
    assert process.returncode == 2
    assert words in output
    assert not [method for method, _ in server.asked if method != "GET"]
    assert not (tmp_path / "home" / "runs").exists()
