"""How many documents of a corpus of schemas end valid, with a model of random weights.

Run it as ``python -m benchmarks.endings FOLDER``.

Random weights fill every string and list to its bound, so that nearly every document has to be ended. A schema counts
as enforced where the grammar enforces it wholly; the others need the verifier's word and are reported apart. Answers
are judged a second time by the reference validator (jsonschema), which is given exact numbers, formats left out: none
may be verified and invalid.
Then the cost (``--speed``): tokens a second on an ordinary schema, with endings and without.
"""

from __future__ import annotations

import argparse
import decimal
import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema.validators
from rich.console import Console
from rich.table import Table

from benchmarks.corpora import entries, files
from benchmarks.spread import spread
from proseform import testing, verify
from proseform.errors import InputError, ProseformError, Refusal
from proseform.infer import Request, decode
from proseform.infer.answer import Formatted, formatted
from proseform.infer.endings.budget import Budget
from proseform.infer.endings.search import Endings
from proseform.infer.grammars.constrain import Constraints
from proseform.infer.grammars.examine import examined
from proseform.infer.local import LocalEngine
from proseform.machine import machine
from proseform.schema import Schema

BATCH = 16
CONTEXT = 32_768
END = 256
"""The token that ends a document which chance writes, byte by byte."""
ORDINARY = testing.SCHEMA
GROUPS = ("enforced", "enforced in part", "not taken")
_DIGITS = 700
"""Of exact numbers: a quotient of the largest number and the smallest."""
INVALID = "VERIFIED BUT INVALID"


@dataclass(frozen=True)
class Batch:
    """Files that are asked together.

    Attributes:
        files: Of one schema each.
        bundle: Folder of the model.
        tokens: The formatter's first budget.
        first: Number of the first of the files.
        chance: Bytes that chance may write in the place of the model; 0 asks the model.
    """

    files: tuple[Path, ...]
    bundle: Path
    tokens: int
    first: int = 0
    chance: int = 0


class Outcome(NamedTuple):
    """What came of one file.

    Attributes:
        file: Its path.
        group: One of :data:`GROUPS`.
        words: ``valid``, ``valid, cut``, :data:`INVALID`, or why there is no document.
        detail: The message behind it; empty where it is valid.
    """

    file: Path
    group: str
    words: str
    detail: str = ""


def batches(folder: Path, count: int, start: int, seed: int, **settings: Any) -> list[Batch]:
    """Some of the schemas of a folder, in an order that the seed decides."""
    chosen = files(folder)
    random.Random(seed).shuffle(chosen)
    chosen = chosen[start : start + count]
    return [
        Batch(files=tuple(chosen[first : first + BATCH]), first=start + first, **settings)
        for first in range(0, len(chosen), BATCH)
    ]


def asked(batch: Batch) -> list[Outcome]:
    """What came of each file of a batch."""
    outcomes: list[Outcome] = []
    taken: list[tuple[Path, Any, Schema]] = []
    for file in batch.files:
        document = next(entries(file)).document
        try:
            taken.append((file, document, examined(Schema(document))))
        except InputError as error:
            outcomes.append(Outcome(file, "not taken", error.message.rpartition(": ")[2][:60], error.message))
    answers = _by_chance(batch, taken) if batch.chance else _answers(_engine(batch.bundle, batch.tokens), taken)
    for (file, document, schema), answer in zip(taken, answers, strict=True):
        group = "enforced in part" if schema.widenings else "enforced"
        outcomes.append(Outcome(file, group, *outcome(answer, document)))
    return outcomes


@lru_cache(maxsize=1)
def _engine(folder: Path, tokens: int) -> LocalEngine:
    """The models of a bundle with a budget of so many tokens for JSON; once a process."""
    loaded = LocalEngine(folder, batch=BATCH)
    generation = replace(loaded.bundle.formatter.generation, max_tokens=tokens)
    loaded.bundle = replace(loaded.bundle, formatter=replace(loaded.bundle.formatter, generation=generation))
    return loaded


def _exact(text: str) -> Any:
    """JSON with its numbers as they are written: whole ones as integers, the others as decimals.

    As doubles, 6.80004171e+43 would be no multiple of 11.
    """

    def number(digits: str) -> int | decimal.Decimal:
        value = decimal.Decimal(digits)
        return int(value) if value == value.to_integral_value() else value

    return json.loads(text, parse_float=number)


def outcome(answer: Any, document: Any) -> tuple[str, str]:
    """What came of one schema, in a word or two, and what lies behind it."""
    if not isinstance(answer, Formatted):
        return f"refused: {getattr(answer, 'reason', type(answer).__name__)}", str(answer)
    validator = jsonschema.validators.validator_for(document, default=jsonschema.validators.Draft202012Validator)
    try:
        with decimal.localcontext(decimal.Context(prec=_DIGITS)):
            sound = validator(_exact(json.dumps(document))).is_valid(_exact(answer.text))
    except Exception as error:  # noqa: BLE001 - the reference validator's own failures are counted, not hidden
        return f"valid, not judged again ({type(error).__name__})", str(error)[:200]
    if not sound:
        return INVALID, json.dumps(answer.value)[:500]
    return "valid, cut" if answer.cut else "valid", ""


def _answers(loaded: LocalEngine, batch: Sequence[tuple[Path, Any, Schema]]) -> list[Any]:
    """An answer or an error for each of a batch; all at once, and apart where one is an error."""
    proses = [f"Case {file.stem}." for file, _, _ in batch]
    try:
        return list(formatted(loaded, proses, [schema for _, _, schema in batch]))
    except ProseformError as error:
        return [error] if len(batch) == 1 else [answer for one in batch for answer in _answers(loaded, [one])]


def _by_chance(batch: Batch, taken: Sequence[tuple[Path, Any, Schema]]) -> list[Any]:
    """As :func:`_answers`, with chance in the place of a model: any allowed byte is as likely as any other.

    Costs no model's time. The budget is in bytes, and planned by the same code as tokens are. There are at most three
    tries, the later ones with twice the budget.
    """
    constraints = _bytes()
    answers: list[Any] = []
    for number, (_, _, schema) in enumerate(taken, batch.first):
        endings = constraints.endings(schema.grammar)
        answer: Any = None
        for attempt in range(3):
            rng = random.Random(f"{number}/{attempt}")
            text, whole = _document(endings, batch.chance * min(2, attempt + 1), rng)
            verdict = verify.answer(text.decode(errors="replace"), schema)
            if whole and verdict.ok:
                answer = Formatted(text.decode(), verdict.value, len(text), 0.0, narrowed=False)
                break
            answer = Refusal(str(verdict.reason) if whole else "budget", str(verdict))
        answers.append(answer)
    return answers


@lru_cache(maxsize=1)
def _bytes() -> Constraints:
    """Matchers for :func:`_by_chance`; once a process."""
    words = testing.tokenizer(["any text"])
    return Constraints(words, [words.eos_token_id], len(words))


def _document(endings: Endings, most: int, rng: random.Random) -> tuple[bytes, bool]:
    """A document that chance writes, and whether it came to its end."""
    stop = frozenset({END})
    budget = Budget(
        lambda: endings, b"", most, list, lambda tokens: bytes(token for token in tokens if token < END), stop
    )
    ids: list[int] = []
    place = endings.start()
    while len(ids) < most:
        allowed = int.from_bytes(place.matcher.compute_bitmask()[:33], "little")
        choices = [byte for byte in range(END + 1) if allowed >> byte & 1]
        if not choices or place.matcher.is_error():
            return bytes(ids), False
        rng.shuffle(choices)
        token = budget.permitted(ids, choices[0], choices.__iter__)
        token = budget.choose(ids, [token, *choices[1:4]]) if budget.tight else token
        budget.lapses.take(token) if token not in stop else None
        if token in stop:
            return bytes(ids), True
        ids.append(token)
        onward = endings.walk(place, bytes((token,)))
        if onward is None or onward.matcher.is_stopped():
            return bytes(ids), onward is not None and onward.matcher.is_accepting()
        kept = budget.check(ids)
        if kept < len(ids):
            del ids[kept:]
            onward = endings.walk(endings.start(), bytes(ids))
        if onward is None:
            return bytes(ids), False
        place = onward
    return bytes(ids), place.matcher.is_accepting()


def speed(loaded: LocalEngine, rounds: int) -> dict[str, float]:
    """Generated tokens a second of processor time on an ordinary schema, with budgets that are watched and without."""
    model = loaded._role_models["formatter"]  # noqa: SLF001 - the loop is measured below the engine
    rates: dict[str, list[float]] = {"with endings": [], "without": []}
    for turn in range(rounds):
        for name in sorted(rates, reverse=bool(turn % 2)):
            requests = [
                Request(
                    "formatter",
                    loaded.bundle.formatter.prompt.render({"prose": f"Parcel {number}.", "schema": "x"}),
                    '{"',
                    ORDINARY,
                    400,
                    1.0,
                    number,
                )
                for number in range(32)
            ]
            rows = [model._row(request, *model.encode(request)) for request in requests]  # noqa: SLF001
            for row in rows:
                row.budget = row.budget if name == "with endings" else None
            began = time.process_time()
            decode.run(model.model, rows, model.constraints, pad=0, stop=model.stop)
            rates[name].append(sum(len(row.ids) for row in rows) / (time.process_time() - began))
    return {name: sorted(values)[len(values) // 2] for name, values in rates.items()}


def report(outcomes: Sequence[Outcome], folder: Path) -> dict[str, Any]:
    """Files by group and outcome, and the messages behind those that are not valid."""
    groups: dict[str, dict[str, list[str]]] = {group: {} for group in GROUPS}
    for result in sorted(outcomes):
        groups[result.group].setdefault(result.words, []).append(str(result.file.relative_to(folder)))
    details = {str(result.file.relative_to(folder)): result.detail for result in sorted(outcomes) if result.detail}
    return {"machine": machine(), "groups": groups, "details": details}


def show(groups: dict[str, dict[str, list[str]]], asked_of: int, seconds: float) -> None:
    """Print the figures."""
    console = Console()
    for group, outcomes in groups.items():
        total = sum(map(len, outcomes.values()))
        valid = sum(len(names) for words, names in outcomes.items() if words.startswith("valid"))
        share = f", {100 * valid / total:.2f} % valid" if total and group != "not taken" else ""
        console.print(f"{group}: {total}{share}")
        table = Table("outcome", "schemas")
        for words, number in Counter({words: len(names) for words, names in outcomes.items()}).most_common(12):
            table.add_row(words, str(number))
        console.print(table)
    done = sum(len(names) for outcomes in groups.values() for names in outcomes.values())
    console.print(f"{done} of {asked_of} schemas in {seconds:.0f} s on {machine()}")


def main() -> None:
    """Measure and print; with ``--json`` write the files of every outcome too."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="a folder of JSON schemas, with folders below it")
    parser.add_argument("--count", type=int, default=1000, help="schemas that are taken from it")
    parser.add_argument("--start", type=int, default=0, help="how many are passed over first")
    parser.add_argument("--tokens", type=int, default=512, help="tokens of the formatter's first budget")
    parser.add_argument("--seed", type=int, default=0, help="of the choice and of the weights")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes side by side")
    parser.add_argument("--json", type=Path, help="where to write what came of each file, kept while it runs")
    parser.add_argument("--bytes", type=int, default=0, help="let chance write so many bytes in the place of a model")
    parser.add_argument("--speed", action="store_true", help="measure the cost alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = testing.random_bundle(Path(folder), testing.toy_task(), seed=options.seed, max_length=CONTEXT)
        if options.speed:
            for name, rate in speed(_engine(bundle, options.tokens), 9).items():
                print(f"{name}: {rate:.0f} tokens/s of processor time")
            return
        if not options.folder.is_dir():
            parser.error(f"{options.folder} is no folder; it holds a corpus of JSON schemas")
        parts = batches(
            options.folder, options.count, options.start, options.seed,
            bundle=bundle, tokens=options.tokens, chance=options.bytes,
        )  # fmt: skip
        began = time.perf_counter()
        outcomes: list[Outcome] = []
        for _, results in spread(asked, parts, workers=options.workers, words="documents"):
            outcomes += results
            if options.json:
                options.json.write_text(json.dumps(report(outcomes, options.folder), indent=1), encoding="utf-8")
    groups = report(outcomes, options.folder)["groups"]
    show(groups, sum(len(part.files) for part in parts), time.perf_counter() - began)
    if groups["enforced"].get(INVALID) or groups["enforced in part"].get(INVALID):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
