"""The collapse of GRPO on JSON, measured arm by arm: see docs/study.md, which this command writes.

`--file benchmarks/study/smollm2.toml` is the same on a pretrained model: docs/study-smollm2.md.

Run it as `python -m benchmarks.study`. The record of each leg (an arm from one seed) is kept as it ends; call the
command again to go on, with what is done left out, and killed legs from their checkpoints.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.study import arms, page, plots, results, running, sizing
from proseform.errors import ProseformError
from proseform.machine import machine

ROOT = Path(__file__).parents[2]
IMAGES = Path("docs/images")
"""In the repository: the pictures of pages."""


def main() -> None:
    """Work off what is left, then write the page; errors in words, exit 2 where what was given is wrong."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.study", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arms", nargs="+", metavar="ARM", help="arms of the file; all of them by default")
    parser.add_argument("--seeds", type=_positive, metavar="N", help="at most so many seeds, from 0")
    parser.add_argument("--out", type=Path, metavar="FOLDER",
                        help="records and checkpoints (default: .proseform/benchmarks/STUDY)")  # fmt: skip
    parser.add_argument("--file", type=Path, default=arms.FILE, help="the study as data (default: %(default)s)")
    parser.add_argument("--workers", type=_positive, default=2, help="legs side by side, one thread each (default: 2)")
    parser.add_argument("--minutes", type=float, help="no leg begins after that many minutes")
    parser.add_argument("--docs", type=Path, default=ROOT, metavar="FOLDER",
                        help="below it page, pictures and records are written (default: this repository)")  # fmt: skip
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--size", action="store_true", help="time one short leg and say what the study will take")
    what.add_argument(
        "--figures", action="store_true", help="write the page, from the records of --out, or else from those beside it"
    )
    given = parser.parse_args()
    try:
        _study(given)
    except ProseformError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        print("Interrupted; the same command goes on.", file=sys.stderr)
        raise SystemExit(130) from None


def _study(given: argparse.Namespace) -> None:
    """What the arguments ask for."""
    plan = arms.load(given.file)
    out = (given.out or Path(".proseform/benchmarks") / plan.name).absolute()
    todo = plan.legs(given.arms, given.seeds)
    if given.size:
        _size(plan, todo, given.workers)
        return
    with results.alone(out):
        records, stale = results.read(out / results.FILE, plan)
        if stale:
            print(f"{stale} records are of another form of the study and are left out.", file=sys.stderr)
        if given.figures:
            write(given.docs, plan, records or results.read(given.docs / kept(plan), plan)[0])
            return
        left = [one for one in todo if one not in records]
        print(f"{machine()}; {len(left)} of {len(todo)} legs to do", file=sys.stderr)
        waiting = running.run(out, plan, left, workers=given.workers, minutes=given.minutes) if left else 0
        records, _ = results.read(out / results.FILE, plan)
    if waiting:
        print(f"{waiting} legs are left; the same command goes on.", file=sys.stderr)
    if records:
        write(given.docs, plan, records)


def page_of(plan: arms.Plan) -> Path:
    """The page of a study, in the repository."""
    return Path("docs") / f"{plan.name}.md"


def kept(plan: arms.Plan) -> Path:
    """The records that the page is of, in the repository."""
    return Path("docs/results") / f"{plan.name}.jsonl"


def write(docs: Path, plan: arms.Plan, records: results.Records) -> None:
    """Write the page, and where there are records its pictures and the records, below a folder."""
    texts = {page_of(plan): page.page(plan, records)}
    if records:
        plots.draw(docs / IMAGES, plan, records)
        texts[kept(plan)] = results.lines([records[one] for one in plan.legs() if one in records])
    for name, text in texts.items():
        path = docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


def _size(plan: arms.Plan, todo: list[running.Leg], workers: int) -> None:
    """Time a short leg of the centre, and print what legs will take."""
    folder = Path(tempfile.mkdtemp(prefix="study-size-"))
    try:
        study = plan.study.model_copy(update={"tokens": sizing.TOKENS, "measure_every": sizing.EVERY})
        model = plan.model.model_copy(update={"talk_steps": sizing.TALK_STEPS})
        short = replace(plan, study=study, model=model)
        running.run(folder, short, [(plan.centre, 0)], workers=1, minutes=None)
        records, _ = results.read(folder / results.FILE, plan=short)
        print(sizing.words(plan, todo, records[plan.centre, 0], workers))
    finally:
        shutil.rmtree(folder)


def _positive(text: str) -> int:
    """A number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is below 1")
    return number


if __name__ == "__main__":
    main()
