"""The section ``[serving]`` of a place: the services of a promoted bundle."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from proseform.config.placement import Environment, Host, Key, Name, OptionalName, Placed, Quantity, Url
from proseform.config.section import Count, Positive, Section

Quantization = Literal["none", "fp8_per_tensor", "fp8_per_channel", "fp8_per_block", "mxfp8", "mxfp4"]
"""How vLLM 0.32 quantises the linear layers of weights that are not quantised yet, in its own words. Its other names
want a checkpoint that was quantised before, or quantise experts alone."""


class Engine(Placed):
    """The engines: vLLM, which KServe calls a predictor; or any OpenAI-compatible server, by its URL."""

    url: Url = ""
    """URL of a server that runs the models; empty: vLLM engines of each bundle's own."""
    dialect: Literal["vllm", "openai"] = "vllm"
    """With url: how a schema is sent to the server, as vLLM's structured_outputs or OpenAI's response_format."""
    models: Annotated[str, Field(pattern=r"^[^, ]+,[^, ]+$")] = "evaluator,formatter"
    """With url: the names of evaluator and formatter at the server."""
    key_secret: OptionalName = ""
    """With url: a Secret whose entry named key holds the server's API key; empty sends none."""
    replicas: Positive = 1
    """Pods of each engine."""
    replicas_max: Count = 0
    """Most pods of each engine when serving.scaling adds some; 0: as many as replicas."""
    cpu: Quantity = "4"
    """CPU request of a pod; also its limit if cpu_limits is true."""
    memory: Quantity = "16Gi"
    """Memory request and limit of a pod."""
    gpus: Count = 1
    """GPUs of a pod; the model is split over them (tensor parallel). 0 runs on the CPU."""
    gpu_resource: Key = "nvidia.com/gpu"
    """The name under which the cluster counts GPUs."""
    shared_memory: Quantity = "2Gi"
    """Size of /dev/shm, through which vLLM's processes communicate."""
    dtype: Literal["", "auto", "bfloat16", "float16", "float32"] = ""
    """Type of weights and arithmetic, in vLLM's words; empty uses the bundle's."""
    quantization: Quantization = "none"
    """Weights of 8 bits (fp8_*, mxfp8) or 4 (mxfp4), made while vLLM loads them; none serves them unchanged."""
    lookup: Count = 0
    """Most tokens that vLLM drafts of what stood behind the same ones before (n-gram speculation); 0 drafts none."""
    memory_share: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of a GPU's memory that vLLM uses."""
    kv_cache_gib: Positive = 1
    """Size of the KV cache in GiB when there is no GPU."""
    eager: bool = False
    """Run without compiled graphs: faster start, slower answers."""
    arguments: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Further arguments of vLLM's server."""
    start_s: Positive = 900
    """Longest time for an engine to load its models, in seconds, before it is restarted."""
    environment: Environment | None = None
    """A Python environment with vLLM on a claim; absent takes the image's."""


class Transformer(Placed):
    """The transformers: they ask the engines and verify every answer before it leaves."""

    replicas: Positive = 1
    """Pods of the transformer."""
    replicas_max: Count = 0
    """Most pods when serving.scaling adds some; 0: as many as replicas."""
    cpu: Quantity = "1"
    """CPU request of a pod; also its limit if cpu_limits is true."""
    memory: Quantity = "1Gi"
    """Memory request and limit of a pod."""
    timeout_s: Positive = 60
    """Longest time for an answer, in seconds."""
    queue: Count = 64
    """Requests that may wait in a pod; one more is rejected at once with 503 and Retry-After."""
    keys_secret: OptionalName = ""
    """A Secret whose entry keys.json holds callers' API keys (proseform keys); empty: the gateway decides who asks."""
    cache_secret: OptionalName = ""
    """A Secret with the entries secret and url: pods share evaluations by that Valkey or Redis server; empty: none."""
    traces: Url = ""
    """URL of an OTLP/HTTP collector that gets traces, as http://collector.observability:4318; empty sends none."""
    environment: Environment | None = None
    """A Python environment with Proseform on a claim; absent takes the image's."""


class Scaling(Section):
    """What adds and removes pods."""

    by: Literal["none", "hpa", "keda"] = "none"
    """none: a fixed number of pods; hpa: by CPU use; keda: engines by waiting requests, transformers by CPU use."""
    cpu: Annotated[int, Field(ge=1, le=100)] = 80
    """Target CPU use of a pod, in percent of its request."""
    waiting: Positive = 4
    """With keda: target number of requests that wait for one engine pod (vllm:num_requests_waiting)."""
    prometheus: str = "http://prometheus-operated.monitoring.svc:9090"
    """With keda: the Prometheus that holds vLLM's metrics; the chart's ServiceMonitors collect them."""


class Serving(Section):
    """The services of a promoted bundle."""

    form: Literal["auto", "economical", "wide"] = "auto"
    """economical: one engine holds a base and both adapters; wide: one engine a role; auto: economical if possible."""
    mode: Literal["standard", "serverless"] = "standard"
    """standard: an HTTPRoute splits traffic between versions; serverless: Knative does, by canaryTrafficPercent."""
    storage: Annotated[str, Field(pattern=r"^((pvc|s3|oci|oci\+native)://[^/].*)?$")] = ""
    """Where engines load bundles from. Empty: the claim; pvc://: a folder; s3://: MLflow's files; oci://: images."""
    account: OptionalName = ""
    """Service account of the pods, with KServe's credentials for s3://; empty: the default one. No token is mounted."""
    gateway: Name = "proseform"
    """The Gateway that routes attach to, in the same namespace."""
    hostname: Host = ""
    """Host name of the routes; empty: every host of the gateway."""
    url: str = ""
    """URL of the gateway, for the probe; empty uses the address in the Gateway's status."""
    ready_s: Positive = 1200
    """Longest time for a version to become ready, in seconds; deploy --wait overrides it."""
    pending_s: Positive = 300
    """Longest time without a node or an image, or in a crash loop, in seconds, before deploy gives up."""
    drain_s: Count = 10
    """How long a terminating pod still accepts requests, in seconds, until every gateway has noticed."""
    keep: Count = 1
    """Versions without traffic that promote keeps ready for a rollback; older ones are removed."""
    scaling: Scaling = Scaling()
    engine: Engine = Engine()
    transformer: Transformer = Transformer()
