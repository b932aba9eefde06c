"""A whole run on this machine: KFP's local runner in a child process, the display beside it, the answer at the end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from proseform import config, display
from proseform import task as tasks
from proseform.errors import StageError
from proseform.lifetime import end_with_parent
from proseform.stages import STEPS, cache, policy, preflight, probe


def run(task: str, run: str, tracking_uri: str, name: str, example: Path | None, *, fresh: bool) -> None:
    """Run both pipelines to their end, and print the results.

    Raises:
        InputError: A wrong config key, an unknown task, an unreadable example; before anything is started.
        ConfigError: vLLM is to answer at the end, and cannot; before anything is started.
        StageError: A stage failed; the message is the stage's.
    """
    console = Console()
    the_task, resolved = preflight.check(task, run, cache.home().cluster, name=name, tracking_uri=tracking_uri)
    probe.check()
    read = probe.read_example(the_task, example) if example else {}
    asked = {input_name: value.text for input_name, value in read.items()}
    moment = time.strftime("%Y%m%d-%H%M%S")
    os.environ.setdefault("PROSEFORM_RUN", f"{task}-{resolved.name}-{moment}")
    os.environ["PROSEFORM_FRESH"] = moment if fresh else os.environ.get("PROSEFORM_FRESH", "")
    if tracking_uri:
        os.environ["MLFLOW_TRACKING_URI"] = tracking_uri  # for every step; a parameter would be kept, password and all
    home = cache.home()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home.runs.mkdir(parents=True, exist_ok=True)
    console.print(f"[bold]{the_task.title}[/bold], run [bold]{resolved.name}[/bold]: {resolved.description}")
    console.print(f"{len(STEPS)} steps; state and logs in {home.runs}", style="dim")
    parameters = {"task": task, "run": config.toml(run), "tracking_uri": "", "name": name}
    with (home.runs / "kfp.log").open("ab") as log:
        command = [
            sys.executable,
            "-m",
            "pipelines.local",
            json.dumps({**parameters, "example": json.dumps(asked) if asked else ""}),
        ]
        child = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - one prctl, no locks
        )
        try:
            steps = display.follow(home.runs, lambda: child.poll() is None, console)
        except KeyboardInterrupt:
            child.terminate()
            child.wait()
            if home.place:
                console.print(f"Deleted: {', '.join(policy.cancel()) or 'no job was running'}.")
            raise
    failed = next((event for event in steps.values() if event["state"] == "failed"), None)
    if failed:
        raise StageError(f"{failed['stage']}: {failed['message']}", hint=failed["hint"])
    if child.returncode != 0:
        raise StageError(
            f"The pipeline ended with code {child.returncode}.",
            hint=f"Its log is {home.runs / 'kfp.log'}; the same command goes on.",
        )
    console.print(display.summary(steps))
    display.conclude(home.runs, steps, console)
    if display.promoted(steps):
        files = " ".join(f"--input {name}=FILE" for name in the_task.inputs)
        folder = tasks.folders().get(task)
        named = os.path.relpath(folder) if folder else task
        console.print(
            f"Next: [bold]{Path(sys.prefix).name}/bin/proseform answer --task {named} {files}[/bold]",
            soft_wrap=True,
            highlight=False,
        )
