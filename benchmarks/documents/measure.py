"""Reads the documents of a folder in one process, which is started anew where a library takes it down."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from benchmarks.documents.readers import Reading, reading
from benchmarks.documents.record import Record
from benchmarks.documents.scores import Score, score


def measured(reader: str, folder: Path, records: Sequence[Record]) -> Iterator[Score]:
    """Each document's score, in the order of the records."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, context)
    try:
        for number, record in enumerate(records, 1):
            try:
                got = pool.submit(reading, reader, folder / record.file).result()
            except BrokenProcessPool:
                pool = ProcessPoolExecutor(1, context)
                got = Reading(refused="The reader's process crashed.")
            yield score(record, got)
            if not number % 50:
                print(f"{number} of {len(records)} documents", file=sys.stderr, flush=True)
    finally:
        pool.shutdown()
