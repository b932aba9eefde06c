"""Closures: what a module reaches, and the digest of what a file means."""

import pytest

from proseform import closure

FILES = {
    "__init__.py": '"""A package."""\n',
    "a.py": "from pkg import b\nfrom pkg.sub.c import run\nNAMES = ('pkg.named', 'page.html.j2', 'words')\n",
    "b.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pkg import typed\n",
    "typed.py": "",
    "named.py": "def main():\n    from . import late\n",
    "late.py": "import pkg.sub\n",
    "alone.py": "import pkg.a\n",
    "sub/__init__.py": "",
    "sub/c.py": "from ..deep import x\ndef run():\n    '''page.css is only spoken of.'''\n",
    "deep.py": "x = 1\n",
    "page.html.j2": "<p>",
    "page.css": "p {}",
    "words.toml": "a = 1\n",
}


@pytest.fixture
def package(tmp_path):
    """A package that is read, never imported."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_imports_of_all_kinds_names_and_data_are_followed(package):
    assert closure.reached(package, "pkg", ["pkg.a"]) == {
        "__init__.py",
        "a.py",
        "b.py",
        "named.py",
        "late.py",
        "sub/__init__.py",
        "sub/c.py",
        "deep.py",
        "page.html.j2",
    }


def test_a_stem_names_a_data_file_where_some_module_says_its_suffix(package):
    (package / "deep.py").write_text("def read(name):\n    return f'{name}.toml'\n")
    assert "words.toml" in closure.reached(package, "pkg", ["pkg.a"])


def test_what_is_stopped_at_stays_out_with_all_that_only_it_reaches(package):
    reached = closure.reached(package, "pkg", ["pkg.a"], stops=lambda name: name == "pkg.named")
    assert "named.py" not in reached
    assert "late.py" not in reached
    assert "sub/c.py" in reached


@pytest.mark.parametrize("name", ["other.a", "pkg.none", "pkgs", "json"])
def test_a_root_that_is_no_module_of_the_package_is_refused(package, name):
    with pytest.raises(ValueError, match=f"{name} is no module of pkg"):
        closure.reached(package, "pkg", [name])


def test_imports_from_elsewhere_are_named(package):
    (package / "deep.py").write_text("import torch.nn as nn\ndef f():\n    from trl import x\n    from . import a\n")
    assert closure.imported(package, ["deep.py", "page.css"]) == {"torch", "trl"}


SAME = [
    ("x.py", "def f(a):\n    return a + 1\n", 'def f(a):  # adds\n    """Add."""\n    return (a + 1)\n', "a docstring"),
    ("x.py", "x = 1\n", '"""Head."""\nx = 1\n"""The one."""\n', "a head and an attribute's sentence"),
    ("x.py", "x = 'a'\n", 'x = "a"\n', "other quotes"),
    ("x.toml", "a = 1\nb = 2\n", "# words\nb = 2\n\na = 1\n", "TOML in another order"),
    ("x.json", '{"a": 1, "b": 2}', '{\n "b": 2, "a": 1}\n', "JSON in another layout"),
    ("x.jsonl", '{"a": 1}\n{"b": 2}\n', '{"a":1}\n\n{"b":2}', "lines in another layout"),
]
OTHER = [
    ("x.py", "x = 1\n", "x = 2\n", "another number"),
    ("x.py", "x = 1\n", "x = True\n", "True is not 1"),
    ("x.py", "x = '1'\n", "x = 1\n", "a text is no number"),
    ("x.py", "x = ''\n", "x = None\n", "None is no text"),
    ("x.py", "x = {}\n", "x = []\n", "an empty list is no empty table"),
    ("x.py", "def f(a, b=1): pass\n", "def f(a, *, b=1): pass\n", "a keyword-only argument"),
    ("x.toml", "a = 1\n", "a = 1.0\n", "a float"),
    ("x.jsonl", '{"a": 1}\n{"b": 2}\n', '{"b": 2}\n{"a": 1}\n', "lines in another order"),
    ("x.md", "a\n", "a \n", "a prompt's blank"),
]


@pytest.mark.parametrize(("name", "one", "other", "why"), SAME, ids=[why for *_, why in SAME])
def test_what_means_the_same_has_one_digest(tmp_path, name, one, other, why):
    path = tmp_path / name
    path.write_text(one)
    before = closure.of_file(path)
    path.write_text(other)
    assert closure.of_file(path) == before


@pytest.mark.parametrize(("name", "one", "other", "why"), OTHER, ids=[why for *_, why in OTHER])
def test_what_means_something_else_has_another(tmp_path, name, one, other, why):
    path = tmp_path / name
    path.write_text(one)
    before = closure.of_file(path)
    path.write_text(other)
    assert closure.of_file(path) != before
