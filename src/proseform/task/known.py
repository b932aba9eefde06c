"""Which tasks there are, and loading one by its name.

A task is installed, as a package that the entry-point group ``proseform.tasks`` names, or is a folder of data alone in
one of the folders that ``PROSEFORM_TASKS`` names, or is one of them (``tasks`` in the working directory, where it names
none). A name is one task: two of a name are refused.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from pathlib import Path

from proseform.errors import TaskError
from proseform.task import package, plain
from proseform.task.domain import Task

GROUP = "proseform.tasks"
FOLDERS = "PROSEFORM_TASKS"
"""The environment variable that names folders, as ``PATH`` does: of tasks, or tasks themselves."""
DEFAULT = "tasks"
"""The folder in the working directory that is looked into where the variable is unset."""


def installed() -> dict[str, importlib.metadata.EntryPoint]:
    """Installed tasks by name."""
    return {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}


def places() -> list[Path]:
    """The folders that are looked into."""
    return [Path(name).expanduser() for name in os.environ.get(FOLDERS, DEFAULT).split(os.pathsep) if name]


def folders() -> dict[str, Path]:
    """Tasks that are folders of data alone, by name.

    Raises:
        TaskError: Two folders have one name.
    """
    tasks: dict[str, Path] = {}
    for place in places():
        inside = sorted(place.iterdir()) if place.is_dir() else []
        for folder in [place, *inside]:
            if plain.is_plain(folder):
                name, path = folder.resolve().name, folder.resolve()
                if tasks.setdefault(name, path) != path:
                    raise TaskError(f"Two folders are the task '{name}': {tasks[name]} and {path}.")
    return tasks


def names() -> list[str]:
    """The names of all tasks, in order."""
    return sorted({*installed(), *folders()})


def foreign(name: str) -> bool:
    """True if a task of that name is installed and its code does not come with this package."""
    point = installed().get(name)
    return point is not None and not point.value.startswith("proseform.")


def located(task: str) -> str:
    """The name of a task that is given by name or by its folder's path.

    A folder's absolute path is put first in ``PROSEFORM_TASKS``: what this process starts inherits it, and finds the
    folder by the name from wherever it works.

    Raises:
        TaskError: The path leads to no folder of a task, or a name is that of two folders.
    """
    by_path = os.sep in task or task.startswith(".")
    folder = Path(task).expanduser().resolve() if by_path else folders().get(task)
    if folder is None:
        return task
    if not plain.is_plain(folder):
        raise TaskError(f"--task {task}: no task is there.", hint=f"Its folder holds {' and '.join(plain.NEEDED)}.")
    paths = [str(folder), *(str(place.resolve()) for place in places())]
    os.environ[FOLDERS] = os.pathsep.join(dict.fromkeys(paths))
    return folder.name


def load(name: str) -> Task:
    """The task of that name.

    Raises:
        TaskError: No such task (those that exist are named), two of that name, or its folder is incomplete or
            malformed.
        RowError: A line of a folder's cases is no case.
    """
    points, by_folder = installed(), folders()
    if name in points and name in by_folder:
        raise TaskError(f"Two tasks are '{name}': the package {points[name].value} and {by_folder[name]}.")
    if name in by_folder:
        return plain.read(by_folder[name])
    if name not in points:
        looked = ", ".join(map(str, places())) or "none"
        raise TaskError(
            f"No task '{name}'; installed: {', '.join(names()) or 'none'}.",
            hint=f"A folder of data alone is looked for in {FOLDERS} ({looked}), or give its path.",
        )
    try:
        module = importlib.import_module(points[name].value)
    except ImportError as error:
        raise TaskError(f"Task '{name}' cannot be imported from {points[name].value}: {error}.") from error
    folder = Path(str(module.__file__)).parent
    return plain.read(folder, name) if plain.is_plain(folder) else package.from_package(module)
