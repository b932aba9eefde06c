"""The vLLM server beside a GRPO job: a job of the same kind, of one pod, that samples and is sent the weights.

It is a job of the training operator, since the operator gives a pod an address that other pods know, and the pipeline's
account may create such jobs already: the server needs no right that training does not need. It belongs to the training
job (an owner reference), has its deadline, and is deleted when that ends, however it ends. It is in no queue: Kueue
would admit the two one by one, and one of them would wait for the other in vain.

Flags are those that TRL 1.16 names in ``trl.generation.vllm_client``. Its development mode lets whoever reaches the
server call into it; the chart's network policy lets the pods of training jobs reach one another, and nobody else.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from proseform import config, launch, store
from proseform.config.sampling import ADDRESS
from proseform.kube import engines, jobs, pods
from proseform.kube.jobs import Training
from proseform.kube.pods import Manifest

PORT = 8000
TRANSFER = json.dumps({"backend": "nccl"}, separators=(",", ":"))
_SUFFIX = "-vllm"


def name(training: Training) -> str:
    """The server's job."""
    return f"{training.name}{_SUFFIX}"


def url(training: Training) -> str:
    """The server's address: the Service that the operator makes for the job's pod, or JobSet's name of it."""
    called, namespace = name(training), training.place.namespace
    if training.place.jobs.kind == "PyTorchJob":
        return f"http://{called}-master-0.{namespace}:{PORT}"
    return f"http://{called}-node-0-0.{called}.{namespace}:{PORT}"


def beside(training: Training) -> Training:
    """The training job as it is beside a server: it knows the address, and a failure ends both.

    A trainer that is restarted would find the server in the group of the one that has failed.
    """
    place = training.place
    once = place.model_copy(update={"jobs": place.jobs.model_copy(update={"restarts": 0})})
    return replace(training, place=once, environment={**training.environment, ADDRESS: url(training)})


def of(training: Training, job: launch.Job) -> list[Manifest]:
    """The objects of a job's server; none where its run asks for none."""
    stated = job.settings.get("run", {})
    if job.stage != "grpo" or stated.get("grpo", {}).get("generation", {}).get("engine") != "vllm-server":
        return []
    run = config.Run.model_validate(stated)
    if not run.grpo.steps:
        return []
    model = store.fetch(store.Ref.parse(job.inputs["base"]), Path(job.work) / "inputs", shared=True)
    return build(training, str(model), run)


def build(training: Training, model: str, run: config.Run) -> list[Manifest]:
    """The server's objects, its job last.

    Args:
        training: The job that it stands beside.
        model: The folder of the model that the policy has the shape of, as pods see it.
        run: ``grpo.generation`` and ``model`` count.
    """
    place = training.place
    alone: Manifest = {"nodes": 1, "restarts": 0, "queue": ""}
    placed = {field: getattr(place.generation, field) for field in config.Placed.model_fields}
    there = place.model_copy(update={"jobs": place.jobs.model_copy(update={**alone, **placed})})
    server = replace(training, name=name(training), place=there, world_size=1, environment={})
    return jobs.build(server, _pod(server, model, run))


def argv(place: config.Place, model: str, run: config.Run) -> list[str]:
    """The server's command, in a pod as on a machine.

    Args:
        place: Where it listens, and further arguments.
        model: The folder of the model.
        run: Length and type of the model, and what ``grpo.generation`` says.
    """
    knobs = run.grpo.generation
    words = [
        *("python3", "-m", "vllm.entrypoints.openai.api_server"),
        *("--host", pods.every_interface(place), "--port", str(PORT)),
        *("--model", model, "--served-model-name", "policy"),
        *("--max-model-len", str(run.model.max_length), "--dtype", run.model.dtype),
        *("--gpu-memory-utilization", str(knobs.share), "--tensor-parallel-size", str(knobs.tensor_parallel)),
        *("--weight-transfer-config", TRANSFER),
        *("--logprobs-mode", "processed_logprobs", "--max-logprobs", "-1"),
    ]
    return [*words, *place.generation.arguments]


def _pod(server: Training, model: str, run: config.Run) -> Manifest:
    """The spec of the server's pod."""
    place, jobs_, needs = server.place, server.place.jobs, server.place.generation
    env = {"VLLM_SERVER_DEV_MODE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    container = pods.container(
        pods.Container(
            name=jobs.CONTAINER[jobs_.kind],
            image=place.images.generation,
            command=argv(place, model, run),
            pull_policy=place.images.pull_policy,
            env=env,
            resources=pods.resources(needs.cpu, needs.memory, run.grpo.generation.tensor_parallel, jobs_.gpu_resource),
            limited=place.cpu_limits,
            mounts={"store": (server.home, True), "shared-memory": pods.SHARED_MEMORY},
            more=engines.probed("/health", PORT, needs.start_s),
        )
    )
    volumes = {
        "store": pods.claim(place.claim, read_only=True),
        "shared-memory": pods.shared_memory(jobs_.shared_memory),
    }
    return jobs.ended(pods.pod([container], place, volumes, needs, jobs_.account), jobs_)
