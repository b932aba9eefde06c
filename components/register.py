"""The door of the stage register."""

from kfp import dsl

from proseform.versions import images


@dsl.component(base_image=images()["pipeline"], install_kfp_package=False)
def register(
    task: str,
    run: str,
    dataset: dsl.Input[dsl.Dataset],
    sft: dsl.Input[dsl.Model],
    evaluator: dsl.Input[dsl.Model],
    formatter: dsl.Input[dsl.Model],
    report: dsl.Input[dsl.HTML],
    tracking_uri: str,
    name: str,
) -> str:
    """Register evaluator and formatter as one bundle; gives its version."""
    from proseform.stages import register as stage

    return stage.run(
        task,
        run,
        {"dataset": dataset, "sft": sft, "grpo": evaluator, "formatter": formatter, "report": report},
        tracking_uri,
        name,
    )
