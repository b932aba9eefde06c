"""The door of the stage evaluate."""

from kfp import dsl

from proseform.versions import images


@dsl.component(base_image=images()["pipeline"], install_kfp_package=False)
def evaluate(
    task: str,
    run: str,
    dataset: dsl.Input[dsl.Dataset],
    sft: dsl.Input[dsl.Model],
    grpo: dsl.Input[dsl.Model],
    formatter: dsl.Input[dsl.Model],
    report: dsl.Output[dsl.HTML],
    page: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
):
    """Measure the variants base, SFT, GRPO, and the formatter, on held-out cases.

    Page, metrics and confusion are for KFP's own pages.
    """
    from proseform.stages import evaluate as stage

    stage.run(task, run, dataset, sft, grpo, formatter, report, stage.Shown(page, metrics, confusion))
