"""The page of a study, from its template, the arms and the records: the page says nothing that they do not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.study import figures, plots, rejection
from benchmarks.study.arms import Plan
from benchmarks.study.figures import Record, Row, Spread, To
from benchmarks.study.sections import Factors, Pretrained, Shape

HOURS = "1.5 to 2.5"
"""What the whole study may take on two quiet cores; `--size` says what it does."""
_NAMES = {
    "reward": "reward", "scale": "scaling", "sft": "steps of SFT", "prompt": "prompt", "beta": "β",
    "temperature": "temperature", "generations": "completions of a group", "schedule": "learning rate",
    "constrained": "held to the grammar", "recipe": "recipe",
}  # fmt: skip
NOTHING = "No records are kept yet: run `make study`."


def page(plan: Plan, records: Mapping[tuple[str, int], Record]) -> str:
    """The page.

    Args:
        plan: The study.
        records: By arm and seed; none are needed.
    """
    centre, model = plan.arms[plan.centre], plan.model
    return plan.template.read_text(encoding="utf-8").format(
        hours=HOURS,
        parameters=_words(model),
        talk_steps=model.talk_steps,
        tokens=f"{plan.study.tokens:,}",
        rounds=rejection.ROUNDS,
        held_out=plan.study.held_out,
        centre=f"{centre.words}; {_factors(centre.factors, _NAMES)}",
        arms="\n".join(_arms(plan)),
        results="\n".join(_results(plan, records)) if records else NOTHING,
    )


def _words(model: Shape | Pretrained) -> str:
    """What the chat model is made from."""
    if isinstance(model, Pretrained):
        rates = f"learning rates {model.sft_rate:g} (SFT) and {model.grpo_rate:g} (GRPO)"
        return f"`{model.source}`, all its weights in bfloat16, {rates}"
    return f"{model.layers} layers of width {model.width}, {model.heads} heads, at most {model.vocabulary} tokens"


def _factors(factors: Factors, names: Iterable[str]) -> str:
    """Factors with their values."""
    return ", ".join(f"{_NAMES[name]} {_value(getattr(factors, name))}" for name in names)


def _value(value: object) -> str:
    """A factor's value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else f"`{value}`" if isinstance(value, str) else str(value)


def _arms(plan: Plan) -> list[str]:
    """A line for each arm."""
    lines = [
        (arm.name, arm.words, _factors(arm.factors, arm.own) or "nothing", str(arm.seeds)) for arm in plan.arms.values()
    ]
    return _table(("arm", "what it is", "differs in", "seeds"), lines)


def _table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """A table of Markdown."""
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *(f"| {' | '.join(line)} |" for line in lines)]


def _results(plan: Plan, records: Mapping[tuple[str, int], Record]) -> list[str]:
    """The tables and the pictures."""
    rows = figures.rows(records, [*plan.arms], plan.centre, plan.study.targets)
    due = plan.legs()
    machines = sorted({str(record["machine"]) for record in records.values()})
    missing = len(due) - len(records)
    whole = "" if not missing else f" {missing} of the {len(due)} legs are not there yet."
    command = f"python -m benchmarks.study{plan.option} --figures"
    pictures = {what: f"images/{plots.picture(plan, what)}" for what in (plots.COMPLIANCE, plots.REWARD, plots.MIXED)}
    return [
        f"Printed by `{command}`; {len(records)} legs on {' and '.join(machines)}.{whole}",
        "",
        f"![The share of valid answers, by arm: mean with its interval, and each seed]({pictures[plots.COMPLIANCE]})",
        "",
        *_table(
            ("arm", "seeds", "valid, greedy", "valid, sampled", "value", "wholly right, sampled", "held-out reward",
             "ahead of the centre"),
            [(name, *_ends(row)) for name, row in rows.items()],
        ),
        "",
        f"![The held-out reward over sampled tokens, with the range of the seeds]({pictures[plots.REWARD]})",
        "",
        f"![The share of mixed groups over steps]({pictures[plots.MIXED]})",
        "",
        *_table(
            ("arm", f"mixed, first {figures.EDGE} steps", "mixed, last ones", "first success, tokens",
             *(f"tokens to {target:g}" for target in plan.study.targets),
             *(f"centre's by its own, to {target:g}" for target in plan.study.targets), "forgotten"),
            [(name, *_ways(row)) for name, row in rows.items()],
        ),
    ]  # fmt: skip


def _ends(row: Row) -> tuple[str, ...]:
    """An arm's figures at the end."""
    spreads = (row.valid_greedy, row.valid_sampled, row.value, row.right, row.held_out)
    ahead = f"{row.ahead[0]} of {row.ahead[1]}" if row.ahead[1] else "-"
    return (str(row.seeds), *map(_figure, spreads), ahead)


def _ways(row: Row) -> tuple[str, ...]:
    """An arm's figures on the way."""
    mixed = [f"{share:.2f}" for share in row.mixed] if row.mixed else ["-", "-"]
    first = "never" if math.isinf(row.first) else f"{row.first:,.0f}"
    return (
        *mixed, first, *(_tokens(to, row.seeds) for to in row.to), *(_ratio(to) for to in row.to), _figure(row.talk)
    )  # fmt: skip


def _figure(spread: Spread | None) -> str:
    """A figure with its lowest and its highest seed."""
    return "-" if spread is None else f"{spread.value:.3f} ({spread.low:.2f} to {spread.high:.2f})"


def _tokens(to: To, seeds: int) -> str:
    """Tokens to a target, with the seeds that never got there."""
    words = "never" if math.isinf(to.tokens) else f"{to.tokens:,.0f}"
    return f"{words} ({to.censored} of {seeds} censored)" if to.censored else words


def _ratio(to: To) -> str:
    """A ratio with its interval."""
    if to.by_centre is None:
        return "-"
    return f"{to.by_centre[0]:.2f} [{to.by_centre[1]:.2f}, {to.by_centre[2]:.2f}]"
