"""The door of the stage sft."""

from kfp import dsl

from proseform.versions import images


@dsl.component(base_image=images()["pipeline"], install_kfp_package=False)
def sft(task: str, run: str, role: str, dataset: dsl.Input[dsl.Dataset], model: dsl.Output[dsl.Model]):
    """Fine-tune one role on the dataset's rows."""
    from proseform.stages import sft as stage

    stage.run(task, run, role, dataset, model)
