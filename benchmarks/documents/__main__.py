"""The command line: ``python -m benchmarks.documents write|measure FOLDER``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.documents.measure import measured
from benchmarks.documents.planted import plant
from benchmarks.documents.readers import READERS
from benchmarks.documents.record import Record, records
from benchmarks.documents.tables import comparison, failures, page
from benchmarks.documents.writers import WRITERS, Writer


def main() -> None:
    """Write documents, or measure a reader on them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.documents", description="Documents of known text.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    write = verbs.add_parser("write", help="write documents, with their words beside them")
    write.add_argument("folder", type=Path)
    write.add_argument("--writers", nargs="*", help="only these; all of them otherwise")
    measure = verbs.add_parser("measure", help="read them, and print tables")
    measure.add_argument("folder", type=Path)
    measure.add_argument("--reader", choices=sorted(READERS), nargs="+", default=["ours"], help="several are compared")
    measure.add_argument("--only", default="", help="files whose name has this in it")
    measure.add_argument("--failures", action="store_true", help="print only what is not as it has to be, by document")
    options = parser.parse_args()
    if options.verb == "write":
        _write(options.folder, options.writers)
    else:
        _measure(options)


def _write(folder: Path, names: list[str] | None) -> None:
    """Write what every installed writer has, and the planted documents."""
    folder.mkdir(parents=True, exist_ok=True)
    for writer in WRITERS:
        if names and writer.name not in names:
            continue
        missing = writer.missing()
        if missing:
            print(f"{writer.name}: left out, there is no {', '.join(missing)}; {writer.install}")
        else:
            print(f"{writer.name}: {_written(writer, folder)} documents", flush=True)
    if not names or "planted" in names:
        print(f"planted: {sum(1 for _ in plant(folder))} documents")


def _written(writer: Writer, folder: Path) -> int:
    """Let one writer write; gives how many documents."""
    jobs = [(one, folder / f"{stem}.{writer.suffix}") for stem, one in writer.sheets()]
    writer.write(jobs)
    for one, path in jobs:
        Record.of(one, path.name, writer.name).write(folder)
    return len(jobs)


def _measure(options: argparse.Namespace) -> None:
    """Read what stands in the folder."""
    chosen = [record for record in records(options.folder) if options.only in record.file]
    if options.reader != ["ours"]:
        chosen = [record for record in chosen if record.file.endswith(".pdf")]
    if not chosen:
        sys.exit(f"{options.folder} holds no documents: python -m benchmarks.documents write {options.folder}")
    scores = {reader: list(measured(reader, options.folder, chosen)) for reader in options.reader}
    first = options.reader[0]
    if options.failures:
        lines = failures(scores[first])
    else:
        lines = page(first, scores[first]) if len(scores) == 1 else comparison(scores)
    for line in lines:
        print(line)


if __name__ == "__main__":
    main()
