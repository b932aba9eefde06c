"""An engine over a bundle's folder, by its spec: in this process, started on this machine, or behind URLs.

What an engine needs is imported where it is opened: PyTorch for the one in this process, an HTTP client for others.
"""

from __future__ import annotations

import sys
from pathlib import Path

from proseform import bundle as bundles
from proseform.infer import Engine
from proseform.infer.spec import EngineSpec


def over(folder: Path, spec: EngineSpec, logs: Path) -> Engine:
    """Open an engine.

    Args:
        folder: The bundle.
        spec: Where its models run.
        logs: A folder for what servers write that are started here.

    Raises:
        StoreError: No whole bundle there.
        ConfigError: The key file holds no key, or vLLM is to be started and is not installed.
        EngineError: vLLM was started, and does not answer.
    """
    if not spec.url:
        from proseform.infer.local import LocalEngine

        return LocalEngine(folder)
    from proseform.infer.context import encoders

    bundle = bundles.read(folder, check_files=spec.hosted)
    known = encoders(folder, bundle)
    if spec.hosted:
        from proseform.infer.hosting import HostedEngine, Servers

        return HostedEngine(Servers(folder, bundle, logs, _told), spec, bundle, known)
    from proseform.infer.http import HttpEngine

    return HttpEngine(spec, bundle, known)


def _told(words: str) -> None:
    """To who waits, beside what the command prints."""
    sys.stderr.write(f"{words}\n")
