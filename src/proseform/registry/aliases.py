"""Promotion and rollback: each moves two or three aliases, and a move that is interrupted can be finished.

MLflow sets one alias at a time. So the target state is written first, as the tag ``proseform.move`` of the registered
model; then the aliases are set, in the order previous, champion, candidate; then the tag is deleted. The next call
finishes an open move before its own, so repeating an interrupted command leads to the same state. ``champion`` names
a version at every moment, the old one or the new one. A :mod:`~proseform.registry.lease` admits one process at a time.
"""

from __future__ import annotations

import json
from typing import Any

from proseform.errors import RegistryError
from proseform.registry import Registry, attachments, lease, models, speaking
from proseform.registry.models import CANDIDATE, CHAMPION, PREVIOUS, Version, get

MOVE = "proseform.move"
_ORDER = (PREVIOUS, CHAMPION, CANDIDATE)


def promote(registry: Registry, name: str, which: str = CANDIDATE) -> Version:
    """Make a version the champion; the champion before it becomes ``previous``.

    Args:
        registry: An open registry.
        name: The registered model.
        which: ``candidate``, another alias, or a version number. Nothing changes if it is the champion already.

    Raises:
        RegistryError: No such version, or its gate is not open for this very bundle; the reasons are in the message.
    """
    models.aliases(registry, name)  # an unknown model is an error, and gets no lease
    with lease.hold(registry, name) as held:
        finished = _finish(registry, held)
        known = models.aliases(registry, name)
        if which == CANDIDATE and CANDIDATE not in known and finished.get("act") == "promote":
            return get(registry, name, CHAMPION)
        version = get(registry, name, which)
        if known.get(CHAMPION) == version.version:
            return version
        _open_gate(registry, version)
        ends = {
            CHAMPION: version.version,
            PREVIOUS: known.get(CHAMPION),
            CANDIDATE: _unless(known.get(CANDIDATE), version.version),
        }
        _begin(registry, held, {"act": "promote", "ends": ends})
        return get(registry, name, CHAMPION)


def rollback(registry: Registry, name: str) -> Version:
    """Swap ``champion`` and ``previous``; after an interrupted swap, finish that one and make no other.

    Raises:
        RegistryError: No such model, or nothing to return to.
    """
    models.aliases(registry, name)
    with lease.hold(registry, name) as held:
        if _finish(registry, held).get("act") == "rollback":
            return get(registry, name, CHAMPION)
        known = models.aliases(registry, name)
        if PREVIOUS not in known or CHAMPION not in known:
            raise RegistryError(
                f"'{name}' has no previous champion to return to.", hint="There is one after the second promotion."
            )
        ends = {CHAMPION: known[PREVIOUS], PREVIOUS: known[CHAMPION], CANDIDATE: known.get(CANDIDATE)}
        _begin(registry, held, {"act": "rollback", "ends": ends})
        return get(registry, name, CHAMPION)


def _open_gate(registry: Registry, version: Version) -> None:
    """Raise unless the version's gate is open for its very bundle."""
    verdict = attachments.verdict(registry, version)
    title = f"'{version.name}', version {version.version}"
    if verdict is None:
        raise RegistryError(f"{title} cannot be promoted: no gate has judged it.", hint="Run the gate stage.")
    if verdict.bundle != version.bundle:
        raise RegistryError(
            f"{title} cannot be promoted: its verdict is of another bundle.", hint="Run the gate stage."
        )
    if not verdict.open:
        raise RegistryError(f"{title} cannot be promoted: its gate is closed: {'; '.join(verdict.reasons)}.")


def _begin(registry: Registry, held: lease.Lease, move: dict[str, Any]) -> None:
    """Record the move, then carry it out."""
    held.check()
    with speaking(registry):
        registry.client.set_registered_model_tag(held.name, MOVE, json.dumps(move))
    _finish(registry, held)


def _finish(registry: Registry, held: lease.Lease) -> dict[str, Any]:
    """Carry out the recorded move and delete the record; returns the move, empty if there was none."""
    name = held.name
    known = models.aliases(registry, name)
    with speaking(registry):
        written = registry.client.get_registered_model(name).tags.get(MOVE)
        if not written:
            return {}
        move: dict[str, Any] = json.loads(written)
        for alias in _ORDER:
            version = move["ends"].get(alias)
            held.check()
            if version is None and alias in known:
                registry.client.delete_registered_model_alias(name, alias)
            elif version is not None and known.get(alias) != version:
                registry.client.set_registered_model_alias(name, alias, version)
        held.check()
        registry.client.delete_registered_model_tag(name, MOVE)
    return move


def _unless(value: str | None, other: str) -> str | None:
    """The value, or None if it is the other."""
    return None if value == other else value
