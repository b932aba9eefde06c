"""The door of the stage grpo."""

from kfp import dsl

from proseform.versions import images


@dsl.component(base_image=images()["pipeline"], install_kfp_package=False)
def grpo(
    task: str, run: str, dataset: dsl.Input[dsl.Dataset], evaluator: dsl.Input[dsl.Model], model: dsl.Output[dsl.Model]
):
    """Go on with the evaluator under the task's rubric."""
    from proseform.stages import grpo as stage

    stage.run(task, run, dataset, evaluator, model)
