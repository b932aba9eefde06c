"""Both pipelines by KFP's local runner, in this process: `python -m pipelines.local` with the parameters as JSON.

`python -m pipelines run` starts it beside the display; its output goes to the run's kfp.log.
"""

import json
import os
import sys

from kfp import local

from pipelines.promote import promote_candidate
from pipelines.train import train
from proseform.launch import end_with_parent
from proseform.stages import cache

if __name__ == "__main__":
    end_with_parent()
    os.environ["PROSEFORM_TIED"] = str(os.getpid())  # what is started below ends with this
    parameters = json.loads(sys.argv[1])
    example = parameters.pop("example")
    root = str(cache.home().runs / "kfp")
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=root, enable_caching=False)
    train(**parameters)
    promote_candidate(**parameters, example=example)
