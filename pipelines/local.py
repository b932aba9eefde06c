"""Both pipelines by KFP's local runner, in this process: `python -m pipelines.local` with the parameters as JSON.

`python -m pipelines run` starts it beside the display; its output goes to the run's kfp.log. It also starts the warm
worker, from which the ranks of every training stage are forked.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from kfp import local

from pipelines.promote import promote_candidate
from pipelines.train import train
from proseform import warm
from proseform.lifetime import end_with_parent
from proseform.stages import cache


def run(parameters: dict[str, str], example: str) -> None:
    """Run both pipelines to their end; promoted is what was registered, whatever another run registers meanwhile."""
    root = str(cache.home().runs / "kfp")
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=root, enable_caching=False)
    registered = train(**parameters)
    promote_candidate(**parameters, version=registered.output, example=example)


if __name__ == "__main__":
    end_with_parent()
    os.environ["PROSEFORM_TIED"] = str(os.getpid())  # processes that are started below end with this one
    parameters = json.loads(sys.argv[1])
    example = parameters.pop("example")
    with tempfile.TemporaryDirectory(prefix="proseform-") as folder:  # a socket's path may have 107 bytes
        if cache.home().cluster is None:
            os.environ[warm.SOCKET] = str(Path(folder) / "warm")
            one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # a fork takes no thread along
            subprocess.Popen(
                [sys.executable, "-m", "proseform.warm", os.environ[warm.SOCKET], *warm.MODULES], env=one_thread
            )
        run(parameters, example)
