"""What LibreOffice writes from python-docx's documents: PDF, ODT, RTF, DOCX, HTML; all of one kind in one start."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.documents.sheets import Sheet
from benchmarks.documents.writers.word import docx

_FILTERS = {"html": "html:HTML (StarWriter)", "docx": "docx:MS Word 2007 XML"}


def libreoffice(suffix: str) -> Callable[[Sequence[tuple[Sheet, Path]]], None]:
    """What converts to one kind of file."""

    def convert(jobs: Sequence[tuple[Sheet, Path]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            sources = Path(folder, "sources")
            sources.mkdir()
            for sheet, path in jobs:
                docx(sheet, sources / f"{path.stem}.docx")
            command = [
                "soffice", "--headless", f"-env:UserInstallation={Path(folder, 'profile').as_uri()}",
                "--convert-to", _FILTERS.get(suffix, suffix), "--outdir", f"{folder}/out",
            ]  # fmt: skip
            names = [str(path) for path in sorted(sources.iterdir())]
            subprocess.run([*command, *names], check=True, capture_output=True, timeout=600)
            for _, path in jobs:
                path.write_bytes(Path(folder, "out", f"{path.stem}.{suffix}").read_bytes())

    return convert
