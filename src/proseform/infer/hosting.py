"""vLLM on this machine: servers on loopback for a bundle's folder, for as long as an engine is open.

One server where both roles are adapters on one base, else one for each role. They are started side by side, since each
takes a minute or two, and end with the process that started them. vLLM stands in an environment of its own, which
``PROSEFORM_VLLM`` names by its interpreter: its packages do not go with those of training. Left out: which GPU is whose
where there are several.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from proseform import digest
from proseform.bundle import Bundle, Role
from proseform.config.serving import Engine
from proseform.errors import ConfigError, EngineError
from proseform.infer import vllm
from proseform.infer.context import Encoder
from proseform.infer.http import HttpEngine
from proseform.infer.spec import EngineSpec
from proseform.infer.vllm import Loaded, Standing
from proseform.lifetime import guarded

VARIABLE = "PROSEFORM_VLLM"
"""Names the interpreter of the environment that vLLM is installed in."""
_INSTALL = f"make vllm, then {VARIABLE}=.cache/vllm/bin/python."
_LEAVES_S = 30.0
"""Longest wait for a server that was told to end, in seconds; then it is killed."""
_ASKED_S = 0.5
"""Pause between two questions whether a server answers, in seconds."""
_LAST_LINES = 3
_OURS = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "OMP_NUM_THREADS", "MKL_NUM_THREADS"})
"""Variables of this process that are not for vLLM's environment."""
_GPU = Path("/dev/nvidiactl")


@dataclass(frozen=True, slots=True)
class _Server:
    """One server: its roles, its process, its port, and what it writes."""

    roles: Sequence[Role]
    process: subprocess.Popen[bytes]
    port: int
    log: Path


def interpreter() -> str:
    """The Python of the environment with vLLM.

    Raises:
        ConfigError: There is none.
    """
    named = os.environ.get(VARIABLE, "")
    if named:
        if not os.access(named, os.X_OK):
            raise ConfigError(f"{VARIABLE}: no interpreter at {named}.", hint=f"To install vLLM for CPUs: {_INSTALL}")
        return str(Path(named).absolute())  # not resolved: a link's own place says which environment it is
    if importlib.util.find_spec("vllm") is None:
        raise ConfigError(
            "--engine vllm: vLLM is not installed here.",
            hint=f"For CPUs: {_INSTALL} Else name the Python of an environment with vLLM in {VARIABLE}.",
        )
    return sys.executable


def knobs() -> Engine:
    """How vLLM runs here: on a GPU where there is one, else on the processor without compiled graphs."""
    return Engine(gpus=1) if _GPU.exists() else Engine(gpus=0, eager=True)


class Servers:
    """The servers of a bundle; they answer once this is made, until :meth:`stop`.

    Args:
        folder: The bundle.
        bundle: What its manifest says.
        logs: A folder for what servers write; made.
        say: Is told that it takes a while.
        how: vLLM's knobs, among them the longest time until all answer; by default those of this machine.

    Raises:
        ConfigError: vLLM is not installed, or cannot serve this bundle.
        EngineError: A server ended, or does not answer in time; with the last lines of its log.
    """

    def __init__(
        self,
        folder: Path,
        bundle: Bundle,
        logs: Path,
        say: Callable[[str], object],
        *,
        how: Engine | None = None,
    ) -> None:
        vllm.check(bundle)
        python, roles = interpreter(), tuple(bundle.parts)
        groups = [(role,) for role in roles] if vllm.economical(bundle) else [roles]
        chosen = how or knobs()
        chosen = chosen.model_copy(update={"memory_share": chosen.memory_share / len(groups)})
        logs.mkdir(parents=True, exist_ok=True)
        say(
            f"Starting vLLM for bundle {digest.short(bundle.digest)}, which takes a minute or two; its log is in {logs}"
        )
        self._servers: list[_Server] = []
        self._ended = ExitStack()
        atexit.register(self.stop)  # a command that fails elsewhere leaves none behind
        with ExitStack() as undone:
            undone.callback(self.stop)
            for group, port in zip(groups, _free_ports(len(groups)), strict=True):
                self._servers.append(_started(folder.absolute(), bundle, group, chosen, python, port, logs))
            guard = guarded([server.process.pid for server in self._servers])  # should this process be killed
            self._ended.callback(guard.wait)
            self._ended.callback(guard.kill)
            _await(self._servers, chosen.start_s)
            undone.pop_all()

    def urls(self) -> dict[Role, str]:
        """The server of each role."""
        return {role: _url(server.port) for server in self._servers for role in server.roles}

    def stop(self) -> None:
        """End the servers, and wait until they are gone; again does nothing."""
        atexit.unregister(self.stop)
        for server in self._servers:
            _signal(server, signal.SIGTERM)
        for server in self._servers:
            with suppress(subprocess.TimeoutExpired):
                server.process.wait(_LEAVES_S)
            _signal(server, signal.SIGKILL)  # what is left of its processes
            server.process.wait()
        self._servers = []
        self._ended.close()


class HostedEngine(HttpEngine):
    """An engine by URL whose servers are its own: closing it ends them.

    Args:
        servers: They answer.
        spec: How they are asked; where they are is theirs to say.
        bundle: See :class:`~proseform.infer.http.HttpEngine`.
        encoders: See there.
    """

    def __init__(self, servers: Servers, spec: EngineSpec, bundle: Bundle, encoders: Mapping[Role, Encoder]) -> None:
        urls = servers.urls()
        own = replace(spec, url=urls["formatter"], evaluator_url=urls["evaluator"])
        super().__init__(own, bundle, encoders)
        self._servers = servers

    async def close(self) -> None:
        """See :meth:`proseform.infer.Engine.close`."""
        await super().close()
        await asyncio.to_thread(self._servers.stop)


def _started(
    folder: Path, bundle: Bundle, roles: Sequence[Role], how: Engine, python: str, port: int, logs: Path
) -> _Server:
    """A server that begins to load its models."""
    length = max(bundle.parts[role].generation.context_length for role in roles)
    standing = Standing(str(folder), "127.0.0.1", port, 0, python)
    command = vllm.argv(Loaded(bundle, roles, vllm.ranks(folder, bundle), length), how, standing)
    log = logs / f"{digest.short(bundle.digest)}-{'-'.join(roles)}.log"
    others = {name: value for name, value in os.environ.items() if name not in _OURS}
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**others, **vllm.environment(how)},
            start_new_session=True,  # Ctrl+C is ours to pass on, and its processes end together
        )
    return _Server(roles, process, port, log)


def _await(servers: Sequence[_Server], start_s: int) -> None:
    """Wait until all servers answer."""
    until = time.monotonic() + start_s
    for server in servers:
        while not _answers(server.port):
            if (code := server.process.poll()) is not None:
                raise EngineError(
                    f"vLLM for {' and '.join(server.roles)} ended with code {code}: {_last(server.log)}",
                    hint=f"Its log is {server.log}.",
                )
            if time.monotonic() > until:
                raise EngineError(
                    f"vLLM for {' and '.join(server.roles)} does not answer after {start_s} s.",
                    hint=f"Its log is {server.log}.",
                )
            time.sleep(_ASKED_S)


def _answers(port: int) -> bool:
    """Whether a server is there and well."""
    try:
        with urllib.request.urlopen(f"{_url(port)}/health", timeout=5) as response:  # noqa: S310 - loopback
            return bool(response.status == 200)  # noqa: PLR2004 - HTTP's OK
    except (urllib.error.URLError, OSError):
        return False


def _last(log: Path) -> str:
    """The last lines that say something."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-_LAST_LINES:])[-600:] or "it wrote nothing"


def _signal(server: _Server, number: signal.Signals) -> None:
    """Signal a server's processes, if there are any left: they are a session of their own."""
    with suppress(ProcessLookupError):
        os.killpg(server.process.pid, number)


def _url(port: int) -> str:
    """A server's URL."""
    return f"http://127.0.0.1:{port}"


def _free_ports(count: int) -> list[int]:
    """Ports of loopback on which nobody listens, each another: it is a while until servers take them."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
