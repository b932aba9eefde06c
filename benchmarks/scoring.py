"""Completions that the judgement code scores, and cases that the CV task generates, a second of processor time.

Run it as `python -m benchmarks.scoring`.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable

from proseform import reward, task, verify
from proseform.machine import machine

COMPLETIONS = 2000
ROUNDS = 7


def main() -> None:
    """Print the median rate of each function, with the slowest and fastest round."""
    cv = task.load("cv")
    rubric = cv.rubric()
    cases = list(cv.generate("starter", "test", 0, COMPLETIONS))
    rng = random.Random(0)
    written = [cv.annotate(case, rng) for case in cases]
    answers = [json.dumps(dict(case.answer)) for case in cases]
    pairs = list(zip(written, cases, strict=True))
    print(f"{machine()}; {COMPLETIONS} completions, {ROUNDS} rounds, one core; median (slowest to fastest)")
    _rate("composite prose reward", lambda: [reward.prose(text, case, cv, rubric) for text, case in pairs])
    _rate(
        "gated JSON reward",
        lambda: [reward.gated_json(text, case.answer, cv.schema) for text, case in zip(answers, cases, strict=True)],
    )
    _rate("read careless prose", lambda: [verify.form(text, cv, case.inputs) for text, case in pairs])
    _rate("verify gold prose", lambda: [verify.prose(case.prose, cv, case.inputs) for case in cases])
    hard = list(cv.generate(cv.levels[-1], "test", 0, COMPLETIONS))
    _rate(f"verify it, {cv.levels[-1]}", lambda: [verify.prose(case.prose, cv, case.inputs) for case in hard])
    _rate("generate a case", lambda: list(cv.generate("starter", "test", 1, COMPLETIONS)))
    _rate("verify JSON", lambda: [verify.answer(text, cv.schema) for text in answers])


def _rate(name: str, work: Callable[[], object]) -> None:
    """Time some work over all completions."""
    rates = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        rates.append(COMPLETIONS / (time.process_time() - started))
    print(f"{name:<24}{statistics.median(rates):>10,.0f} /s  ({min(rates):,.0f} to {max(rates):,.0f})")


if __name__ == "__main__":
    main()
