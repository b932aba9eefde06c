"""A bundle's version as Kubernetes objects: its InferenceServices, their runtimes, and the transformer's bundle.

The economical form is one InferenceService: the transformer, and one vLLM engine with a base and an adapter for each
role. The wide form is two: the evaluator's engine, and the formatter's with the transformer, which gets the evaluator's
URL. Each version has its own runtimes: a change to a shared runtime would restart the pods of every version, under
traffic. The transformer gets prompts, schema and digests as a ConfigMap; only engines read the models' files.
Left out: LLMInferenceService, KServe's newer kind. It has no transformer, creates its own router and scheduler (with
the Gateway API's inference extension), and loads each adapter from its own URI, while a bundle has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proseform import config, digest, naming
from proseform.bundle import MANIFEST, Bundle, Role
from proseform.errors import ConfigError
from proseform.infer import vllm
from proseform.kube import engines, pods, scaling
from proseform.kube.engines import CONTAINER, PORT
from proseform.kube.pods import Manifest

TASK, VERSION, BUNDLE, CONTRACT = (f"proseform.dev/{word}" for word in ("task", "version", "bundle", "task-contract"))
"""Labels of every object of a version (the bundle's short digest among them); annotations with the whole digests."""
MODE = "serving.kserve.io/deploymentMode"
FOLDER = "/etc/proseform/bundle"
"""The folder in which the transformer finds ``bundle.json``."""
LEAVING_S = 10
"""What a server takes at most to close its connections and to end, beside its last answers, in seconds."""
KEYS = "/etc/proseform/keys"
"""The folder in which it finds ``keys.json``; a Secret that is changed is mounted anew, and read again."""
CACHE = "/etc/proseform/cache"
"""The folder in which it finds ``secret`` and ``url`` of what replicas share."""
SERVING = "serving.kserve.io/v1beta1"
_ALL: tuple[Role, ...] = ("evaluator", "formatter")
_LONGEST_TASK = naming.LONGEST - len("proseform--v000000-formatter-transformer")
"""Most characters of a task in the name of a Service, with versions of up to six digits."""


@dataclass(frozen=True, slots=True)
class Served:
    """A version that is to be served.

    Attributes:
        bundle: The bundle.
        version: The registry's version number.
        model: The model's name in KServe's protocols; the same for all versions, since clients name it.
        storage: URI of the bundle's folder, for KServe: ``pvc://``, ``s3://`` or ``oci://``.
        place: The cluster.
        max_length: Tokens of prompt and completion.
        ranks: LoRA rank by role, for roles with an adapter.
    """

    bundle: Bundle
    version: str
    model: str
    storage: str
    place: config.Place
    max_length: int
    ranks: Mapping[Role, int]

    @property
    def name(self) -> str:
        """The first part of every object's name: ``proseform-<task>-v<version>``."""
        return name(self.bundle.task, self.version)

    @property
    def wide(self) -> bool:
        """Whether each role has an engine of its own.

        Raises:
            ConfigError: The place asks for the economical form, which this bundle cannot have.
        """
        form, against = self.place.serving.form, vllm.economical(self.bundle)
        if form == "economical" and against:
            raise ConfigError(
                f"serving.form: {against}.", hint='Take "wide" or "auto", or train adapters: [sft.*] lora.'
            )
        return form == "wide" or bool(against)

    @property
    def service(self) -> str:
        """The Service of its transformer, to which routes lead."""
        if self.place.serving.engine.url:
            return f"{self.name}-predictor"
        return f"{self.name}{'-formatter' if self.wide else ''}-transformer"


def name(task: str, version: str) -> str:
    """The first part of the names of a version's objects; two tasks never share one.

    >>> name("toy", "3")
    'proseform-toy-v3'
    """
    return f"proseform-{naming.dns(task, _LONGEST_TASK)}-v{version}"


def build(served: Served) -> list[Manifest]:
    """The objects of a version, InferenceServices last.

    Raises:
        ConfigError: The bundle cannot be served as the place asks; the field is named.
    """
    if not served.wide:
        return [bundle_map(served), *_service(served, served.name, _ALL, transformed=True)]
    evaluator, formatter = f"{served.name}-evaluator", f"{served.name}-formatter"
    url = f"http://{evaluator}-predictor.{served.place.namespace}"
    manifests = [
        bundle_map(served),
        *_service(served, evaluator, ("evaluator",), transformed=False),
        *_service(served, formatter, ("formatter",), transformed=True, more=["--evaluator", url]),
    ]
    return sorted(manifests, key=lambda manifest: manifest["kind"] == "InferenceService")


def labels(task: str, version: str = "") -> dict[str, str]:
    """The labels by which the objects of a task, or of one version, are found."""
    of_version = {VERSION: version} if version else {}
    return {**pods.PART_OF, "app.kubernetes.io/component": "serving", TASK: naming.label(task), **of_version}


def about(served: Served, called: str) -> Manifest:
    """The metadata of an object of a version."""
    bundle = served.bundle
    weights = {f"proseform.dev/{role}": part.adapter_digest or part.base_digest for role, part in bundle.parts.items()}
    return {
        "name": called,
        "namespace": served.place.namespace,
        "labels": {**labels(bundle.task, served.version), BUNDLE: digest.short(bundle.digest)},
        "annotations": {BUNDLE: bundle.digest, CONTRACT: bundle.task_contract, **weights},
    }


def bundle_map(served: Served) -> Manifest:
    """The ConfigMap that holds ``bundle.json``."""
    metadata = about(served, f"{served.name}-bundle")
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "immutable": True,
        "data": {MANIFEST: served.bundle.manifest()},
    }


def runtime(served: Served, called: str, roles: Sequence[Role], port: int = PORT) -> Manifest:
    """The ServingRuntime of an engine: namespaced, and selected by name alone."""
    loaded = vllm.Loaded(served.bundle, roles, served.ranks, served.max_length)
    container = engines.container(loaded, served.place, port)
    if served.place.serving.mode == "standard":
        container |= drained(served.place.serving)
    spec = {
        "supportedModelFormats": [{"name": "vLLM", "autoSelect": False}],
        "multiModel": False,
        "containers": [container],
    }
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": about(served, called),
        "spec": spec,
    }


def transformer(served: Served, called: str = CONTAINER, more: Sequence[str] = ()) -> Manifest:
    """The transformer's container.

    KServe appends ``--predictor_host`` and ``--http_port`` to these arguments.
    """
    place, knobs = served.place, served.place.serving.transformer
    _, _, mounts = pods.environment(knobs.environment)
    secrets = {name: (folder, True) for name, folder, _ in _secrets(served)}
    args = [
        "--task",
        served.bundle.task,
        "--bundle",
        FOLDER,
        "--host",
        pods.every_interface(place),
        "--model_name",
        served.model,
        "--timeout-s",
        str(knobs.timeout_s),
        "--queue",
        str(knobs.queue),
        "--log-format",
        "json",
        *(["--traces", knobs.traces] if knobs.traces else []),
        *(["--keys", f"{KEYS}/keys.json"] if knobs.keys_secret else ["--no-keys"]),
        *(["--cache-secret", f"{CACHE}/secret", "--cache-url-file", f"{CACHE}/url"] if knobs.cache_secret else []),
        *more,
    ]
    command = engines.with_packages(["python3", "-m", "proseform.cli", "serve"], knobs.environment)
    return pods.container(
        pods.Container(
            name=called,
            image=place.images.serve,
            command=command,
            pull_policy=place.images.pull_policy,
            env={"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            resources={"cpu": knobs.cpu, "memory": knobs.memory},
            limited=place.cpu_limits,
            mounts={"bundle": (FOLDER, True), **secrets, **mounts},
            more={"args": args, **engines.probed("/v2/health/ready", PORT, 120, live="/v2/health/live")},
        )
    )


def transformer_volumes(served: Served) -> dict[str, Manifest]:
    """The transformer's volumes: its bundle, and Secrets and a Python environment, where the place names them."""
    _, volumes, _ = pods.environment(served.place.serving.transformer.environment)
    secrets = {name: pods.secret(secret) for name, _, secret in _secrets(served)}
    return {"bundle": {"configMap": {"name": f"{served.name}-bundle"}}, **secrets, **volumes}


def _secrets(served: Served) -> list[tuple[str, str, str]]:
    """The transformer's Secrets that the place names: volume, folder, and the Secret."""
    knobs = served.place.serving.transformer
    named = [("keys", KEYS, knobs.keys_secret), ("cache", CACHE, knobs.cache_secret)]
    return [(name, folder, secret) for name, folder, secret in named if secret]


def _service(
    served: Served, called: str, roles: Sequence[Role], *, transformed: bool, more: Sequence[str] = ()
) -> list[Manifest]:
    """Runtime, disruption budgets and InferenceService of one engine, with or without a transformer."""
    place, serving = served.place, served.place.serving
    metadata = about(served, called)
    patience = {"terminationGracePeriodSeconds": serving.drain_s + serving.transformer.timeout_s + LEAVING_S}
    model = {"modelFormat": {"name": "vLLM"}, "runtime": called, "storageUri": served.storage}
    predictor = {
        **engines.pod(place),
        **patience,
        **scaling.component(serving, place.namespace, called, "predictor"),
    }
    spec: Manifest = {"predictor": {**predictor, "model": model}}
    budgets = scaling.budget(serving, metadata, called, "predictor")
    if transformed:
        container = {**transformer(served, more=more), **drained(serving)}
        knobs = serving.transformer
        spec["transformer"] = {
            **pods.pod([container], place, transformer_volumes(served), knobs, serving.account),
            **({"annotations": dict(knobs.annotations)} if knobs.annotations else {}),
            **patience,
            **scaling.component(serving, place.namespace, called, "transformer"),
        }
        budgets += scaling.budget(serving, metadata, called, "transformer")
    notes = {**metadata["annotations"], MODE: "Standard", scaling.CLASS: serving.scaling.by}
    service = {
        "apiVersion": SERVING,
        "kind": "InferenceService",
        "metadata": {**metadata, "annotations": notes},
        "spec": spec,
    }
    return [runtime(served, called, roles), *budgets, service]


def drained(serving: config.Serving) -> Manifest:
    """The lifecycle of a container that goes on answering for ``drain_s`` after its pod is deleted.

    In that time gateways and proxies stop sending it requests. The kubelet itself sleeps before it signals the end.
    """
    return {"lifecycle": {"preStop": {"sleep": {"seconds": serving.drain_s}}}} if serving.drain_s else {}
