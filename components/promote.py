"""The door of the stage promote."""

from kfp import dsl

from proseform.versions import images


@dsl.component(base_image=images()["pipeline"], install_kfp_package=False)
def promote(task: str, run: str, tracking_uri: str, name: str, version: str) -> str:
    """Make a version, or the candidate, champion, and the champion previous; gives the version."""
    from proseform.stages import promote as stage

    return stage.run(task, run, tracking_uri, name, version)
