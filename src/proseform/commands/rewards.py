"""``proseform rewards``: whether a reward can be trusted, and what it pays for."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from proseform.commands.options import EXIT_CODES, Json, RunName, TaskName, located

app = typer.Typer(no_args_is_help=True, help="Check a reward before training, and read what it paid for.")


@app.command(epilog=f"{EXIT_CODES} check: 1 where a check fails.")
def check(
    function: Annotated[str, typer.Argument(help="module:function, called as TRL does, in the place of a task.")] = "",
    task: TaskName = "",
    cases: Annotated[
        Path | None, typer.Option(help="For a function: JSON Lines of prompt, completion (gold), and its columns.")
    ] = None,
    rubric: Annotated[str, typer.Option(help="For a task: a rubric variant, or one of JSON; else its own.")] = "",
    reward: Annotated[
        Literal["prose", "json"], typer.Option(help="For a task: the rubric, or JSON: gated, or by --rubric.")
    ] = "prose",
    low: Annotated[float | None, typer.Option(help="For a function: the least that it may give.")] = None,
    high: Annotated[float | None, typer.Option(help="For a function: the most that it may give.")] = None,
    limit_s: Annotated[
        float, typer.Option(min=0.1, help="Longest time for one call of the reward, in seconds.")
    ] = 30.0,
    as_json: Json = False,
) -> None:
    """Try a reward on gold, hostile and gaming completions: a row a check, with its reason; exit 1 where one fails."""
    from proseform import display
    from proseform.checklist import apart
    from proseform.errors import InputError

    if bool(function) == bool(task) or bool(function) != bool(cases):
        raise InputError(
            "What is to be checked?", hint="Give --task NAME, or module:function with --cases FILE (docs/rewards.md)."
        )
    spec: dict[str, Any] = {"task": task, "rubric": rubric, "reward": reward}
    if function:
        spec = {"function": function, "cases": str(cases), "low": low, "high": high}
    rows = list(apart.check(spec, limit_s))
    display.checked(function or task, rows, as_json=as_json)
    if any(row.result == "fails" for row in rows):
        raise typer.Exit(1)


@app.command(epilog=EXIT_CODES)
def explain(
    file: Annotated[
        Path, typer.Argument(help="rollouts.parquet, a report's records.parquet, or JSON Lines of completion and case.")
    ],
    task: Annotated[str, typer.Option("--task", callback=located, help="The task of JSON Lines.")] = "",
    rubric: Annotated[str, typer.Option(help="Another rubric: a variant, or a rubric.toml.")] = "",
    reward: Annotated[Literal["", "prose", "json"], typer.Option(help="What is rewarded; empty takes what was.")] = "",
    case: Annotated[str, typer.Option(help="Completions of this case alone.")] = "",
    most: Annotated[int, typer.Option(min=1, help="Completions, at most; of recorded ones those that earn least.")] = 5,
    as_json: Json = False,
) -> None:
    """Show each term of recorded completions, what it adds, and which places would lift it."""
    from proseform import display
    from proseform.stages import rescore

    rows = rescore.explain(file, task, rubric=rubric, as_reward=reward, case=case, most=most)
    display.explained(rows, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def replay(
    run: Annotated[str, typer.Argument(help="A pipeline run's name, or the path of rollouts.parquet.")],
    rubric: Annotated[str, typer.Option(help="The other rubric: a variant, a rubric.toml, or one of JSON.")] = "",
    reward: Annotated[
        Literal["prose", "json"], typer.Option(help="The rubric, or JSON: gated, or by --rubric.")
    ] = "prose",
    as_json: Json = False,
) -> None:
    """Score a run's rollouts under another reward; nothing is generated."""
    from proseform import display
    from proseform.stages import rescore

    display.replayed(rescore.replay(run, rubric=rubric, as_reward=reward), as_json=as_json)


@app.command(epilog=EXIT_CODES)
def ask(
    model: Annotated[Path, typer.Option(help="A model's folder, a bundle's, or what sft has written.")],
    task: TaskName = "cv",
    run: RunName = "default",
    groups: Annotated[int, typer.Option(min=1, help="Prompts that are sampled.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Of the cases and of the sampling.")] = 0,
    as_json: Json = False,
) -> None:
    """Sample a few groups as GRPO would, and say what signal there is: train, SFT first, or what else."""
    from proseform import config, display
    from proseform.stages import cache
    from proseform.train import preview, signal

    measured = preview.asked(model, task, config.load(run), groups, seed, cache.home().root / "fetched")
    display.signalled(measured, *signal.advice(measured), as_json=as_json)
