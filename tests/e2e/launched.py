"""Jobs that the launcher starts from this process, with the tests' own workers."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from proseform import config, launch
from proseform.kube.launcher import Cluster
from tests.cluster import addons
from tests.cluster.kubectl import kubectl
from tests.cluster.probe import eventually
from tests.e2e.world import HOME, WORKERS, World

JOBS = HOME / "launched"
"""The folders of these jobs."""


def place(world: World, *, image: str = "", **jobs: Any) -> config.Place:
    """A place whose pods find the tests' workers.

    Args:
        world: The world.
        image: The image; empty takes the world's.
        jobs: Knobs of ``[jobs]`` that differ.
    """
    environment = {**world.environment, "packages": f"{world.environment['packages']}:{WORKERS}"}
    knobs = world.place(**{"nodes": 1, "cpu": "200m", "memory": "2Gi", "environment": environment, **jobs})
    return config.Place.model_validate({**knobs, "images": {**knobs["images"], **({"train": image} if image else {})}})


def job(name: str, processes: int = 1, inputs: dict[str, str] | None = None, **settings: Any) -> launch.Job:
    """A job in an empty folder of its own; not among the pipelines' folders, since their user may not write to ours."""
    work = JOBS / name
    shutil.rmtree(work, ignore_errors=True)
    return launch.Job(name, str(work), str(work / "made"), inputs or {}, settings, processes)


def run(where: config.Place, worker: str, job: launch.Job) -> None:
    """Run a job to its end, as a stage does."""
    Cluster(where, HOME, "e2e").run(worker, job)


@contextmanager
def running(where: config.Place, worker: str, job: launch.Job) -> Iterator[None]:
    """Run a job beside the body of the context; raise its error, if any, at the end."""
    failed: list[BaseException] = []

    def body() -> None:
        try:
            run(where, worker, job)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failed.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if failed:
        raise failed[0]


def scale(controller: str, replicas: int) -> None:
    """Stop a controller, or start it and wait until its webhook admits its objects.

    Args:
        controller: Of :data:`tests.cluster.addons.CONTROLLERS`.
        replicas: 0 or 1.
    """
    of = addons.CONTROLLERS[controller]
    kubectl("scale", "--namespace", of.namespace, f"deployment/{of.name}", f"--replicas={replicas}")
    if replicas:
        addons.up(controller)
    else:
        eventually(
            lambda: (
                not kubectl("get", "pods", "--namespace", of.namespace, "--selector=control-plane", "--output=name")
            ),
            120,
        )
