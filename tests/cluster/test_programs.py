"""Programs are pinned, and kept by what they are built from."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from tests.cluster import programs
from tests.cluster.places import PROGRAMS

MODULES = sorted(folder.name for folder in PROGRAMS.iterdir() if folder.is_dir())


def pinned(folder: str) -> dict[str, str]:
    """The versions that a go.mod requires."""
    lines = re.findall(
        r"^(?:require )?\s*(\S+) (v\S+)(?: // indirect)?$", (PROGRAMS / folder / "go.mod").read_text(), re.MULTILINE
    )
    return dict(lines)


@pytest.mark.parametrize("folder", programs.VERSIONS)
def test_a_go_mod_pins_the_version_of_the_table(folder):
    module, version = programs.VERSIONS[folder]
    assert pinned(folder)[module] == version


@pytest.mark.parametrize("folder", programs.VERSIONS)
def test_a_go_sum_holds_the_program_to_its_content(folder):
    module, version = programs.VERSIONS[folder]
    assert f"{module} {version} h1:" in (PROGRAMS / folder / "go.sum").read_text()


def test_every_staging_module_of_kubernetes_is_of_the_same_release():
    text = (PROGRAMS / "kubernetes/go.mod").read_text()
    replaced = dict(re.findall(r"^\s+(k8s\.io/\S+) => \1 (\S+)$", text, re.MULTILINE))
    assert set(replaced.values()) == {programs.VERSIONS["kubernetes"][1].replace("v1.", "v0.")}
    assert set(re.findall(r"^\s+(k8s\.io/\S+) v0\.0\.0 // indirect$", text, re.MULTILINE)) <= set(replaced), (
        "v0.0.0 exists nowhere"
    )


@pytest.mark.parametrize("program", programs.ALL, ids=lambda program: program.name)
def test_what_is_built_is_the_package_of_its_module(program):
    text = (program.folder / "go.mod").read_text()
    if program.package == ".":
        assert "func main()" in (program.folder / "main.go").read_text()
    else:
        assert re.search(rf"^(tool |\t){re.escape(program.package)}$", text, re.MULTILINE), (
            "go.mod has no tool line of it"
        )


def test_no_folder_of_a_program_is_forgotten():
    assert {program.module for program in programs.ALL} == set(MODULES)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A program of three lines in a folder of its own, and a cache of its own."""
    monkeypatch.setattr(programs, "PROGRAMS", tmp_path)
    monkeypatch.setattr(programs, "CACHE", tmp_path / "cache")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "go.mod").write_text("module hello\n\ngo 1.24\n")
    (folder / "main.go").write_text('package main\n\nfunc main() { println("hello") }\n')
    return folder


def test_the_key_changes_with_source_pins_package_and_flags(module, monkeypatch):
    program = programs.Program("hello", "hello")
    keys = [program.key, replace(program, package="./other").key]
    monkeypatch.setitem(programs._LDFLAGS, "hello", "-X main.version=1")
    keys.append(program.key)
    for name in ("go.mod", "go.sum", "main.go"):
        with (module / name).open("a") as file:
            file.write("// changed\n")
        keys.append(program.key)
    assert len(set(keys)) == 6


def test_the_key_does_not_change_with_what_is_not_built(module):
    program = programs.Program("hello", "hello")
    before = program.key
    (module / "README.md").write_text("words")
    assert program.key == before


def test_programs_of_kubebuilder_assets_are_used_in_the_place_of_built_ones(module, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    (tmp_path / "etcd").touch()
    assert programs.ETCD.path == tmp_path / "etcd"
    assert programs.Program("hello", "hello").path.parent == tmp_path / "cache"


def test_without_go_an_unbuilt_program_says_so(module, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(programs.BuildError, match="hello is not built yet and Go is not on the path"):
        programs.build(programs.Program("hello", "hello"))


@pytest.mark.skipif(not shutil.which("go"), reason="Go is not on the path")
def test_a_program_is_built_once_and_a_broken_one_is_named_with_the_compilers_words(module):
    program = programs.Program("hello", "hello")
    programs.build(program)
    first = program.path.stat().st_mtime_ns
    programs.build(program)
    assert program.path.stat().st_mtime_ns == first
    assert subprocess.run([program.path], capture_output=True, text=True, check=True).stderr == "hello\n"
    (module / "main.go").write_text("package main\n\nfunc main() { undefined() }\n")
    with pytest.raises(programs.BuildError, match=r"hello cannot be built in .*\n(.*\n)*.*undefined: undefined"):
        programs.build(program)
    assert not program.path.exists()
    assert [path.name for path in program.path.parent.iterdir()] == [
        f"hello-{path.name[6:]}" for path in program.path.parent.iterdir()
    ]
