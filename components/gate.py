"""The door of the stage gate."""

from kfp import dsl

from proseform.versions import images


@dsl.component(base_image=images()["pipeline"], install_kfp_package=False)
def gate(task: str, run: str, tracking_uri: str, name: str, version: str) -> str:
    """Judge a version, or the candidate, by its report; gives open or closed."""
    from proseform.stages import gate as stage

    return stage.run(task, run, tracking_uri, name, version)
