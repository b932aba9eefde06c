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
import time
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from proseform import testing
from proseform.versions import version
from tests.cluster import debian
from tests.images import build
from tests.serve.test_in_a_pod import CASE, TASK, engine, first_answer
from tests.waiting import PATIENCE_S

ROOT = build.ROOT
IMAGES = ["train", "serve", "pipeline"]
LOCKS = ["serve", "train", "pipeline"]
OCI = "org.opencontainers.image."


def lines(name: str) -> list[tuple[str, str]]:
    """Instructions and their arguments, continued lines joined, without comments."""
    text = re.sub(r"\\\n", " ", (ROOT / "images" / name / "Containerfile").read_text())
    pairs = (line.partition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return [(instruction, rest.strip()) for instruction, _, rest in pairs]


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
        assert {base.split()[0] for base in arguments(name, "FROM")} == {"${BASE}"}

    def test_ends_as_a_user_with_a_number_above_0(self, name):
        (user,) = arguments(name, "USER")
        assert all(int(number) > 0 for number in user.split(":"))
        assert [word for word, _ in lines(name)].index("USER") > max(
            at for at, (word, _) in enumerate(lines(name)) if word == "RUN"
        )

    def test_installs_nothing_without_a_hash(self, name):
        pips = [command for command in arguments(name, "RUN") if "pip install" in command]
        assert pips
        assert all("--require-hashes" in command or "--no-index" in command for command in pips)
        assert all("--no-deps" in command for command in pips)

    def test_copies_what_is_there_and_names_no_host(self, name):
        text = (ROOT / "images" / name / "Containerfile").read_text()
        assert not re.search(r"https?://|latest|curl|wget|ADD ", text)
        built = {"build/wheels/"}
        defaults = dict(argument.split("=") for argument in arguments(name, "ARG") if "=" in argument)
        sources = [copied.split()[0] for copied in arguments(name, "COPY") if not copied.startswith("--from")]
        for source in sources:
            path = re.sub(r"\$\{(\w+)\}", lambda match: defaults[match[1]], source)
            assert path in built or (ROOT / path).exists(), path

    def test_leaves_no_package_lists_and_no_caches_in_what_ships(self, name):
        assert all("rm -rf /var/lib/apt/lists/*" in command for command in shipping(name) if "apt-get" in command)

    def test_leaves_no_bytecode_that_is_checked_by_times(self, name):
        """Files of a layer all get one time, so that such bytecode would be made anew at every start."""
        shipped = " ".join(shipping(name))
        assert "compileall -qf --invalidation-mode unchecked-hash /usr/lib/python3.11" in shipped
        assert "PYTHONDONTWRITEBYTECODE=1" in " ".join(arguments(name, "ENV"))
        assert any("unchecked-hash /opt/proseform/lib" in command for command in arguments(name, "RUN"))

    def test_says_by_oci_s_keys_what_it_is(self, name):
        (label,) = arguments(name, "LABEL")
        labels = {key.removeprefix(OCI): value for key, value in re.findall(r'(\S+)="([^"]*)"', label)}
        assert list(labels) == ["title", "description", "version", "licenses", "base.name"]
        assert labels["version"] == version()
        assert labels["licenses"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]["text"]
        assert "ARG BASE" in [" ".join(line) for line in lines(name)[last_stage(name) :]], (
            "or the label of the base stays empty"
        )

    def test_has_no_secret_in_an_argument_or_a_variable(self, name):
        assert not re.search(
            r"password|secret|token|_key", " ".join([*arguments(name, "ARG"), *arguments(name, "ENV")]), re.IGNORECASE
        )


@pytest.mark.parametrize("lock", LOCKS)
class TestEachLock:
    def test_agrees_with_the_platform_s(self, lock):
        """An image runs what the tests ran."""
        platform = pins("platform") | pins("torch")
        assert {
            name: (version, platform[name])
            for name, version in pins(lock).items()
            if platform.get(name, version) != version
        } == {}

    def test_has_a_hash_for_every_package_and_names_no_host(self, lock):
        text = (ROOT / "requirements" / f"{lock}.txt").read_text()
        blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
        assert len(blocks) == len(pins(lock))
        assert all("--hash=sha256:" in block for block in blocks)
        assert "://" not in text
        assert "index-url" not in text

    def test_leaves_torch_to_a_lock_of_its_own(self, lock):
        assert not {"torch", "triton"} & set(pins(lock))
        assert not [name for name in pins(lock) if name.startswith(("nvidia-", "cuda-"))]


def test_the_serve_image_has_no_torch_and_nothing_that_trains_or_registers():
    assert not any("torch" in source for source in arguments("serve", "COPY"))
    assert not {"transformers", "trl", "accelerate", "peft", "datasets", "kfp", "mlflow", "mlflow-skinny"} & set(
        pins("serve")
    )
    assert {"uvicorn", "jsonschema-rs", "pypdf"} <= set(pins("serve"))


def test_what_the_cluster_needs_is_in_the_images():
    assert {"trl", "transformers", "s3fs"} <= set(pins("train"))
    assert {"kfp", "kubernetes", "mlflow", "psycopg2-binary", "boto3", "s3fs"} <= set(pins("pipeline"))


def obstacle() -> str:
    """Why images cannot be built here; empty where they can."""
    missing = [program for program in ("buildah", "debootstrap") if shutil.which(program) is None]
    if missing:
        return f"no {' and no '.join(missing)} on this machine"
    return "" if os.geteuid() == 0 else "debootstrap wants root"


def _answers(working: str, folder: Path) -> dict[str, Any]:
    """What the transformer in the image answers, before two engines that know one case."""
    bundle = testing.toy_bundle(TASK)
    (folder / "bundle").mkdir()
    bundle.write(folder / "bundle")
    debian.buildah("copy", "-q", working, str(folder / "bundle"), "/bundle")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with engine([]) as evaluator, engine([]) as formatter, (folder / "log").open("wb") as log:
        ours = ["--task", "cv", "--bundle", "/bundle", "--evaluator", f"http://{evaluator}"]
        words = ["proseform", "serve", *ours, "--predictor_host", formatter, "--http_port", str(port)]
        command = debian.command("run", working, "--", *words)
        process = subprocess.Popen(command, stdout=log, stderr=log, env=debian.ENVIRONMENT, start_new_session=True)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
                answer = first_answer(client, process, folder / "log")
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # buildah passes it on to what it runs, and to that alone
            process.wait(PATIENCE_S)
    assert answer["bundle"] == bundle.digest
    return answer


@pytest.mark.cluster
def test_the_serve_image_is_built_and_serves_as_a_plain_user(tmp_path, capsys):
    """On a base made by debootstrap from the machine's own Debian source; the build and its size are printed."""
    if why := obstacle():
        with capsys.disabled():
            sys.stdout.write(f"\nthe serve image is not built: {why}\n")
        pytest.skip(why)
    began = time.monotonic()
    name = build.image("serve")
    took_s = time.monotonic() - began
    about = json.loads(debian.buildah("inspect", "--type=image", name))["OCIv1"]["config"]
    assert int(about["User"].split(":")[0]) > 0
    assert about["Entrypoint"][:2] == ["proseform", "serve"]
    assert about["Labels"][f"{OCI}title"] == "Proseform serve"
    assert about["Labels"][f"{OCI}base.name"] == debian.BASE
    working = debian.buildah("from", "--pull-never", name)
    try:
        script = "import os, importlib.util as u; print(os.getuid(), *map(u.find_spec, ('torch', 'mlflow', 'pip')))"
        assert debian.buildah("run", working, "--", "python3", "-c", script).splitlines()[-1] == "10001 None None None"
        assert "Serve verified answers" in debian.buildah("run", working, "--", "proseform", "serve", "--help")
        stale = "python3 -v -c 'import asyncio, json, proseform.cli' 2>&1 | grep -c -e 'bytecode is stale' -e 'wrote '"
        assert debian.buildah("run", working, "--", "sh", "-c", f"{stale} || true").splitlines()[-1] == "0"
        root = Path(debian.buildah("mount", working))
        size = sum(file.lstat().st_size for file in root.rglob("*") if file.is_file() and not file.is_symlink())
        assert _answers(working, tmp_path)["answer"] == CASE.answer
    finally:
        debian.buildah("rm", working)
    with capsys.disabled():
        sys.stdout.write(
            f"\nthe serve image: {size / 1e6:.0f} MB, "
            f"{f'built in {took_s:.0f} s' if took_s > 10 else 'kept from before'}\n"
        )
