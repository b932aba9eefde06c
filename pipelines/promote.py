"""gate → promote → probe: apart from training, since it can be run again."""

from kfp import dsl

from components import gate, probe, promote


@dsl.pipeline(name="proseform-promote", description="Let the candidate through its gate, make it champion, and ask it.")
def promote_candidate(
    task: str, run: str, tracking_uri: str = "", name: str = "", version: str = "", example: str = ""
) -> None:
    """Promote the candidate, or another version, if its gate is open.

    Args:
        task: The installed task's name.
        run: A shipped run's name, or TOML text; its ``[gate]`` holds the thresholds.
        tracking_uri: MLflow's; empty takes SQLite in the home folder.
        name: The registered model's name; empty takes proseform-<task>.
        version: The registered version; empty takes the candidate.
        example: A JSON object of input name to text, the champion's first request; may be empty.
    """
    where = {"task": task, "run": run, "tracking_uri": tracking_uri, "name": name}
    verdict = gate(**where, version=version)
    with dsl.If(verdict.output == "open", name="gate-open"):
        promoted = promote(**where, version=version)
        probe(**where, version=promoted.output, example=example)
