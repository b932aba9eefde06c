"""Preflight: before anything starts, check that task, run and place fit together. Not a stage."""

from __future__ import annotations

import os
from pathlib import Path

from proseform import config, naming
from proseform.bundle import ROLES
from proseform.data import splits
from proseform.errors import ConfigError
from proseform.registry import await_answer
from proseform.stages import cache, served, start
from proseform.task import GRAMMAR, Task
from proseform.train import memory, sampling


def check(
    task: str,
    run: str,
    place: config.Place | None = None,
    *,
    name: str = "",
    tracking_uri: str = "",
    asked: bool = True,
) -> tuple[Task, config.Run]:
    """Load task and run, and check them against each other and against the place.

    Args:
        task: The task's name.
        run: A run's name, path or TOML text.
        place: The place on Kubernetes; None: this machine.
        name: The registered model's name; empty takes the run's, and then the task's own.
        tracking_uri: MLflow's; empty takes ``MLFLOW_TRACKING_URI``, and then SQLite in the home folder.
        asked: Whether to ask cluster and registry; those of a KFP server cannot be reached from here.

    Raises:
        ConfigError: A wrong key or value, no model, or a name that is invalid elsewhere; the field is named.
        TaskError: No such task, a broken law, or no such rubric variant.
        InputError: No such level or format.
        RowError: A row of the case file has a wrong shape; line and field are named.
        ClusterError: The place's cluster does not answer.
        EngineError: The evaluate stage's engine by URL does not answer, or does not serve a model whose name is known.
        RegistryError: Nothing answers at the tracking URI.
    """
    resolved, the_task = config.load(run), cache.load_task(task)
    _named(the_task, name)
    rubric = the_task.rubric(resolved.grpo.rubric, resolved.grpo.accuracy_exponent)
    splits.check(the_task, resolved.dataset, resolved.evaluate.levels, rubric)
    _guided(the_task, resolved)
    _model(resolved, place, asked=asked)
    _start(resolved, place, asked=asked)
    if place is None:
        sampling.check(resolved, gpus=memory.installed() is not None)
    if asked:
        await_answer(tracking_uri)
    if place is not None:
        _fits(resolved, place)
        if asked:
            _cluster(place)
            if place.evaluate.engine.url:
                served.preflight(place.evaluate.engine)
    return the_task, resolved


def _named(task: Task, model: str) -> None:
    """Check names, which become folders, URL segments, and names in MLflow and Kubernetes.

    Raises:
        ConfigError: A name is invalid in one of these; its field is named.
    """
    for field, text in (("task.toml: name", task.name), ("--name", model), ("PROSEFORM_RUN", cache.home().run)):
        if text and (against := naming.fault(text)):
            raise ConfigError(f"{field}: {against}.")


def _guided(task: Task, run: config.Run) -> None:
    """Check that there is a form that evaluations can be held to, where they are to be.

    Raises:
        ConfigError: The task states none.
    """
    if run.generation.guided and not task.grammar:
        raise ConfigError(
            f"generation.guided: the task '{task.name}' has no {GRAMMAR}.",
            hint="State the form of its evaluations there, or leave them free.",
        )


def _model(run: config.Run, place: config.Place | None, *, asked: bool) -> None:
    """Check that the model is named, that its readers can reach it, and that it fits GPUs of known memory.

    Args:
        run: Names the model; a folder begins with ``.``, ``/`` or ``~``.
        place: Its pods read the model, and see the home folder alone. None: this machine reads it.
        asked: Whether the place's home folder is on this machine too.

    Raises:
        ConfigError: The model is not named, out of reach, or too large.
    """
    name = run.model.name
    if run.model.source != "hub":
        return
    if not name:
        raise ConfigError(
            "model.name is empty.", hint="Give a repository of a model hub, or the folder of a Hugging Face model."
        )
    if not name.startswith((".", "/", "~")):
        return  # the base worker checks what it fetches
    folder = Path(name).expanduser()
    if not _here("model.name", name, place, asked=asked):
        return
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"model.name: no model in the folder {name}.", hint="It holds config.json, weights and tokenizer."
        )
    limit = memory.gpu_bytes(run, here=place is None)
    if limit is not None:
        memory.check(memory.shapes_of(folder), run, limit)


def _start(run: config.Run, place: config.Place | None, *, asked: bool) -> None:
    """Check the weights that training goes on from, where a run names any; arguments as for :func:`_model`.

    Raises:
        ConfigError: They are out of reach, or not there.
    """
    for role in ROLES:
        knobs: config.Sft = getattr(run.sft, role)
        field = f"sft.{role}.start"
        if knobs.start and _here(field, knobs.start, place, asked=asked):
            start.check(field, knobs)


def _here(field: str, stated: str, place: config.Place | None, *, asked: bool) -> bool:
    """Whether a folder that a run names can be looked into from here.

    Raises:
        ConfigError: The place's pods do not see it.
    """
    if place is None:
        return True
    home = cache.home().root if asked else Path(place.steps.home)
    if not Path(os.path.normpath(Path(stated).expanduser())).is_relative_to(home):
        raise ConfigError(
            f"{field}: pods do not see the folder {stated}.",
            hint=f"Put it on the claim, below the home folder: {home}/models/NAME.",
        )
    return asked  # a KFP server's claim is not here


def _fits(run: config.Run, place: config.Place) -> None:
    """Check that the processes divide among the pods, and that the trained models can be served as the place asks.

    Raises:
        ConfigError: They do not divide; the place has no GPU for a vLLM that samples; the formatter is an
            encoder-decoder, which its engines do not serve; or it serves adapters on one base, and a role has none.
    """
    nodes, processes = place.jobs.nodes, run.launch.processes
    if processes % nodes:
        raise ConfigError(
            f"launch.processes: {processes} processes do not divide among the {nodes} pods of the place's jobs.nodes."
        )
    engine = run.grpo.generation
    if engine.vllm and not place.jobs.gpus:
        raise ConfigError(
            f'grpo.generation.engine: "{engine.engine}" gets its weights by NCCL, from a GPU; '
            "the place's jobs.gpus is 0.",
            hint='Give the jobs GPUs, or set grpo.generation.engine = "in-process".',
        )
    if engine.url:
        raise ConfigError(
            "grpo.generation.url: at a place the server stands beside the job and its address is known.",
            hint="Leave it out, or train on this machine.",
        )
    serving = place.serving
    if run.formatter.kind == "seq2seq" and not serving.engine.url:
        raise ConfigError(
            "formatter.kind: the place serves by vLLM, which serves no encoder-decoder.",
            hint="Take formatter.kind 'causal', or run without a place and answer in process.",
        )
    whole = [role for role in ("evaluator", "formatter") if getattr(run.sft, role).lora is None]
    if whole and not serving.engine.url and (serving.form == "economical" or serving.mode == "serverless"):
        field = "form" if serving.form == "economical" else "mode"
        raise ConfigError(
            f"serving.{field}: '{getattr(serving, field)}' serves adapters on one base; sft.{whole[0]} trains a whole "
            "model.",
            hint=f"Give sft.{whole[0]} a lora, or take form 'auto' and mode 'standard'.",
        )


def _cluster(place: config.Place) -> None:
    """Check that the cluster answers, and has the namespace and the claim that jobs need.

    Raises:
        ClusterError: It does not answer, or refuses.
        ConfigError: No such namespace or claim.
    """
    from proseform.kube.api import Api

    api = Api(place.namespace, patience_s=5)
    if api.get("v1", "Namespace", place.namespace) is None:
        raise ConfigError(
            f"namespace: the cluster has no namespace '{place.namespace}'.",
            hint="Install the chart, or name another.",
        )
    if api.get("v1", "PersistentVolumeClaim", place.claim) is None:
        raise ConfigError(
            f"claim: namespace '{place.namespace}' has no claim '{place.claim}'.",
            hint="Install the chart, or name the claim that holds the home folder.",
        )
