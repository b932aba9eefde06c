"""How many GPUs, and what a day costs, for 10 thousand, 1 million and 100 million evaluations a day.

Run it as `python -m benchmarks.sizing`.

Arithmetic on stated assumptions, not a measurement: put in what a load test of your own model on your own GPU prints.
One evaluation is two requests, the evaluator's and the formatter's. A GPU-second is prompt tokens over the prefill rate
plus completion tokens over the decode rate; what is bought must carry the busiest hour.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

VOLUMES = (10_000, 1_000_000, 100_000_000)
"""Evaluations a day."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one evaluation asks of the engines, and what a GPU gives.

    Attributes:
        prompt: Tokens that both roles read, together.
        completion: Tokens that both roles write, together.
        prefill: Prompt tokens a GPU reads in a second, over all requests that it holds.
        decode: Tokens that a GPU writes in a second, over all requests that it holds.
        peak: The busiest hour's traffic over the day's mean.
        used: Share of a GPU's capacity that the busiest hour may take; the rest is for latency and a lost node.
        price: Of a GPU-hour.
    """

    prompt: int
    completion: int
    prefill: float
    decode: float
    peak: float
    used: float
    price: float

    @property
    def gpu_seconds(self) -> float:
        """GPU-seconds of one evaluation."""
        return self.prompt / self.prefill + self.completion / self.decode

    def gpus(self, a_day: int) -> int:
        """GPUs for so many evaluations a day; two at least, so that one may fail."""
        return max(2, math.ceil(a_day / 86_400 * self.peak * self.gpu_seconds / self.used))

    def cost(self, a_day: int) -> float:
        """What a day costs with all GPUs always on."""
        return self.gpus(a_day) * 24 * self.price


def main() -> None:
    """Print the arithmetic and the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument(
        "--prompt", type=int, default=2600, help="prompt tokens: CV, job and rubric 1,800; prose and signature 800"
    )
    options.add_argument("--completion", type=int, default=600, help="completion tokens: prose 400, JSON 200")
    options.add_argument("--prefill", type=float, default=15_000, help="prompt tokens a second and GPU")
    options.add_argument("--decode", type=float, default=2_000, help="completion tokens a second and GPU")
    options.add_argument("--peak", type=float, default=3.0, help="busiest hour over mean")
    options.add_argument("--used", type=float, default=0.6, help="share of capacity that the busiest hour may take")
    options.add_argument("--price", type=float, default=2.5, help="price of a GPU-hour")
    print(table(Load(**vars(options.parse_args()))))


def table(load: Load) -> str:
    """The arithmetic in words, and one line for each volume, as Markdown."""
    lines = [
        f"GPU-seconds of one evaluation: {load.prompt} / {load.prefill:g} + {load.completion} / {load.decode:g} = "
        f"{load.gpu_seconds:.3f}",
        "",
        "| evaluations a day | a second, mean | a second, busiest hour | GPUs | a day | a thousand evaluations |",
        "|---|---|---|---|---|---|",
    ]
    for a_day in VOLUMES:
        mean, cost = a_day / 86_400, load.cost(a_day)
        lines.append(
            f"| {a_day:,} | {mean:,.2f} | {mean * load.peak:,.1f} | {load.gpus(a_day):,} | {cost:,.0f} "
            f"| {1000 * cost / a_day:,.3f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
