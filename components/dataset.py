"""The door of the stage dataset."""

from kfp import dsl

from proseform.versions import images


@dsl.component(base_image=images()["pipeline"], install_kfp_package=False)
def dataset(task: str, run: str, dataset: dsl.Output[dsl.Dataset]):
    """Make the task's cases in disjoint splits, and the rows of each role."""
    from proseform.stages import dataset as stage

    stage.run(task, run, dataset)
