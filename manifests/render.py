"""Writes what is derived from chart and builders: the chart's values, their schema and table, and plain manifests.

::

    python -m manifests.render           # write
    python -m manifests.render --check   # name what is stale, and fail

``proseform.kube.values`` → ``values.yaml``, ``values.schema.json`` and the table in the chart's README; the chart, by
the real Helm → ``base/`` (default values) and ``monitoring/`` (a kustomize component: what ``monitoring.create`` adds).
The builders → ``samples/``. ``overlays/`` is written by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart
from pydantic.fields import FieldInfo

from manifests import locked, samples
from proseform.config import Section
from proseform.kube.dump import as_yaml
from proseform.kube.values import Values

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts" / "proseform"
NAME = "proseform"
"""Of the release and its namespace, as ``config.Place`` has them by default."""
_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
_Key = tuple[str, str]
"""Kind and name of an object."""
_TABLE = ("<!-- values -->\n", "<!-- /values -->\n")


def files() -> dict[Path, str]:
    """Every derived file by its path."""
    base = _by_key(objects())
    every = _by_key(objects({"monitoring": {"create": True}}))
    # The component holds a policy that monitoring changes as a whole, in the place of the base's.
    added = {key: manifest for key, manifest in every.items() if manifest != base.get(key)}
    return {
        **chart_files(),
        ROOT / "src/proseform/locked.toml": locked.text(ROOT / "requirements"),
        **_folder("base", base, set()),
        **_folder("monitoring", added, {key for key in added if key in base}),
        **{
            ROOT / "manifests/samples" / f"{name}.yaml": _yaml(*manifests, of="src/proseform/kube")
            for name, manifests in samples.every().items()
        },
    }


def chart_files() -> dict[Path, str]:
    """The files that are derived from the model of the values alone, without Helm."""
    texts = {
        "values.yaml": values(),
        "values.schema.json": json.dumps(schema(), indent=2) + "\n",
        "README.md": readme(),
    }
    return {CHART / name: text for name, text in texts.items()}


def objects(changes: dict[str, Any] | None = None, *, hooks: bool = False) -> list[dict[str, Any]]:
    """The chart's objects, rendered by Helm.

    Args:
        changes: Values that differ from the defaults.
        hooks: Include the pods of ``helm test``.

    Raises:
        helm_python.HelmError: Values that the schema or a template refuses.
    """
    with Chart.load(CHART) as chart:
        texts = chart.render(changes or {}, name=NAME, namespace=NAME, is_install=True)
    return [one for one in read(texts) if hooks or "helm.sh/hook" not in one["metadata"].get("annotations", {})]


def read(texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """The objects in what Helm has rendered, in the order of its files.

    Args:
        texts: Path of a template to its YAML documents.
    """
    documents = [text for path, text in sorted(texts.items()) if path.endswith(".yaml")]
    return [manifest for text in documents for manifest in yaml.safe_load_all(text) if manifest]


def schema() -> dict[str, Any]:
    """``values.schema.json``: every key is required, so that one which somebody sets to null is named as missing."""
    document = _tight(Values.model_json_schema())
    # Helm passes a parent chart's global values to every subchart.
    document["properties"] = {
        **document["properties"],
        "global": {"type": "object", "description": "A parent chart's values for all."},
    }
    return {"$schema": _SCHEMA, **document}


def values() -> str:
    """``values.yaml``: the defaults, each under its sentence."""
    return "# Written by manifests/render.py from src/proseform/kube/values.py.\n" + "".join(
        _lines(Values, Values(), 0)
    )


def readme() -> str:
    """The chart's README, its table of values written anew."""
    before, _, rest = (CHART / "README.md").read_text().partition(_TABLE[0])
    _, _, after = rest.partition(_TABLE[1])
    rows = [
        f"| `{path}` | `{json.dumps(default)}` | {_cell(words)} |\n"
        for path, default, words in _rows(Values, Values(), "")
    ]
    return before + _TABLE[0] + "| value | default | |\n|---|---|---|\n" + "".join(rows) + _TABLE[1] + after


def _rows(model: type[Section], section: Section, path: str) -> Iterator[tuple[str, Any, str]]:
    """Path, default and sentence of every value."""
    for name, field in model.model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _rows(type(value), value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value, field.description or ""


def _lines(model: type[Section], section: Section, depth: int) -> Iterator[str]:
    """The lines of ``values.yaml``."""
    indent = "  " * depth
    for name, field in model.model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            yield f"{indent}# {_sentence(field, value)}\n{indent}{name}:\n"
            yield from _lines(type(value), value, depth + 1)
        else:
            yield f"{indent}# {field.description}\n{indent}{name}: {json.dumps(value)}\n"


def _sentence(field: FieldInfo, value: Section) -> str:
    """A section's sentence: the field's own, or its class's."""
    return field.description or (type(value).__doc__ or "").strip()


def _cell(words: str) -> str:
    """Words that may stand in a table."""
    return words.replace("|", r"\|")


def _tight(node: Any) -> Any:
    """A schema without pydantic's titles, which repeat the names; every key is required, and no other is allowed."""
    if isinstance(node, list):
        return [_tight(item) for item in node]
    if not isinstance(node, dict):
        return node
    tight = {key: _tight(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    if "properties" in tight:
        tight["required"] = list(tight["properties"])
    if "patternProperties" in tight:
        tight["additionalProperties"] = False
    return tight


def _by_key(manifests: list[dict[str, Any]]) -> dict[_Key, dict[str, Any]]:
    """Manifests by kind and name."""
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in manifests}


def _folder(name: str, manifests: dict[_Key, dict[str, Any]], patches: set[_Key]) -> dict[Path, str]:
    """A folder of plain manifests: a file for each object, and the kustomization that lists them."""
    folder = ROOT / "manifests" / name
    paths = {key: f"{key[0].lower()}-{key[1]}.yaml" for key in sorted(manifests)}
    resources = [path for key, path in paths.items() if key not in patches]
    whole: dict[str, Any] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    }
    if patches:
        whole = {**whole, "apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
        whole["patches"] = [{"path": path} for key, path in paths.items() if key in patches]
    written = {folder / path: _yaml(_plain(manifests[key])) for key, path in paths.items()}
    return {folder / "kustomization.yaml": _yaml(whole), **written}


def _plain(manifest: dict[str, Any]) -> dict[str, Any]:
    """An object without the labels and annotations that only Helm reads."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "annotations"}
    labels = {key: value for key, value in metadata["labels"].items() if key != "app.kubernetes.io/managed-by"}
    annotations = manifest["metadata"].get("annotations", {})
    kept = {key: value for key, value in annotations.items() if not key.startswith("helm.sh/")}
    return {**manifest, "metadata": {**metadata, "labels": labels, **({"annotations": kept} if kept else {})}}


def _yaml(*values: Any, of: str = "charts/proseform") -> str:
    """YAML; texts of several lines are block scalars."""
    return f"# Written by manifests/render.py from {of}.\n{as_yaml(values)}"


def stale() -> list[Path]:
    """Derived files that differ from what would be written now, and files in derived folders that nothing writes."""
    texts = files()
    folders = [ROOT / "manifests" / name for name in ("base", "monitoring", "samples")]
    orphans = {path for folder in folders for path in folder.glob("*")} - set(texts)
    return sorted(orphans | {path for path, text in texts.items() if not path.exists() or path.read_text() != text})


def main(arguments: list[str]) -> int:
    """Write, or check."""
    if "--check" in arguments:
        for path in (outdated := stale()):
            print(f"stale: {path.relative_to(ROOT)}; run: make render")  # noqa: T201
        return bool(outdated)
    for path, text in chart_files().items():  # first: the manifests are rendered from them
        path.write_text(text)
    texts = files()
    for path in stale():
        if path not in texts:
            path.unlink()
            continue
        path.parent.mkdir(exist_ok=True)
        path.write_text(texts[path])
        print(f"written: {path.relative_to(ROOT)}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
