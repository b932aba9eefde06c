"""How many megabytes a further version adds to the registry: whole models, and adapters on one base.

``python -m benchmarks.registry_growth``. Files have the sizes of real runs and random content, since nothing here reads
them; the registry is a real MLflow on SQLite.
"""

import os
import tempfile
from pathlib import Path

from proseform import digest, registry
from proseform.bundle import Generation, Part
from proseform.registry import models
from proseform.testing import toy_bundle, toy_task

MB = 1_000_000
SHAPES = {
    "small: whole models of half a million parameters, fp32": {"": 2.2},
    "smollm2: adapters of rank 32 on one base of 134 million parameters, bf16": {"base": 269.0, "": 19.6},
}
"""Megabytes of the base where there is one, and of each role's own weights."""
VERSIONS = 3


def bundle(folder: Path, sizes: dict[str, float], base: bytes) -> Path:
    """A bundle's folder whose own weights are new."""
    task, parts = toy_task(), {}
    if base:
        (folder / "base").mkdir(parents=True)
        (folder / "base" / "model.safetensors").write_bytes(base)
    for role in ("evaluator", "formatter"):
        (folder / role).mkdir(parents=True)
        (folder / role / "weights.safetensors").write_bytes(os.urandom(round(sizes[""] * MB)))
        own = digest.of_files(folder / role)
        where = ("base", digest.of_files(folder / "base")) if base else (role, own)
        adapter = (role, own) if base else ()
        parts[role] = Part(*where, getattr(task, role), Generation(256, 1024), *adapter)
    toy_bundle(task, **parts).write(folder)
    return folder


def size(folder: Path) -> float:
    """Megabytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MB


def main() -> None:
    """Register some versions of each shape, and print what each has added."""
    for shape, sizes in SHAPES.items():
        with tempfile.TemporaryDirectory() as place:
            home, base = Path(place) / "home", os.urandom(round(sizes.get("base", 0) * MB))
            opened, before, grown = registry.connect(home), 0.0, []
            for number in range(VERSIONS):
                folder = bundle(Path(place) / str(number), sizes, base)
                models.register(opened, folder, name="proseform-growth")
                grown.append(size(home / "mlartifacts") - before)
                before += grown[-1]
            print(
                f"{shape}\n  a bundle is {size(folder):.1f} MB; "
                f"versions added {', '.join(f'{mb:.1f}' for mb in grown)} MB"
            )


if __name__ == "__main__":
    main()
