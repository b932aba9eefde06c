"""dataset → sft → grpo → evaluate → register."""

from kfp import dsl

from components import dataset, evaluate, grpo, register, sft


@dsl.pipeline(
    name="proseform-train", description="Train an evaluator and a formatter, measure them, register them as one bundle."
)
def train(task: str, run: str, tracking_uri: str = "", name: str = "") -> str:
    """Train and register.

    Args:
        task: The installed task's name.
        run: A shipped run's name, or TOML text.
        tracking_uri: MLflow's; empty takes SQLite in the home folder.
        name: The registered model's name; empty takes proseform-<task>.

    Returns:
        The registered version.
    """
    data = dataset(task=task, run=run)
    imitator = sft(task=task, run=run, role="evaluator", dataset=data.output).set_display_name("sft-evaluator")
    evaluator = grpo(task=task, run=run, dataset=data.output, evaluator=imitator.output)
    formatter = sft(task=task, run=run, role="formatter", dataset=data.output).set_display_name("sft-formatter")
    models = {"sft": imitator.output, "formatter": formatter.output}
    measured = evaluate(task=task, run=run, dataset=data.output, grpo=evaluator.output, **models)
    registered = register(
        task=task,
        run=run,
        dataset=data.output,
        evaluator=evaluator.output,
        report=measured.outputs["report"],
        tracking_uri=tracking_uri,
        name=name,
        **models,
    )
    return registered.output
