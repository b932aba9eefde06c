"""The values of the chart ``charts/proseform``: every one once, with one sentence, its default and its bounds.

``manifests/render.py`` derives ``values.yaml``, ``values.schema.json`` and the table in the chart's README from it.
Helm checks values by the schema alone, so a type or a pattern here refuses every wrong value that it can; patterns mean
the same to Go's engine as to Python's. Left out: values for what a kustomize patch does as well, such as affinity or
annotations.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from proseform.config import Section
from proseform.config.placement import Host, Name, OptionalName, Quantity
from proseform.config.section import Positive, Share
from proseform.versions import images


def _version(tag: str) -> str:
    """A tag that names a version."""
    if tag == "latest":
        raise ValueError("'latest' is no version")
    return tag


Repository = Annotated[str, Field(pattern=r"^[a-z0-9]+([._:/-]+[a-z0-9]+)*$", max_length=255)]
Tag = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", json_schema_extra={"not": {"const": "latest"}}),
    AfterValidator(_version),
]
Digest = Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")]
Port = Annotated[int, Field(ge=1, le=65535)]
_IPV4 = r"[0-9]{1,3}(\.[0-9]{1,3}){3}/([0-9]|[12][0-9]|3[0-2])"
_IPV6 = r"[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8])"
Cidr = Annotated[str, Field(pattern=f"^({_IPV4}|{_IPV6})$")]

_REPOSITORY, _, _TAG = images()["pipeline"].partition(":")


class Image(Section):
    """A container image."""

    repository: Repository = _REPOSITORY
    """Its repository, without tag or digest."""
    tag: Tag = _TAG
    """Its tag, which is only informative if a digest is given; never "latest"."""
    digest: Digest = ""
    """Its digest, which then decides what runs; empty takes the tag."""


class Resources(Section):
    """A container's resources: both request and limit."""

    cpu: Quantity = "500m"
    """Processor."""
    memory: Quantity = "2Gi"
    """Memory."""


class Store(Section):
    """The claim that holds the home folder and the store of training runs."""

    create: bool = True
    """Whether the chart creates the claim; false if a claim of this name exists already."""
    size: Quantity = "20Gi"
    """Its size."""
    accessMode: Literal["ReadWriteOnce", "ReadWriteMany"] = "ReadWriteMany"  # noqa: N815 - Helm's way of writing
    """ReadWriteMany, or ReadWriteOnce if all pods run on one node."""
    storageClass: OptionalName = ""  # noqa: N815
    """Its storage class; empty takes the cluster's default."""
    keep: bool = True
    """Whether the claim outlives an uninstall."""


class Gateway(Section):
    """The Gateway (Gateway API) in front of the services; routes come with each promoted bundle."""

    create: bool = True
    """Whether the chart creates it."""
    className: Name = "traefik"  # noqa: N815
    """The GatewayClass, which names the implementation."""
    port: Port = 80
    """Port of its listener."""
    hostname: Host = ""
    """Host that it answers to, "*.example.org" for all below it; empty answers to every host."""
    tlsSecret: OptionalName = ""  # noqa: N815
    """A Secret of kind kubernetes.io/tls; empty listens without TLS."""


class Database(Section):
    """Where MLflow keeps runs and versions: PostgreSQL, or SQLite on a claim of its own."""

    secret: OptionalName = ""
    """A Secret with libpq's service file as key pg_service.conf, section [mlflow]; empty: SQLite."""
    cidr: Cidr = "10.0.0.0/8"
    """Addresses of PostgreSQL, which MLflow may reach."""
    port: Port = 5432
    """Port of PostgreSQL."""


class ObjectStore(Section):
    """Where artifacts lie: a bucket of an S3 API, or MLflow's own claim."""

    bucket: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*)?$")] = ""
    """Bucket, and prefix after a slash; empty: artifacts lie on MLflow's claim."""
    endpoint: Annotated[str, Field(pattern=r"^(https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?)?$")] = ""
    """Address of an S3 API that is not AWS's own."""
    secret: OptionalName = ""
    """A Secret whose key aws is a shared credentials file; empty if the nodes give identity."""
    cidr: Cidr = "0.0.0.0/0"
    """Addresses of the object store, which all pods that load or store may reach; narrow it if you can."""
    port: Port = 443
    """Port of the object store."""


class Mlflow(Section):
    """The MLflow server."""

    create: bool = True
    """Whether the chart creates it; false if there is one already."""
    image: Image = Image()
    replicas: Positive = 1
    """Pods; more than one needs PostgreSQL and a bucket."""
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Processes of a pod."""
    hosts: list[Host] = Field(default_factory=list, max_length=32)
    """Host names that it answers to, besides its Service's."""
    resources: Resources = Resources()
    claimSize: Quantity = "10Gi"  # noqa: N815
    """Size of its claim, which is created unless both database and bucket are given."""
    storageClass: OptionalName = ""  # noqa: N815
    """Storage class of its claim; empty takes the cluster's default."""
    database: Database = Database()


class Hub(Section):
    """Access to the model hub, for the job that downloads the base alone."""

    create: bool = False
    """Whether the policy allows it; without it a base lies on the claim, in the home folder."""
    cidr: Cidr = "0.0.0.0/0"
    """Addresses of the hub; 0.0.0.0/0 and ::/0 leave out private ones."""
    port: Port = 443
    """Port of the hub."""


class Engine(Section):
    """Access to an engine by URL (a place's serving.engine.url), for the transformers that use it alone."""

    create: bool = False
    """Whether the policy allows it."""
    namespace: OptionalName = ""
    """Its namespace, if it runs on this cluster; empty takes cidr."""
    cidr: Cidr = "0.0.0.0/0"
    """Its addresses, if it runs elsewhere; 0.0.0.0/0 and ::/0 leave out private ones."""
    port: Port = 443
    """Port of the engine; of its pods, if it runs on this cluster."""


class EvaluateEngine(Engine):
    """Access to an engine by URL that measurement asks (a place's evaluate.engine.url), for a pipeline's pods alone."""


class Collector(Engine):
    """Access to a collector of traces (a place's serving.transformer.traces), for transformers alone."""

    port: Port = 4318
    """Port of the collector; of its pods, if it runs on this cluster."""


class Cache(Engine):
    """Access to a server of shared evaluations (a place's serving.transformer.cache_secret), for transformers alone."""

    port: Port = 6379
    """Port of the server; of its pods, if it runs on this cluster."""


class Admission(Section):
    """The jobs and services that the pipeline's account may create, by a ValidatingAdmissionPolicy for each kind."""

    create: bool = False
    """Whether the chart creates the policies, which are cluster-wide; installing it then needs the right to."""
    images: list[Annotated[str, Field(pattern=r"^[a-z0-9]+([._:/-]+[a-z0-9]+)*/?$", max_length=255)]] = Field(
        default=["proseform/", "vllm/vllm-openai"], max_length=32
    )
    """Images that pods may run: repositories, or with a slash at the end all below."""
    accounts: list[Name] = Field(default_factory=list, max_length=8)
    """Service accounts that pods may have, besides the chart's own for training and serving, and the default."""
    secrets: list[Name] = Field(default_factory=list, max_length=8)
    """Secrets that pods may mount, such as the hub's token."""


class Network(Section):
    """NetworkPolicies: all traffic into and out of the namespace is blocked, except what is listed."""

    create: bool = True
    """Whether the chart creates them; a network plug-in has to enforce them."""
    gatewayNamespace: Name = "traefik"  # noqa: N815
    """Namespace of the gateway's pods, which alone bring requests from outside."""
    pipelinesNamespace: Name = "kubeflow"  # noqa: N815
    """Namespace of Kubeflow Pipelines, which steps report to."""
    monitoringNamespace: Name = "monitoring"  # noqa: N815
    """Namespace of Prometheus."""
    dnsNamespace: Name = "kube-system"  # noqa: N815
    """Namespace of the cluster's DNS."""
    apiServerCidr: Cidr = "10.0.0.0/8"  # noqa: N815
    """Addresses of the API server's endpoints (kubectl get endpointslices -n default), for pipeline steps alone."""
    apiServerPort: Port = 6443  # noqa: N815
    """Port of the API server's endpoints."""
    hub: Hub = Hub()
    engine: Engine = Engine()
    evaluateEngine: EvaluateEngine = EvaluateEngine()  # noqa: N815
    collector: Collector = Collector()
    cache: Cache = Cache()


class Monitoring(Section):
    """Objects for the Prometheus Operator and Grafana, whose CRDs must be installed."""

    create: bool = False
    """Whether the chart creates ServiceMonitors, PrometheusRule and dashboard."""
    labels: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$")],
        Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]*)?$")],
    ] = Field(default_factory=dict)
    """Labels by which your Prometheus selects monitors and rules."""
    interval_s: Annotated[int, Field(ge=5, le=600)] = 30
    """Seconds between two scrapes."""
    refusals: Share = 0.05
    """Alert if more than this share of answers is refused over 15 minutes."""
    latency_s: Annotated[float, Field(gt=0, le=600)] = 30
    """Alert if the 95th percentile of the time to an answer is above this, in seconds."""
    waiting: Positive = 20
    """Alert if more requests than this wait for a vLLM engine."""
    gone_m: Annotated[int, Field(ge=1, le=1440)] = 5
    """Minutes without a service before the alert."""


class Values(Section):
    """The chart's values."""

    user: Annotated[int, Field(ge=1, le=4294967294)] = 10001
    """User and group of every container: a number, as PodSecurity "restricted" requires."""
    pullPolicy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"  # noqa: N815
    """When nodes fetch images."""
    pullSecrets: list[Name] = Field(default_factory=list, max_length=8)  # noqa: N815
    """Secrets for pulling images."""
    ipv6: bool = False
    """Whether MLflow listens on IPv6 too, and its Service has both kinds of address if the cluster does."""
    store: Store = Store()
    gateway: Gateway = Gateway()
    mlflow: Mlflow = Mlflow()
    objectStore: ObjectStore = ObjectStore()  # noqa: N815
    network: Network = Network()
    admission: Admission = Admission()
    monitoring: Monitoring = Monitoring()
