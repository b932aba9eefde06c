"""What a Python module reaches inside its own package, and the digest of what that means.

Found by reading the code, without importing it: imports at module level and inside functions, modules that are named
by a string (``"proseform.train.grpo"``), and data files that are named by a string (``"report.html.j2"``), or by their
stem where a module says the suffix (``read("skills")`` and ``f"{name}.toml"``). Imports under ``if TYPE_CHECKING:`` do
not count, since nothing runs them. Left out: other names that are put together at run time.

A Python file is digested by its syntax tree without docstrings, so that rewording or reformatting a file changes
nothing; TOML and JSON by their values; everything else by its bytes.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from proseform import digest

_LONGEST_NAME = 120
"""Characters: a longer string names no file."""
_CODE = frozenset({".py", ".pyc"})


def of_file(path: Path) -> str:
    """The digest of what a file means.

    Raises:
        ValueError: Not Python, TOML or JSON where the suffix says so.
    """
    content = path.read_bytes()
    return _of_content(path.suffix, content)


@lru_cache(maxsize=1024)
def _of_content(suffix: str, content: bytes) -> str:
    """See :func:`of_file`."""
    match suffix:
        case ".py":
            return digest.of_json(_meaning(ast.parse(content)))
        case ".toml":
            return digest.of_json(json.loads(json.dumps(tomllib.loads(content.decode()), default=str)))
        case ".json":
            return digest.of_json(json.loads(content))
        case ".jsonl":
            return digest.of_json([json.loads(line) for line in content.decode().split("\n") if line.strip()])
        case _:
            return "sha256:" + hashlib.sha256(content).hexdigest()


def of_files(root: Path, names: Iterable[str]) -> str:
    """The digest of what some files mean, with their names."""
    return digest.of_json({name: of_file(root / name) for name in sorted(names)})


def reached(root: Path, package: str, roots: Iterable[str], *, stops: Callable[[str], bool] | None = None) -> set[str]:
    """The files that some modules reach inside a package, themselves included.

    Args:
        root: The package's folder.
        package: Its dotted name, such as ``proseform``.
        roots: Dotted names of modules inside the package.
        stops: Takes a dotted name; true leaves out that module and what it reaches.

    Returns:
        Names relative to the folder.

    Raises:
        ValueError: A root that is no module of the package.
    """
    for name in roots:
        if not (name == package or name.startswith(f"{package}.")) or _file(root, package, name) is None:
            raise ValueError(f"{name} is no module of {package}")
    files: set[str] = set()
    words: set[tuple[Path, str]] = set()
    seen: set[str] = set()
    left = [module for name in roots for module in _with_parents(package, name)]
    while left:
        module = left.pop()
        if module in seen:
            continue
        seen.add(module)
        path = _file(root, package, module)
        if path is None or (stops is not None and stops(module)):
            continue
        files.add(path.relative_to(root).as_posix())
        names, texts = _named(path.read_bytes(), module, path.name == "__init__.py")
        for used in names:
            left += _with_parents(package, used)
        for text in texts:
            words.add((path.parent, text))
            if text.startswith(f"{package}."):
                left += _with_parents(package, text)
    return files | _data(root, words)


def imported(root: Path, files: Iterable[str]) -> set[str]:
    """The top-level names that some Python files import: modules of any package."""
    named = (_named((root / name).read_bytes(), "", False)[0] for name in files if name.endswith(".py"))
    return {used.partition(".")[0] for names in named for used in names} - {""}


@lru_cache(maxsize=4096)
def _named(content: bytes, module: str, is_package: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a Python file imports, as dotted names, and the strings in it that may name something."""
    tree = ast.parse(content)
    return tuple(_names(tree, module, is_package)), tuple(_strings(tree))


def _with_parents(package: str, name: str) -> Iterator[str]:
    """A dotted name and the packages above it, up to the package; nothing where it lies outside."""
    if name != package and not name.startswith(f"{package}."):
        return
    while True:
        yield name
        if name == package:
            return
        name = name.rpartition(".")[0]


def _file(root: Path, package: str, module: str) -> Path | None:
    """The file of a module, or None where the name is not a module's."""
    steps = module[len(package) + 1 :]
    stem = root.joinpath(*steps.split(".")) if steps else root
    for path in (stem / "__init__.py", stem.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _names(tree: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    """Dotted names that a module imports; what ``from a import b`` names may be no module."""
    for node in _run(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a tree but for what stands under ``if TYPE_CHECKING:``."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in {getattr(child.test, name, "") for name in ("id", "attr")}:
            for other in child.orelse:
                yield from _run(other)
        else:
            yield from _run(child)


def _strings(tree: ast.AST) -> Iterator[str]:
    """String constants that may name something; docstrings do not."""
    for node in _run(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Constant) and isinstance(child.value, str) and not isinstance(node, ast.Expr):
                text = child.value
                if 0 < len(text) <= _LONGEST_NAME and text.isprintable() and " " not in text:
                    yield text


def _data(root: Path, words: set[tuple[Path, str]]) -> set[str]:
    """Data files that strings name, from the folder of the module that has them or from the package's."""
    texts = {text for _, text in words}
    suffixes = {text for text in texts if text.startswith(".")}

    def named(folder: Path, text: str) -> bool:
        return (folder, text) in words or (folder == root and text in texts)

    def is_named(path: Path) -> bool:
        above = path.parents[: len(path.relative_to(root).parts)]
        stems = [path.name.removesuffix(suffix) for suffix in suffixes if path.name.endswith(suffix)]
        return any(named(folder, path.relative_to(folder).as_posix()) for folder in above) or any(
            named(path.parent, stem) for stem in stems
        )

    files = (Path(folder, name) for folder, _, names in os.walk(root) for name in names)
    return {path.relative_to(root).as_posix() for path in files if path.suffix not in _CODE and is_named(path)}


def _meaning(node: Any) -> Any:
    """A syntax tree as JSON: no positions, no docstrings, no empty fields (which differ between Python's versions)."""
    if isinstance(node, ast.AST):
        fields = {
            name: _meaning(value) for name, value in ast.iter_fields(node) if name not in {"kind", "type_comment"}
        }
        return [type(node).__name__, {name: value for name, value in fields.items() if value not in (None, [])}]
    if isinstance(node, list):
        return [_meaning(child) for child in node if not _is_text(child)]
    return node if node is None else f"{type(node).__name__} {node!r}"


def _is_text(node: Any) -> bool:
    """A string that stands as a statement: a docstring, or the sentence beneath an attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
