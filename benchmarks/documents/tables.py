"""What was measured, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import fmean

from benchmarks.documents.scores import GOAL, Score
from proseform.machine import machine


def page(reader: str, scores: Sequence[Score]) -> Iterator[str]:
    """The lines of the page for one reader."""
    written = [score for score in scores if score.record.writer != "planted"]
    planted = [score for score in scores if score.record.writer == "planted"]
    yield f"Printed by `python -m benchmarks.documents measure FOLDER --reader {reader}` on {machine()}.\n"
    yield from _summary(written, planted)
    for title, key in (("writer", _writer), ("layout", _layout), ("script", _script)):
        yield from _table(title, written, key)
    yield from _reasons(written, "refused")
    yield from _reasons(planted, "planted, refused")
    yield "\n## Read, but not as it has to be\n"
    yield from failures([score for score in scores if not score.right and not score.refused])


def comparison(readers: Mapping[str, Sequence[Score]]) -> Iterator[str]:
    """One row a reader, on PDFs."""
    names = " ".join(readers)
    yield f"Printed by `python -m benchmarks.documents measure FOLDER --reader {names}` on {machine()}.\n"
    yield (
        "| reader | documents | at the goal | refused | below | words in order | garbage | hidden words "
        "| planted ones right |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, scores in readers.items():
        planted = [score for score in scores if score.record.writer == "planted"]
        written = [score for score in scores if score.record.writer != "planted"]
        garbage, hidden = sum(score.garbage for score in scores), sum(score.hidden for score in scores)
        right = sum(score.right for score in planted)
        yield f"| {name} | {_counts(written)} | {_mean(written)} | {garbage} | {hidden} | {right} of {len(planted)} |"
    yield "\n| reader | processor seconds, p50 / p99 / most | most memory of a process |\n|---|---|---|"
    for name, scores in readers.items():
        cpu = _quantiles(sorted(score.reading.cpu_s for score in scores))
        yield f"| {name} | {cpu} | {max(score.reading.memory_mb for score in scores)} MB |"


def failures(scores: Iterable[Score]) -> Iterator[str]:
    """One line a document that is not as it has to be."""
    empty = True
    for score in scores:
        if score.right:
            continue
        empty = False
        what = f"refused: {score.reason}" if score.refused else (
            f"{100 * score.share:.1f} % in order, {100 * score.foreign:.1f} % foreign"
            + (f", {score.hidden} hidden words came out" if score.hidden else "")
            + (", garbage" if score.garbage else "")
            + (f", had to be {score.record.expected}" if score.record.expected != "read" else "")
        )  # fmt: skip
        yield f"- {score.record.file}: {what}"
    if empty:
        yield "None."


def _summary(written: Sequence[Score], planted: Sequence[Score]) -> Iterator[str]:
    """The figures that are goals."""
    every = [*written, *planted]
    well = sum(score.share >= GOAL for score in written)
    refused = sum(score.refused for score in written)
    seconds = sorted(score.reading.seconds for score in every)
    cpu = sorted(score.reading.cpu_s for score in every)
    hidden = [score.hidden for score in every if score.hidden]
    rows = [
        ("documents, and planted ones that cannot be read", f"{len(written)}, {len(planted)}"),
        (f"read with at least {GOAL:.0%} of words in order".replace("%", " %"), _share(well, len(written))),
        ("refused", _share(refused, len(written))),
        ("read, with fewer words in order", _share(len(written) - well - refused, len(written))),
        ("words in order, mean of what was read", _mean(written)),
        ("garbage taken, planted ones included", str(sum(score.garbage for score in every))),
        ("planted ones as they have to be", f"{sum(score.right for score in planted)} of {len(planted)}"),
        ("hidden words that came out", f"{sum(hidden)} in {len(hidden)} documents"),
        ("wall-clock seconds, p50 / p99 / most", _quantiles(seconds)),
        ("processor seconds, p50 / p99 / most", _quantiles(cpu)),
        ("most memory of a reading process", f"{max((s.reading.memory_mb for s in every), default=0)} MB"),
    ]
    yield "| what | figure |\n|---|---|"
    for words, figure in rows:
        yield f"| {words} | {figure} |"


def _quantiles(values: Sequence[float]) -> str:
    """Median, 99th percentile and the most of sorted values."""
    if not values:
        return "none"
    p50, p99 = (values[min(len(values) - 1, int(share * len(values)))] for share in (0.5, 0.99))
    return f"{p50:.3f} / {p99:.3f} / {values[-1]:.3f}"


def _mean(scores: Sequence[Score]) -> str:
    """Mean share of words in order where something was read."""
    shares = [score.share for score in scores if not score.refused]
    return f"{100 * fmean(shares):.2f} %" if shares else "none"


def _table(title: str, scores: Sequence[Score], key: Callable[[Score], str]) -> Iterator[str]:
    """One row a writer, layout or script."""
    yield f"\n## By {title}\n\n| {title} | documents | at the goal | refused | below | words in order | garbage |"
    yield "|---|---|---|---|---|---|---|"
    groups: dict[str, list[Score]] = {}
    for score in scores:
        groups.setdefault(key(score), []).append(score)
    for name, group in sorted(groups.items()):
        yield f"| {name} | {_counts(group)} | {_mean(group)} | {sum(score.garbage for score in group)} |"


def _counts(scores: Sequence[Score]) -> str:
    """Documents, those at the goal, those refused, and those below, as cells."""
    well, refused = sum(score.share >= GOAL for score in scores), sum(score.refused for score in scores)
    return f"{len(scores)} | {well} | {refused} | {len(scores) - well - refused}"


def _reasons(scores: Sequence[Score], title: str) -> Iterator[str]:
    """Refusals by reason."""
    yield f"\n## {title.capitalize()}, by reason\n"
    reasons = Counter(score.reason for score in scores if score.refused)
    yield from (f"- {count}: {reason}" for reason, count in reasons.most_common())
    if not reasons:
        yield "None."


def _share(part: int, whole: int) -> str:
    """A count and its share."""
    return f"{part} ({100 * part / whole:.1f} %)" if whole else "0"


def _writer(score: Score) -> str:
    return score.record.writer


def _layout(score: Score) -> str:
    return score.record.layout


def _script(score: Score) -> str:
    return score.record.script
