"""A worker without a model: it counts, and then fails in the way that a test asks for."""

import sys
import time
from pathlib import Path

from proseform import launch
from proseform.errors import ConfigError


def main(job):
    """Count to ``settings["count"]``, one a second, on from an earlier start; then fail as ``settings["end"]`` says."""
    kept = Path(job.work) / "counted.txt"
    done = int(kept.read_text()) if kept.exists() else 0
    with (Path(job.work) / "starts.txt").open("a") as file:
        file.write(f"{done}\n")
    total = int(job.settings.get("count", 0))
    for number in range(done, total):
        kept.write_text(str(number + 1))
        job.progress(number + 1, total)
        time.sleep(1)
    if (end := job.settings.get("end")) == "exit":
        sys.exit(1)
    if end == "raise":
        raise ConfigError("The tenth row is no row.", hint="Correct it.")
    (Path(job.out) / "done.txt").write_text("done")


if __name__ == "__main__":
    launch.worker(main)
