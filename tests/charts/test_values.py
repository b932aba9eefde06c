"""The chart's values: file, schema and table come from one model; 200 wrong values files are refused by field."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from helm_python import Chart, HelmValuesError, values_from_yaml
from pydantic import ValidationError

from manifests import render
from proseform.config import Section
from proseform.kube.values import Values

DEFAULTS = Values().model_dump(mode="json")
HEX = "0123456789abcdef" * 4

NAME = ["Upper", "-first", "last-", "under_score", "a.b", "a" * 64, "two words", "ümlaut", "a/b"]
QUANTITY = ["", "4 Gi", "-1Gi", "4gb", "4GiB", "many", "1e3", "Gi", ".5Gi", "1,5Gi", "0x10"]
HOST = ["-a.org", "a..b", "a_b.org", "*.", "*", "UPPER.org", "a.org/path", "a.*.org", f"{'a.' * 130}a"]
CIDR = [
    "",
    "10.0.0.0",
    "10.0.0.0/33",
    "10.0.0/8",
    "10.0.0.0/",
    "::/129",
    "fd00::",
    "FD00::/8",
    "any",
    "10.0.0.0/8,11.0.0.0/8",
]
PORT = [0, -1, 65536, 1.5]
BOOL = ["true", "yes", 1, 0]
NATURAL = [0, -1, 0.5]

MALFORMED: dict[str, list[Any]] = {
    "user": [0, -1, 4294967295, 10001.5],
    "pullPolicy": ["", "never", "Sometimes", "ifnotpresent"],
    "pullSecrets": [NAME[:1], ["fine", "Not"], ["a"] * 9, [5], [""]],
    "ipv6": BOOL,
    "store.create": BOOL,
    "store.size": QUANTITY,
    "store.accessMode": ["", "ReadWriteOncePod", "readwriteonce", "ReadOnlyMany"],
    "store.storageClass": NAME,
    "store.keep": BOOL,
    "gateway.create": BOOL,
    "gateway.className": ["", *NAME],
    "gateway.port": PORT,
    "gateway.hostname": HOST,
    "gateway.tlsSecret": NAME,
    "mlflow.create": BOOL,
    "mlflow.image.repository": ["", "Upper/case", "a//", "/a", "a b", "a:", "a@sha256:1", "a" * 256],
    "mlflow.image.tag": ["", "latest", "a b", "-1", ".1", "a" * 129, "1.0@sha256", "a/b", "a:b"],
    "mlflow.image.digest": [
        "sha256:",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0",
        HEX,
        f"md5:{HEX}",
        f"sha256:{HEX.upper()}",
        f"sha256:{HEX[:-1]}g",
    ],
    "mlflow.replicas": NATURAL,
    "mlflow.workers": [*NATURAL, 65],
    "mlflow.hosts": [[host] for host in HOST],
    "mlflow.resources.cpu": QUANTITY,
    "mlflow.resources.memory": QUANTITY,
    "mlflow.claimSize": QUANTITY,
    "mlflow.storageClass": NAME,
    "mlflow.database.secret": NAME,
    "mlflow.database.cidr": CIDR,
    "mlflow.database.port": PORT,
    "objectStore.bucket": ["a", "Bucket", "-ab", "ab-", "s3://bucket", "bucket/", "bucket//x", "bucket/a b"],
    "objectStore.endpoint": [
        "objects.example.org",
        "ftp://a",
        "https://",
        "https://a/path",
        "https://user:word@a",
        "https://a:123456",
    ],
    "objectStore.secret": NAME,
    "objectStore.cidr": CIDR,
    "objectStore.port": PORT,
    "network.create": BOOL,
    "network.gatewayNamespace": ["", *NAME],
    "network.pipelinesNamespace": ["", *NAME],
    "network.monitoringNamespace": ["", *NAME],
    "network.dnsNamespace": ["", *NAME],
    "network.apiServerCidr": CIDR,
    "network.apiServerPort": PORT,
    "network.hub.create": BOOL,
    "network.hub.cidr": CIDR,
    "network.hub.port": PORT,
    "network.engine.create": BOOL,
    "network.engine.namespace": NAME,
    "network.engine.cidr": CIDR,
    "network.engine.port": PORT,
    "network.evaluateEngine.create": BOOL,
    "network.evaluateEngine.namespace": NAME,
    "network.evaluateEngine.cidr": CIDR,
    "network.evaluateEngine.port": PORT,
    "network.collector.create": BOOL,
    "network.collector.namespace": NAME,
    "network.collector.cidr": CIDR,
    "network.collector.port": PORT,
    "network.cache.create": BOOL,
    "network.cache.namespace": NAME,
    "network.cache.cidr": CIDR,
    "network.cache.port": PORT,
    "admission.create": BOOL,
    "admission.images": [["Upper/case"], ["a b"], ["/a"], [""], ["a:"], [5], ["a"] * 33],
    "admission.accounts": [["Not"], [""], ["a"] * 9, [5]],
    "admission.secrets": [["Not"], [""], ["a"] * 9, [5]],
    "monitoring.create": BOOL,
    "monitoring.labels": [{"a b": "c"}, {"-a": "c"}, {"a": "c d"}, {"a": 5}, {"a": {"b": "c"}}, {"": "c"}],
    "monitoring.interval_s": [4, 601, 30.5],
    "monitoring.refusals": [-0.1, 1.1],
    "monitoring.latency_s": [0, -1, 601],
    "monitoring.waiting": NATURAL,
    "monitoring.gone_m": [0, 1441, 2.5],
}
"""Malformed values for every leaf, of the right type or near it."""


def leaves(node: Any, path: str = "") -> Iterator[str]:
    """Paths of values that are no sections."""
    for key, value in node.items():
        section = isinstance(value, dict) and f"{path}{key}" != "monitoring.labels"
        yield from leaves(value, f"{path}{key}.") if section else [f"{path}{key}"]


LEAVES = list(leaves(DEFAULTS))
SECTIONS = sorted({leaf.rpartition(".")[0] for leaf in LEAVES} | {"mlflow"})
TYPES = [None, "text", 5.25, True, [], {"a": "b"}]


def at(path: str, value: Any) -> dict[str, Any]:
    """A values file that sets one key."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def default(path: str) -> Any:
    value: Any = DEFAULTS
    for key in path.split("."):
        value = value[key]
    return value


def kind(value: Any) -> str:
    """The kind of a JSON value; an integer is a number."""
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def mutated(seed: int) -> tuple[str, str, dict[str, Any]]:
    """A fault's kind, the field's path, and the values file."""
    dice = random.Random(seed)
    fault = ("unknown", "type", "malformed", "malformed", "section")[seed % 5]
    if fault == "unknown":
        section = dice.choice(["", *SECTIONS])
        path = f"{section}.{dice.choice(['replica', 'nodeSelector', 'x', 'Create', 'global_'])}".strip(".")
        return fault, path, at(path, dice.choice(TYPES[1:]))
    if fault == "section":
        path = dice.choice([section for section in SECTIONS if section])
        return fault, path, at(path, dice.choice([None, "text", 5, True, []]))
    if fault == "type":
        path = dice.choice(LEAVES)
        return fault, path, at(path, dice.choice([value for value in TYPES if kind(value) != kind(default(path))]))
    path = LEAVES[(seed // 5 * 2 + seed % 5) % len(LEAVES)]  # each leaf in turn
    return fault, path, at(path, dice.choice(MALFORMED[path]))


@pytest.fixture(scope="module")
def chart():
    with Chart.load(render.CHART) as loaded:
        yield loaded


def test_every_leaf_has_malformed_values_and_a_sentence():
    assert sorted(MALFORMED) == sorted(LEAVES)

    def sentences(model: type[Section]) -> Iterator[str]:
        for name, field in model.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, Section):
                assert (inner.__doc__ or "").strip().endswith("."), inner
                yield from sentences(inner)
            else:
                yield field.description or f"none: {name}"

    texts = list(sentences(Values))
    assert len(texts) == len(LEAVES)
    assert all(text.endswith(".") for text in texts)


def test_the_wrong_files_differ_and_each_leaf_has_its_turn():
    mutations = [mutated(seed) for seed in range(200)]
    assert {path for fault, path, _ in mutations if fault == "malformed"} == set(LEAVES)
    assert {fault for fault, _, _ in mutations} == {"unknown", "type", "malformed", "section"}
    assert len({json.dumps(values) for _, _, values in mutations}) >= 150  # sections are few, so some come twice


@pytest.mark.parametrize("seed", range(200))
def test_a_wrong_values_file_is_refused_and_the_field_named(chart, seed):
    fault, path, values = mutated(seed)
    read = values_from_yaml(yaml.safe_dump(values))
    with pytest.raises(HelmValuesError) as refused:
        chart.render(read, name="x", namespace="x")
    words = str(refused.value)
    parent, _, key = path.rpartition(".")
    whole, above = (f"at '{''.join(f'/{step}' for step in place.split('.') if step)}" for place in (path, parent))
    named = whole in words or (f"{above}'" in words and f"'{key}'" in words)
    assert named, (fault, path, values, words)
    with pytest.raises(ValidationError) as ours:
        Values.model_validate_json(json.dumps(values))
    assert any(".".join(map(str, error["loc"])).startswith(path) for error in ours.value.errors())


@pytest.mark.parametrize(
    ("path", "value"), [(path, value) for path, values in MALFORMED.items() for value in values], ids=str
)
def test_a_malformed_value_is_refused_by_helm_and_by_the_model(chart, path, value):
    with pytest.raises(HelmValuesError, match=rf"at '/{path.replace('.', '/')}"):
        chart.validate_schema(at(path, value))
    with pytest.raises(ValidationError):
        Values.model_validate_json(json.dumps(at(path, value)))


def test_the_same_files_without_the_fault_are_accepted(chart):
    """So the refusals above are due to the faults."""
    for path in LEAVES:
        chart.render(at(path, default(path)), name="x", namespace="x")
        Values.model_validate_json(json.dumps(at(path, default(path))))
    chart.render(DEFAULTS, name="x", namespace="x")


def test_the_values_file_is_the_model_s_defaults():
    assert yaml.safe_load((render.CHART / "values.yaml").read_text()) == DEFAULTS


def test_a_value_set_to_null_is_missed_by_name(chart):
    """Helm deletes such a key; the template would fail without naming it."""
    with pytest.raises(HelmValuesError, match=r"at '/store': missing property 'size'"):
        chart.render({"store": {"size": None}})
