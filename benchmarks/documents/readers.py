"""Readers by name: this project's own, and libraries as they come, for comparison on PDFs."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from proseform.documents import read
from proseform.errors import DocumentError


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader gave for one document.

    Attributes:
        text: The text; empty where it was refused.
        refused: Why it was refused; empty where it was read.
        findings: Kinds of what was reported.
        seconds: Wall-clock time.
        cpu_s: Processor time of the reader and of processes that it starts; theirs is counted in hundredths.
        memory_mb: Most memory of the reader, or of a process of its own, up to now.
    """

    text: str = ""
    refused: str = ""
    findings: tuple[str, ...] = ()
    seconds: float = 0.0
    cpu_s: float = 0.0
    memory_mb: int = 0


def reading(reader: str, path: Path) -> Reading:
    """Read one file; what the library raises is a refusal."""
    before, start = _usage()[0], time.perf_counter()
    text, findings, refused = "", (), ""
    try:
        text, findings = READERS[reader](path)
    except DocumentError as error:
        refused = error.message
    except Exception as error:  # noqa: BLE001 - each library has errors of its own
        refused = f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - start
    after, memory = _usage()
    return Reading(text, refused, findings, seconds, max(0.0, after - before), memory)


def _ours(path: Path) -> tuple[str, tuple[str, ...]]:
    document = read(path)
    return document.text, tuple(finding.kind for finding in document.input.findings)


def _pypdf(path: Path) -> tuple[str, tuple[str, ...]]:
    from pypdf import PdfReader

    return "\n".join(page.extract_text() for page in PdfReader(path).pages), ()


def _pdfium(path: Path) -> tuple[str, tuple[str, ...]]:
    import pypdfium2

    return "\n".join(page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(path)), ()


def _pdftext(path: Path) -> tuple[str, tuple[str, ...]]:
    from pdftext.extraction import plain_text_output

    return plain_text_output(str(path), sort=False, hyphens=True), ()


READERS: dict[str, Callable[[Path], tuple[str, tuple[str, ...]]]] = {
    "ours": _ours,
    "pypdf": _pypdf,
    "pdfium": _pdfium,
    "pdftext": _pdftext,
}


def _usage() -> tuple[float, int]:
    """Processor seconds of this process and all below it, and the most memory of any one of them, in MB.

    Processes that have ended count where their parent has waited for them.
    """
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(use.ru_utime + use.ru_stime for use in uses)
    peak = max(use.ru_maxrss for use in uses)
    waiting = _below(Path("/proc/self"))
    while waiting:
        process = Path(f"/proc/{waiting.pop()}")
        try:
            status = (process / "status").read_text(encoding="utf-8")
            fields = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            waiting += _below(process)
        except (FileNotFoundError, ProcessLookupError):  # it has ended since
            continue
        seconds += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # utime, stime, and those of waited children
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
    return seconds, peak >> 10


def _below(process: Path) -> list[int]:
    """The children of a process, by number."""
    tasks = (process / "task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text(encoding="utf-8").split()]
