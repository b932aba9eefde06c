"""The Containerfiles and their locks say what they promise; the serve image is built where the machine can."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from proseform import testing
from proseform.versions import version
from tests.serve.test_in_a_pod import CASE, TASK, engine, first_answer

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ["train", "serve", "pipeline"]
LOCKS = ["serve", "train", "pipeline"]
ENV = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
OCI = "org.opencontainers.image."


def lines(name: str) -> list[tuple[str, str]]:
    """Instructions and their arguments, continued lines joined, without comments."""
    text = re.sub(r"\\\n", " ", (ROOT / "images" / name / "Containerfile").read_text())
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line and not line.startswith("#")]  # type: ignore[misc]


def arguments(name: str, instruction: str) -> list[str]:
    return [rest for word, rest in lines(name) if word == instruction]


def last_stage(name: str) -> int:
    """Where the stage that ships begins."""
    return max(at for at, (word, _) in enumerate(lines(name)) if word == "FROM")


def shipping(name: str) -> list[str]:
    """What the stage that ships runs."""
    return [rest for word, rest in lines(name)[last_stage(name) :] if word == "RUN"]


def pins(lock: str) -> dict[str, str]:
    """Package to version in a requirements file."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^ \\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", IMAGES)
class TestEachContainerfile:
    def test_takes_its_base_as_an_argument_before_all_else(self, name):
        assert lines(name)[0][0] == "ARG"
        assert lines(name)[0][1].startswith("BASE=")
        assert {each.split()[0] for each in arguments(name, "FROM")} == {"${BASE}"}

    def test_ends_as_a_user_with_a_number_above_0(self, name):
        (user,) = arguments(name, "USER")
        assert all(int(each) > 0 for each in user.split(":"))
        assert [word for word, _ in lines(name)].index("USER") > max(at for at, (word, _) in enumerate(lines(name)) if word == "RUN")

    def test_installs_nothing_without_a_hash(self, name):
        pips = [each for each in arguments(name, "RUN") if "pip install" in each]
        assert pips
        assert all("--require-hashes" in each or "--no-index" in each for each in pips)
        assert all("--no-deps" in each for each in pips)

    def test_copies_what_is_there_and_names_no_host(self, name):
        text = (ROOT / "images" / name / "Containerfile").read_text()
        assert not re.search(r"https?://|latest|curl|wget|ADD ", text)
        made = {"build/wheels/"}
        defaults = dict(each.split("=") for each in arguments(name, "ARG") if "=" in each)
        sources = [each.split()[0] for each in arguments(name, "COPY") if not each.startswith("--from")]
        for source in sources:
            path = re.sub(r"\$\{(\w+)\}", lambda found: defaults[found[1]], source)
            assert path in made or (ROOT / path).exists(), path

    def test_leaves_no_package_lists_and_no_caches_in_what_ships(self, name):
        assert all("rm -rf /var/lib/apt/lists/*" in each for each in shipping(name) if "apt-get" in each)

    def test_leaves_no_bytecode_that_is_checked_by_times(self, name):
        """Files of a layer all get one time, so that such bytecode would be made anew at every start."""
        shipped = " ".join(shipping(name))
        assert "compileall -qf --invalidation-mode unchecked-hash /usr/lib/python3.11" in shipped
        assert "PYTHONDONTWRITEBYTECODE=1" in " ".join(arguments(name, "ENV"))
        assert any("unchecked-hash /opt/proseform/lib" in each for each in arguments(name, "RUN"))

    def test_says_by_oci_s_keys_what_it_is(self, name):
        (label,) = arguments(name, "LABEL")
        said = {key.removeprefix(OCI): value for key, value in re.findall(r'(\S+)="([^"]*)"', label)}
        assert list(said) == ["title", "description", "version", "licenses", "base.name"]
        assert said["version"] == version()
        assert said["licenses"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]["text"]
        assert "ARG BASE" in [" ".join(each) for each in lines(name)[last_stage(name) :]], "or the label of the base stays empty"

    def test_has_no_secret_in_an_argument_or_a_variable(self, name):
        assert not re.search(r"password|secret|token|_key", " ".join([*arguments(name, "ARG"), *arguments(name, "ENV")]), re.IGNORECASE)


@pytest.mark.parametrize("lock", LOCKS)
class TestEachLock:
    def test_agrees_with_the_platform_s(self, lock):
        """An image runs what the tests ran."""
        platform = pins("platform") | pins("torch")
        assert {name: (version, platform[name]) for name, version in pins(lock).items() if platform.get(name, version) != version} == {}

    def test_has_a_hash_for_every_package_and_names_no_host(self, lock):
        text = (ROOT / "requirements" / f"{lock}.txt").read_text()
        blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
        assert len(blocks) == len(pins(lock))
        assert all("--hash=sha256:" in each for each in blocks)
        assert "://" not in text
        assert "index-url" not in text

    def test_leaves_torch_to_a_lock_of_its_own(self, lock):
        assert not {"torch", "triton"} & set(pins(lock))
        assert not [name for name in pins(lock) if name.startswith(("nvidia-", "cuda-"))]


def test_the_serve_image_has_no_torch_and_nothing_that_trains_or_registers():
    assert not any("torch" in source for source in arguments("serve", "COPY"))
    assert not {"transformers", "trl", "accelerate", "peft", "datasets", "kfp", "mlflow", "mlflow-skinny"} & set(pins("serve"))
    assert {"kserve", "jsonschema-rs", "pypdf"} <= set(pins("serve"))


def test_what_the_cluster_needs_is_in_the_images():
    assert {"trl", "transformers", "s3fs"} <= set(pins("train"))
    assert {"kfp", "kubernetes", "mlflow", "psycopg2-binary", "boto3", "s3fs"} <= set(pins("pipeline"))


def obstacle() -> str:
    """Why images cannot be built here; empty where they can."""
    missing = [each for each in ("buildah", "debootstrap") if shutil.which(each) is None]
    if missing:
        return f"no {' and no '.join(missing)} on this machine"
    return "" if os.geteuid() == 0 else "debootstrap wants root"


def _trust_what_this_machine_trusts(base: Path) -> None:
    """Let pip in the base reach its index as the machine's own does, by its certificates; not where apt writes them."""
    trusted = Path("/etc/ssl/certs/ca-certificates.crt")
    if trusted.exists():
        shutil.copy(trusted, base / "etc" / "machine.pem")
        index = f"index-url = {url}\n" if (url := os.environ.get("PIP_INDEX_URL")) else ""
        (base / "etc" / "pip.conf").write_text(f"[global]\ncert = /etc/machine.pem\n{index}")


def _answers(buildah: Callable[..., list[str]], made: str, folder: Path) -> dict[str, Any]:
    """What the transformer in the image answers, before two engines that know one case."""
    bundle = testing.toy_bundle(TASK)
    (folder / "bundle").mkdir()
    bundle.write(folder / "bundle")
    subprocess.run(buildah("copy", "-q", made, str(folder / "bundle"), "/bundle"), check=True, capture_output=True, env=ENV)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with engine([]) as evaluator, engine([]) as formatter, (folder / "log").open("wb") as log:
        ours = ["--task", "cv", "--bundle", "/bundle", "--evaluator", f"http://{evaluator}"]
        words = ["proseform", "serve", *ours, "--predictor_host", formatter, "--http_port", str(port)]
        process = subprocess.Popen(buildah("run", made, "--", *words), stdout=log, stderr=log, env=ENV, start_new_session=True)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                answer = first_answer(client, process, folder / "log")
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # buildah passes it on to what it runs, and to that alone
            process.wait(30)
    assert answer["bundle"] == bundle.digest
    return answer


@pytest.fixture
def workplace():
    """Taken away at the end: root file systems are large, and pytest keeps its own folders for three runs."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.cluster
def test_the_serve_image_is_built_and_serves_as_a_plain_user(workplace, capsys):
    """On a base made by debootstrap from the machine's own Debian source; the build and its size are printed."""
    if why := obstacle():
        with capsys.disabled():
            sys.stdout.write(f"\nthe serve image is not built: {why}\n")
        pytest.skip(why)
    # vfs mounts nothing, so nothing stays mounted; with --root the driver is the flag's, not STORAGE_DRIVER's.
    folders = ["--storage-driver", "vfs", "--root", str(workplace / "storage"), "--runroot", str(workplace / "run")]

    def command(*words: str) -> list[str]:
        return ["buildah", *folders, *words]

    def buildah(*words: str) -> str:
        done = subprocess.run(command(*words), capture_output=True, text=True, check=False, env=ENV, cwd=ROOT)
        assert done.returncode == 0, f"{words}: {done.stderr[-3000:]}"
        return done.stdout.strip()

    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", workplace / "base"], check=True, capture_output=True)
    _trust_what_this_machine_trusts(workplace / "base")
    empty = buildah("from", "scratch")
    buildah("add", empty, str(workplace / "base"), "/")
    buildah("commit", empty, "localhost/base:bookworm")
    uv = ROOT / ".venv" / "bin" / "uv"
    subprocess.run(
        [uv, "build", "-q", "--wheel", "--no-build-isolation", "--python", sys.executable, "--clear", "-o", ROOT / "build" / "wheels"],
        check=True,
        cwd=ROOT,
    )
    began = time.monotonic()
    common = ["--ignorefile", "images/.containerignore", "--timestamp", "0", "--build-arg", "BASE=localhost/base:bookworm"]
    buildah("bud", *common, "-f", "images/serve/Containerfile", "-t", "localhost/proseform/serve:test", ".")
    took_s = time.monotonic() - began
    about = json.loads(buildah("inspect", "--type", "image", "localhost/proseform/serve:test"))["OCIv1"]["config"]
    assert int(about["User"].split(":")[0]) > 0
    assert about["Entrypoint"][:2] == ["proseform", "serve"]
    assert about["Labels"][f"{OCI}title"] == "Proseform serve"
    assert about["Labels"][f"{OCI}base.name"] == "localhost/base:bookworm"
    made = buildah("from", "localhost/proseform/serve:test")
    script = "import os, importlib.util as u; print(os.getuid(), *map(u.find_spec, ('torch', 'mlflow', 'pip')))"
    assert buildah("run", made, "--", "python3", "-c", script).splitlines()[-1] == "10001 None None None"
    assert "Serve verified answers" in buildah("run", made, "--", "proseform", "serve", "--help")
    stale = "python3 -v -c 'import asyncio, json, proseform.cli' 2>&1 | grep -c -e 'bytecode is stale' -e 'wrote '"
    assert buildah("run", made, "--", "sh", "-c", f"{stale} || true").splitlines()[-1] == "0"
    root = Path(buildah("mount", made))
    size = sum(file.lstat().st_size for file in root.rglob("*") if file.is_file() and not file.is_symlink())
    assert _answers(command, made, workplace)["answer"] == CASE.answer
    with capsys.disabled():
        sys.stdout.write(f"\nthe serve image: built in {took_s:.0f} s, {size / 1e6:.0f} MB\n")
