"""Measurement by URL: what a real vLLM with adapters writes for the evaluate stage is what the models write in process.

The models have learnt by heart what they are asked (:mod:`tests.infer.learnt`), so that no two tokens are about equally
likely: elsewhere the order in which floats are added up may decide.
"""

from __future__ import annotations

import json
import shutil

import pytest

from proseform import config, digest, testing
from proseform.kube import engines, pods
from tests.cluster.kubectl import apply, kubectl
from tests.e2e import python
from tests.e2e.world import CLAIM, HOME, NAMESPACE, PYTHON, USER, wait
from tests.infer import learnt

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]  # whichever is first makes images and world
FOLDER = HOME / "measured"
"""The home folder of this measurement, on the store's claim."""
PORT = 8000


def served(world, base, adapters):
    """A vLLM server in a pod, as docs/cluster.md says to start it; its URL.

    Args:
        world: The world.
        base: The base's folder.
        adapters: Name of an adapter to its folder.
    """
    structured = json.dumps({"backend": "guidance", "disable_any_whitespace": True})
    lora = ["--enable-lora", "--max-loras", str(len(adapters)), "--max-lora-rank", "8", "--lora-modules"]
    words = ["--model", str(base), "--served-model-name", "base", "--dtype", "float32", "--max-model-len", "512"]
    options = ["--structured-outputs-config", structured, "--enforce-eager", "--host", "0.0.0.0", "--port", str(PORT)]
    command = ["python3", "-m", "vllm.entrypoints.openai.api_server", *words, *options, *lora]
    container = pods.container(
        pods.Container(
            "engine",
            world.python,
            [*command, *(f"{name}={folder}" for name, folder in adapters.items())],
            env={
                "PYTHONPATH": python.packages("vllm"),
                "VLLM_CPU_KVCACHE_SPACE": "1",
                "VLLM_NO_USAGE_STATS": "1",
                "HF_HUB_OFFLINE": "1",
            },
            resources={"cpu": "300m", "memory": "4Gi"},
            mounts={
                "store": (str(HOME), True),
                "python": (python.MOUNT, True),
                "shared-memory": pods.SHARED_MEMORY,
            },
            limited=False,
            more=engines.probed("/health", PORT, 400),
        )
    )
    volumes = {
        "store": pods.claim(CLAIM),
        "python": pods.claim(PYTHON, read_only=True),
        "shared-memory": pods.shared_memory("512Mi"),
    }
    about = {"name": "measures", "namespace": NAMESPACE}
    apply(
        [{"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": pods.pod([container], config.Place(), volumes)}]
    )
    wait("pod/measures", "condition=Ready", 400)
    address = kubectl("get", "pod", "--namespace", NAMESPACE, "measures", "--output=jsonpath={.status.podIP}")
    return f"http://{address}:{PORT}"


def test_records_of_vllm_with_adapters_hold_the_texts_of_records_in_process(world, monkeypatch):
    """Greedy, every text is the same: prefills, and schemas that both sides enforce, included."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    untrained = testing.random_bundle(FOLDER / "untrained", testing.toy_task(), max_length=512) / "evaluator"
    measurement = learnt.world(FOLDER, testing.toy_task(), untrained, monkeypatch, adapters=True)
    ours, _ = measurement.measured()
    for path in FOLDER.rglob("*"):  # made by us, read by the pod's user
        shutil.chown(path, USER, USER)
    base, *adapters = measurement.weights.items()
    names = {f"{name}-{digest.short(digest.of_files(folder))}": folder for name, folder in adapters}
    url = served(world, base[1], names)
    try:
        monkeypatch.setenv("PROSEFORM_PLACE", f'[evaluate.engine]\nurl = "{url}"\n')
        theirs, report = measurement.measured()
    finally:
        kubectl("delete", "pod", "--namespace", NAMESPACE, "measures", "--wait=false")
    assert report["meta"]["machine"] == f"vllm server at {url}"
    assert learnt.greedy(theirs) == learnt.greedy(ours)
    held, free = (theirs[f"formatter/grpo/{decoding}/schemas/schema-0/0"] for decoding in ("constrained", "free"))
    assert (held.verdicts["verifier"], held.text == free.text) == ("verified", False)
