"""A server of the toy task on a random-weight bundle: `program.py FOLDER PORT WEIGHTS [KServe's arguments]`."""

import sys
from pathlib import Path

from proseform import testing
from proseform.infer.local import LocalEngine
from proseform.serve import server
from proseform.serve.router import Weighted

if __name__ == "__main__":
    root, port, weights = Path(sys.argv[1]), int(sys.argv[2]), [int(weight) for weight in sys.argv[3].split(",")]
    engines = [Weighted(LocalEngine(root / str(index)), weight) for index, weight in enumerate(weights)]
    server.run(engines, testing.toy_task(), port=port, timeout_s=20.0, queue=40)
