"""How many documents of a corpus of schemas end valid, with a model of random weights.

Run it as ``python -m benchmarks.endings FOLDER``.

Random weights fill every string and list to its bound, so that nearly every document has to be ended. A schema counts
as enforced where the grammar enforces it wholly; the others need the verifier's word and are reported apart. Answers
are judged a second time by the reference validator (jsonschema), formats left out: none may be verified and invalid.
Then the cost: tokens a second on an ordinary schema, with endings and without.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema.validators
from rich.console import Console
from rich.table import Table

from proseform import testing, verify
from proseform.errors import InputError, ProseformError
from proseform.infer import Request, decode
from proseform.infer.answer import Formatted, formatted
from proseform.infer.endings.budget import Budget
from proseform.infer.endings.search import Endings
from proseform.infer.grammars.constrain import Constraints
from proseform.infer.grammars.examine import examined
from proseform.infer.local import LocalEngine
from proseform.schema import Schema

BATCH = 64
CONTEXT = 32_768
END = 256
"""The token that ends a document which chance writes, byte by byte."""
ORDINARY = testing.SCHEMA


def corpus(folder: Path, start: int, count: int, seed: int) -> Iterator[tuple[Path, Any]]:
    """Some of the schemas of a folder, in an order that the seed decides."""
    files = sorted(folder.rglob("*.json"))
    random.Random(seed).shuffle(files)
    for file in files[start : start + count]:
        document = json.loads(file.read_text(encoding="utf-8"))
        yield file, document.get("json_schema", document) if isinstance(document, dict) else document


def engine(folder: Path, tokens: int, seed: int) -> LocalEngine:
    """Random weights with a budget of so many tokens for JSON."""
    loaded = LocalEngine(testing.random_bundle(folder, testing.toy_task(), seed=seed, max_length=CONTEXT), batch=BATCH)
    generation = replace(loaded.bundle.formatter.generation, max_tokens=tokens)
    loaded.bundle = replace(loaded.bundle, formatter=replace(loaded.bundle.formatter, generation=generation))
    return loaded


def outcome(answer: Any, document: Any) -> str:
    """What came of one schema, in a word or two."""
    if not isinstance(answer, Formatted):
        return f"refused: {getattr(answer, 'reason', type(answer).__name__)}"
    validator = jsonschema.validators.validator_for(document, default=jsonschema.validators.Draft202012Validator)
    try:
        sound = validator(document).is_valid(answer.value)
    except Exception as error:  # noqa: BLE001 - the reference validator's own failures are counted, not hidden
        return f"valid, not judged again ({type(error).__name__})"
    if not sound:
        return "VERIFIED BUT INVALID"
    return "valid, cut" if answer.cut else "valid"


def measure(
    loaded: LocalEngine, schemas: Sequence[tuple[Path, Any]], out: Path | None = None
) -> dict[str, dict[str, list[str]]]:
    """Files by group and outcome; written to a file, too, behind every batch."""
    results: dict[str, dict[str, list[str]]] = {"enforced": {}, "enforced in part": {}, "not taken": {}}
    taken: list[tuple[Path, Any, Schema]] = []
    for file, document in schemas:
        try:
            taken.append((file, document, examined(Schema(document, file.name))))
        except InputError as error:
            results["not taken"].setdefault(error.message[:60], []).append(str(file))
    for start in range(0, len(taken), BATCH):
        batch = taken[start : start + BATCH]
        for (file, document, schema), answer in zip(batch, _answers(loaded, batch), strict=True):
            group = "enforced in part" if schema.widenings else "enforced"
            results[group].setdefault(outcome(answer, document), []).append(str(file))
        if out:
            out.write_text(json.dumps(results, indent=1))
    return results


def _answers(loaded: LocalEngine, batch: Sequence[tuple[Path, Any, Schema]]) -> list[Any]:
    """An answer or an error for each of a batch; all at once, and apart where one is an error."""
    proses = [f"Case {file.stem}." for file, _, _ in batch]
    try:
        return list(formatted(loaded, proses, [schema for _, _, schema in batch]))
    except ProseformError as error:
        return [error] if len(batch) == 1 else [answer for one in batch for answer in _answers(loaded, [one])]


def chance(schemas: Sequence[tuple[Path, Any]], budget: int, out: Path | None) -> dict[str, dict[str, list[str]]]:
    """As :func:`measure`, with chance in the place of a model: any allowed byte is as likely as any other.

    Costs no model's time. The budget is in bytes, and planned by the same code as tokens are.
    """
    words = testing.tokenizer(["any text"])
    constraints = Constraints(words, [words.eos_token_id], len(words))
    results: dict[str, dict[str, list[str]]] = {"enforced": {}, "enforced in part": {}, "not taken": {}}
    for number, (file, document) in enumerate(schemas):
        try:
            schema = examined(Schema(document, file.name))
            endings = constraints.endings(schema.grammar)
        except InputError as error:
            results["not taken"].setdefault(error.message.split(":")[-1][:50], []).append(str(file))
            continue
        group = "enforced in part" if schema.widenings else "enforced"
        results[group].setdefault(_by_chance(schema, endings, budget, number, document), []).append(str(file))
        if out and number % 20 == 0:
            out.write_text(json.dumps(results, indent=1))
    if out:
        out.write_text(json.dumps(results, indent=1))
    return results


def _by_chance(schema: Schema, endings: Endings, most: int, seed: int, document: Any) -> str:
    """What came of one document that chance writes, in at most three tries, the later ones with twice the budget."""
    verdict = "refused: budget"
    for attempt in range(3):
        text, whole = _document(endings, most * min(2, attempt + 1), random.Random(f"{seed}/{attempt}"))
        said = verify.answer(text.decode(errors="replace"), schema)
        if whole and said.ok:
            return outcome(Formatted(text.decode(), said.value, len(text), 0.0, narrowed=False), document)
        verdict = f"refused: {said.reason}" if whole else "refused: budget"
    return verdict


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


def show(results: dict[str, dict[str, list[str]]], seconds: float) -> None:
    """Print the figures."""
    console = Console()
    for group, outcomes in results.items():
        total = sum(map(len, outcomes.values()))
        valid = sum(len(files) for name, files in outcomes.items() if name.startswith("valid"))
        share = f", {valid / total:.1%} valid" if total and group != "not taken" else ""
        table = Table("outcome", "schemas", title=f"{group}: {total}{share}", title_justify="left")
        for name, count in Counter({name: len(files) for name, files in outcomes.items()}).most_common(12):
            table.add_row(name, str(count))
        console.print(table)
    console.print(f"{seconds:.0f} s")


def main() -> None:
    """Measure and print; with ``--json`` write the files of every outcome too."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="a folder of JSON schemas, with folders below it")
    parser.add_argument("--count", type=int, default=1000, help="schemas that are taken from it")
    parser.add_argument("--start", type=int, default=0, help="how many are passed over first")
    parser.add_argument("--tokens", type=int, default=512, help="tokens of the formatter's first budget")
    parser.add_argument("--seed", type=int, default=0, help="of the choice and of the weights")
    parser.add_argument("--json", type=Path, help="where to write what came of each file")
    parser.add_argument("--bytes", type=int, help="let chance write so many bytes in the place of a model")
    parser.add_argument("--speed", action="store_true", help="measure the cost alone")
    options = parser.parse_args()
    if options.bytes:
        began = time.perf_counter()
        schemas = list(corpus(options.folder, options.start, options.count, options.seed))
        show(chance(schemas, options.bytes, options.json), time.perf_counter() - began)
        return
    with tempfile.TemporaryDirectory() as folder:
        loaded = engine(Path(folder), options.tokens, options.seed)
        if options.speed:
            for name, rate in speed(loaded, 9).items():
                print(f"{name}: {rate:.0f} tokens/s of processor time")
            return
        began = time.perf_counter()
        results = measure(
            loaded, list(corpus(options.folder, options.start, options.count, options.seed)), options.json
        )
    show(results, time.perf_counter() - began)


if __name__ == "__main__":
    main()
