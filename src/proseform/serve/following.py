"""Follows aliases: where one moves to another bundle, that bundle answers soon, and no request is lost.

What is new is opened beside what answers, so the memory of both is needed for a while. All aliases change together: a
promotion moves two. What has begun ends on the bundle with which it began, which is closed after the longest time that
an answer may take. Where the registry does not answer, or a bundle cannot be opened, everything stays as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from proseform.errors import ProseformError
from proseform.infer import Engine
from proseform.serve import faults
from proseform.serve.admission import Admission
from proseform.serve.router import Weighted

_LOG = logging.getLogger("proseform.serve")
_MARGIN_S = 1.0


class Source(Protocol):
    """Where the bundles of aliases are found; its methods block, and are called in threads."""

    def bundles(self) -> Mapping[str, str]:
        """Each alias that is followed, and the digest of its bundle."""

    def open(self, alias: str) -> Engine:
        """An engine that runs the bundle of an alias."""


class Follower:
    """Looks for moved aliases.

    Args:
        admission: Answers cases.
        source: Where bundles are found.
        every_s: How often it looks, in seconds.
    """

    def __init__(self, admission: Admission, source: Source, every_s: float) -> None:
        self._admission = admission
        self._source = source
        self._every_s = every_s
        self._looking: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """Begin to look."""
        self._looking = asyncio.create_task(self._look_on())

    async def end(self, _grace_s: float) -> None:
        """Look no more; what was replaced is closed with all other engines, once nothing is left to be answered."""
        tasks = [*filter(None, [self._looking]), *self._closing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def look(self) -> bool:
        """Look once; whether a bundle was replaced.

        Raises:
            ProseformError: The registry does not answer, or a bundle cannot be opened; everything is as it was.
        """
        before = self._admission.router.engines
        wanted = await asyncio.to_thread(self._source.bundles)
        digests = {weighted.engine.bundle.digest for weighted in before}
        moved = {alias: digest for alias, digest in wanted.items() if digest not in _digests(before, alias)}
        opened: dict[str, Engine] = {}
        try:
            for alias, digest in moved.items():
                if digest not in digests and digest not in opened:
                    opened[digest] = await asyncio.to_thread(self._source.open, alias)
            self._use(moved, opened)
        except BaseException:
            for engine in opened.values():
                await engine.close()
            raise
        return bool(moved)

    def _use(self, moved: Mapping[str, str], opened: Mapping[str, Engine]) -> None:
        """Have aliases answered by other bundles, with the weights that they have by now."""
        before = self._admission.router.engines
        engines = {**{weighted.engine.bundle.digest: weighted.engine for weighted in before}, **opened}
        after = [
            replace(weighted, engine=engines[moved[weighted.alias]]) if weighted.alias in moved else weighted
            for weighted in before
        ]
        replaced = self._admission.use(after)
        for alias, digest in moved.items():
            _LOG.info("'%s' is %s now", alias, digest)
        for engine in replaced:
            task = asyncio.create_task(self._close(engine))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _close(self, engine: Engine) -> None:
        """Close an engine once nothing can be left that it has to answer."""
        await asyncio.sleep(self._admission.timeout_s + _MARGIN_S)
        self._admission.forget(engine)
        await engine.close()

    async def _look_on(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.look()
            except ProseformError as error:
                _LOG.warning("aliases could not be followed, and the bundles stay as they are: %s", error)
            except Exception as error:  # noqa: BLE001 - whatever a registry's library raises, it looks again
                _LOG.error("unforeseen, while aliases were followed: %s", faults.traced(error))


def _digests(engines: Sequence[Weighted], alias: str) -> set[str]:
    """The digests of the bundles that answer for an alias."""
    return {weighted.engine.bundle.digest for weighted in engines if weighted.alias == alias}
