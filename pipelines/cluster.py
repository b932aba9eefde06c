"""A pipeline as a KFP server runs it: with an exit handler around it, and with the resources that each pod needs.

The place says what pods need. Every step gets it in its environment, so that the jobs it starts and the services it
applies are at the same place. kfp-kubernetes cannot set a read-only root or a seccomp profile, so the steps' namespace
cannot enforce PodSecurity "restricted"; the namespace of jobs and services does.
"""

import functools
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.json_format import MessageToDict
from kfp import dsl, kubernetes
from kfp.dsl.graph_component import GraphComponent
from kfp.dsl.pipeline_context import Pipeline

from components import cleanup
from pipelines.promote import promote_candidate
from pipelines.train import train
from proseform import config
from proseform.kube import pods

SECRETS = "/etc/proseform/secrets"
PIPELINES = {"train": train, "promote": promote_candidate}


def write(run: str, place: str, folder: Path, names: Iterable[str] = tuple(PIPELINES)) -> dict[str, Path]:
    """Compile pipelines for a run and a place; name to file.

    Raises:
        ConfigError: No such run or place, or a wrong key or value in one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.yaml" for name in names}
    for name, file in files.items():
        pipeline = on_cluster(PIPELINES[name], run, place)
        # Not by KFP's compiler: it puts defaults into a comment of one line, and a run file has many.
        specs = (pipeline.pipeline_spec, pipeline.platform_spec)
        file.write_text(yaml.safe_dump_all(MessageToDict(spec) for spec in specs), encoding="utf-8")
    return files


def on_cluster(story: GraphComponent, run: str, place: str) -> GraphComponent:
    """A pipeline for a place, with an exit handler that deletes the jobs that are left.

    The run becomes the default of the parameter ``run``.
    """
    config.load(run)  # a wrong key is an error here, before any step
    text, where, where_text = config.toml(run), config.PLACES.load(place), config.PLACES.portable(place)

    @functools.wraps(story.pipeline_func)
    def whole(*channels: Any) -> None:
        parameters = dict(zip(inspect.signature(story.pipeline_func).parameters, channels, strict=True))
        with dsl.ExitHandler(cleanup(), name="story"):
            story.pipeline_func(**parameters)
        for task in Pipeline.get_default_pipeline().tasks.values():
            _settle(task, where, where_text)

    own = inspect.signature(story.pipeline_func)
    parameters = [
        parameter.replace(default=text) if name == "run" else parameter for name, parameter in own.parameters.items()
    ]
    signature = own.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    whole.__signature__ = signature  # type: ignore[attr-defined]
    return dsl.pipeline(name=story.name, description=story.description)(whole)


def _settle(task: dsl.PipelineTask, place: config.Place, text: str) -> None:
    """State what the pod of a step needs; ``text`` is the place as the step reads it."""
    steps = place.steps
    task.set_container_image(place.images.pipeline)
    task.set_caching_options(False)  # ours is exact: a stage adopts the result of the same inputs and code
    task.set_retry(num_retries=steps.retries, backoff_duration="30s", backoff_factor=2, backoff_max_duration="600s")
    task.set_cpu_request(steps.cpu).set_memory_request(steps.memory).set_memory_limit(steps.memory)
    if place.cpu_limits:
        task.set_cpu_limit(steps.cpu)
    settings = {"PROSEFORM_HOME": steps.home, "PROSEFORM_PLACE": text, "HOME": "/tmp"}  # noqa: S108 - a pod's own
    if steps.secret:
        kubernetes.use_secret_as_volume(task, secret_name=steps.secret, mount_path=SECRETS)
        settings["AWS_SHARED_CREDENTIALS_FILE"] = f"{SECRETS}/aws"
    for name, value in settings.items():
        task.set_env_variable(name, value)
    kubernetes.use_field_path_as_env(task, env_name="PROSEFORM_RUN", field_path="metadata.labels['pipeline/runid']")
    kubernetes.mount_pvc(task, pvc_name=place.claim, mount_path=steps.home)
    kubernetes.set_image_pull_policy(task, place.images.pull_policy)
    kubernetes.set_security_context(task, run_as_user=place.user, run_as_group=place.user, run_as_non_root=True)
    if place.pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(place.pull_secrets))
    for key, value in steps.annotations.items():
        kubernetes.add_pod_annotation(task, annotation_key=key, annotation_value=value)
    for key, value in steps.node_selector.items():
        kubernetes.add_node_selector(task, label_key=key, label_value=value)
    for toleration in steps.tolerations:
        kubernetes.add_toleration(task, **pods.toleration(toleration))
