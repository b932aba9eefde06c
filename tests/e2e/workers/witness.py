"""The SFT worker with a record on each rank: the rows that it was trained on, and the digest of its final weights."""

import hashlib
import json
import os
from pathlib import Path

from proseform import launch


def main(job):
    """Train, and write ``witness-<rank>.json``: world size, host, digests of each step's rows and of the weights."""
    from proseform.train import sft, weights

    weights.quiet()
    from transformers import Trainer

    steps, kept, step, train = [], {}, Trainer.training_step, Trainer.train

    def watched_step(self, model, inputs, *rest, **more):
        steps.append([hashlib.sha256(row.numpy().tobytes()).hexdigest() for row in inputs["input_ids"]])
        return step(self, model, inputs, *rest, **more)

    def watched_train(self, *rest, **more):
        result = train(self, *rest, **more)
        kept["model"] = self.accelerator.unwrap_model(self.model)
        return result

    Trainer.training_step, Trainer.train = watched_step, watched_train
    sft.main(job)
    hashed = hashlib.sha256()
    for name, value in sorted(kept["model"].named_parameters()):
        hashed.update(name.encode() + value.detach().float().numpy().tobytes())
    told = {
        "world": int(os.environ["WORLD_SIZE"]),
        "host": os.uname().nodename,
        "steps": steps,
        "weights": hashed.hexdigest(),
    }
    (Path(job.work) / f"witness-{os.environ['RANK']}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    launch.worker(main)
