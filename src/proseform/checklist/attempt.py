"""The process in which a reward is tried: it says in lines of JSON what it calls, and what came of each check.

Run as ``python -m proseform.checklist.attempt`` by :mod:`~proseform.checklist.apart`, which kills it where it hangs.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from proseform import direct
from proseform import task as tasks
from proseform.checklist import by_function, by_task, contract, gold_rows, payment
from proseform.checklist.subject import Check, Subject
from proseform.child import answers
from proseform.errors import ProseformError
from proseform.reward import Score

TRIED: tuple[tuple[str, Callable[[Subject], Check]], ...] = (
    ("signature", contract.signature),
    ("laws", contract.laws),
    ("corpus", contract.corpus),
    ("batch", contract.batch),
    ("gold", payment.gold),
    ("meaning", payment.meaning),
    ("separates", payment.separates),
    ("exploits", payment.planted),
    ("time", contract.stopwatch),
)
"""The checks that one process tries, in order."""


def named(spec: Mapping[str, Any]) -> str:
    """What is checked, in words."""
    return f"'{spec['function']}'" if "function" in spec else f"Task '{spec['task']}'"


def _subject(spec: Mapping[str, Any], tell: Callable[..., None], loaded: Any = None) -> Subject:
    """The subject of a spec, with each call of its reward, of its reader and of its laws announced.

    Args:
        spec: See :func:`check`.
        tell: Prints one line.
        loaded: The reward as it was unpickled: terms by name, or a function; None imports it.
    """
    if "function" in spec:
        function = by_function.imported(spec["function"]) if loaded is None else loaded
        cases = gold_rows.read(Path(spec["cases"]))
        bounds = {name: spec[name] for name in ("low", "high") if spec.get(name) is not None}
        return _announced(by_function.subject(spec["function"], function, cases, **bounds), tell)
    task = tasks.load(spec["task"])
    if loaded is not None:
        task = replace(task, terms=loaded)
    name = spec["rubric"]
    rubric = task.readable().rubric(name) if spec["reward"] == "prose" else direct.rubric(name)
    return _announced(by_task.subject(task, rubric, lambda call, arguments: tell(call=call + arguments)), tell)


def _announced(subject: Subject, tell: Callable[..., None]) -> Subject:
    """The subject, with each call of its reward and of its reader announced."""

    def score(texts: Sequence[str], places: Sequence[int]) -> list[Score]:
        tell(
            call=f"the reward, for case {places[0] + 1} and the text {texts[0][:40]!r}" + " and more" * (len(texts) > 1)
        )
        return subject.score(texts, places)

    def read(text: str, place: int) -> Any:
        tell(call=f"the reader, for case {place + 1} and the text {text[:40]!r}")
        return subject.read(text, place)

    return replace(subject, score=score, read=read)


def _child() -> None:
    """The process: load what the first line names, and try the checks; with a pickle, score."""
    stream = answers()

    def tell(**line: Any) -> None:
        print(json.dumps(line), file=stream, flush=True)

    spec = json.loads(sys.stdin.readline())
    try:
        if "pickle" in spec:
            _scores(spec, tell)
        else:
            _tries(spec, tell)
    except ProseformError as error:
        tell(error=error.message, hint=error.hint)
    except Exception as error:  # noqa: BLE001 - somebody's own code, which may raise anything
        traceback.print_exc()  # to the log
        tell(error=f"{named(spec)}: {error!r:.300}.", hint="")
    else:
        tell(done=True)


def _tries(spec: Mapping[str, Any], tell: Callable[..., None]) -> None:
    """Every check in turn; what a task's own code raises is what its check comes to."""
    subject = _subject(spec, tell)
    for name, tried in TRIED:
        if name == "laws" and subject.laws is None:
            continue
        tell(check=name)
        try:
            row = tried(subject)
        except Exception as error:  # noqa: BLE001 - a reader or a generator of somebody's own, which may raise anything
            traceback.print_exc()  # to the log
            row = Check(name, "fails", "the task's own code raises nothing", f"{error!r:.300}")
        tell(row=asdict(row))
        if name == "batch":
            tell(check="deterministic")
            tell(scores=contract.fingerprint(subject), **_packed(subject))


def _packed(subject: Subject) -> dict[str, str]:
    """The reward as a pickle, or why it cannot be one."""
    try:
        return {"pickle": base64.b64encode(subject.pickled()).decode(), "unpicklable": ""}
    except Exception as error:  # noqa: BLE001 - pickling calls somebody's own code
        return {"pickle": "", "unpicklable": f"{error!s:.200}"}


def _scores(spec: Mapping[str, Any], tell: Callable[..., None]) -> None:
    """The scores of the reward that was pickled, or of one that is imported where it could not be."""
    loaded, fault = None, ""
    if spec["pickle"]:
        try:
            loaded = pickle.loads(base64.b64decode(spec["pickle"]))  # noqa: S301 - the first process wrote it
        except Exception as error:  # noqa: BLE001 - unpickling calls somebody's own code
            fault = f"it cannot be unpickled: {error!s:.200}"
    tell(scores=contract.fingerprint(_subject(spec, tell, loaded)), unpicklable=fault)


if __name__ == "__main__":
    _child()
