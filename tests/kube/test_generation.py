"""The generation server is what TRL asks for, is restricted, and is reached by its own training job alone."""

from __future__ import annotations

from typing import Any

import pytest

from proseform import config
from proseform.kube import generation, jobs

PLACE = config.Cluster.model_validate({"namespace": "here", "jobs": {"tolerations": [{"key": "gpu"}]}})
WANTED = generation.Generation("grpo-0123456789ab", "/home/x/store/base/0", "/home/x", PLACE, max_length=2048, gpus=2)


def made() -> dict[str, dict[str, Any]]:
    return {each["kind"]: each for each in generation.build(WANTED)}


@pytest.mark.parametrize("kind", ["NetworkPolicy", "Service", "Deployment"])
def test_kubernetes_knows_every_field(kind: str) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed").validate
    validate(made()[kind], "1.34", strict=True)


def test_a_field_that_nobody_knows_is_found() -> None:
    """The strict schemas can fail."""
    known = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    deployment = made()["Deployment"]
    deployment["spec"]["template"]["spec"]["containers"][0]["imagePullpolicy"] = "Never"
    with pytest.raises(known.ValidationError):
        known.validate(deployment, "1.34", strict=True)


def test_it_is_what_trl_would_start() -> None:
    """TRL's own command, as its script builds it, but for the interpreter's path and what is left at its default."""
    from trl.scripts import vllm_serve

    arguments = vllm_serve.ScriptArguments(
        model=WANTED.model, host="0.0.0.0", port=8000, tensor_parallel_size=2, max_model_len=2048, dtype="bfloat16"
    )
    theirs, mine = vllm_serve.build_command(arguments), generation.argv(WANTED)
    assert mine[1:5] == theirs[1:5]
    for at, word in enumerate(mine):
        if (
            word.startswith("--") and word != "--enable-scale-out"
        ):  # which it adds where vLLM 0.30 or later is installed
            assert mine[at + 1] == theirs[theirs.index(word) + 1], word
    container = made()["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "VLLM_SERVER_DEV_MODE", "value": "1"} in container["env"]


def test_only_the_pods_of_its_own_job_reach_it() -> None:
    (rule,) = made()["NetworkPolicy"]["spec"]["ingress"]
    training = jobs.Training(WANTED.job, "proseform.train.grpo", "/home/x/job.json", "/home/x", PLACE)
    (job,) = jobs.build(training)
    labels = job["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["metadata"]["labels"]
    assert rule["from"][0]["podSelector"]["matchLabels"].items() <= labels.items()
    assert made()["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == made()["Service"]["spec"]["selector"]
    assert WANTED.url == "http://grpo-0123456789ab-gen.here.svc:8000"


def test_its_pod_is_restricted_and_reads_the_store_only() -> None:
    spec = made()["Deployment"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"name": "store", "mountPath": "/home/x", "readOnly": True} in container["volumeMounts"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"
