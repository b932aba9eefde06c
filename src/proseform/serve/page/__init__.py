"""A page at ``/`` to try the task in a browser, for people on this machine.

::

    GET  /              the page        GET /page/{file}   its style and scripts, as they stand in this folder
    GET  /page/task     the task's name, title, inputs and examples; the bundles that answer
    POST /page/read     a document, base64 in JSON, to the text that a model sees, and what was noticed

Cases are answered by our own protocol, in events. The page is plain files: nothing is built, nothing comes from
elsewhere, and its policy lets no other script run. What people and models write is only ever put in as text.

Who may ask is :class:`proseform.serve.guard.Local`'s to decide. Left out: keys, and any address but loopback.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import PurePath
from typing import Any

from proseform import documents
from proseform.case import Case
from proseform.errors import InputError
from proseform.serve.admission import Admission
from proseform.serve.exchange import Exchange, Response
from proseform.serve.faults import NotFoundError
from proseform.serve.reading import Reader
from proseform.serve.routes import Route
from proseform.serve.waiting import deadline, in_time
from proseform.task import Task

_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_INDEX = "index.html"
_BODY = documents.MAX_BYTES * 4 // 3 + (1 << 16)
"""The largest document in base64, and what is around it."""
_FIELDS = {"input", "file", "data"}
EXAMPLES = 24
"""Most examples."""


class Page:
    """The page's routes.

    Args:
        admission: Answers cases.
        reader: Reads documents.
    """

    def __init__(self, admission: Admission, reader: Reader) -> None:
        self._admission = admission
        self._reader = reader
        self._files = _files()
        self.routes = [
            Route("/", "GET", self._file, open=True),
            Route("/page/task", "GET", self._task, open=True),
            Route("/page/read", "POST", self._read),
            Route("/page/(?P<file>[^/]+)", "GET", self._file, open=True),
        ]

    async def _file(self, _exchange: Exchange, values: Mapping[str, str]) -> Response:
        """A file of the page."""
        name = values.get("file", _INDEX)
        if name not in self._files:
            raise NotFoundError(f"The page has no file {name!r:.80}.", hint="It begins at /.")
        return self._files[name]

    async def _task(self, _exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """What the page has to know of the task."""
        task = self._admission.task
        cases = [{"level": case.level, "inputs": dict(case.inputs)} for case in examples(task)]
        weights: dict[str, int] = {}
        for weighted in self._admission.router.engines:
            digest = weighted.engine.bundle.digest
            weights[digest] = weights.get(digest, 0) + weighted.weight
        value = {
            "name": task.name,
            "title": task.title,
            "inputs": list(task.inputs),
            "examples": cases,
            "bundles": [{"digest": digest, "weight": weight} for digest, weight in weights.items()],
            "max_bytes": documents.MAX_BYTES,
        }
        return Response.of_json(value, headers=_HEADERS)

    async def _read(self, exchange: Exchange, _values: Mapping[str, str]) -> Response:
        """A document as the model sees it."""
        exchange.limit = _BODY

        async def work() -> Response:
            name, file, data = self._document(await self._reader.json(await exchange.body()))
            read = await self._reader.document(name, data, file, deadline(exchange, self._admission))
            noticed = [{"kind": finding.kind, "message": finding.message} for finding in read.findings]
            origin = {"kind": read.origin.kind, "pages": read.origin.pages, "encoding": read.origin.encoding}
            return Response.of_json({"text": read.text, **origin, "findings": noticed}, headers=_HEADERS)

        return await in_time(exchange, self._admission, work(), answers=False)

    def _document(self, body: Any) -> tuple[str, str, bytes]:
        """The input, the file's name and its bytes, from a body.

        Raises:
            InputError: The body is of another form.
        """
        if (
            not isinstance(body, dict)
            or body.keys() != _FIELDS
            or not all(isinstance(part, str) for part in body.values())
        ):
            raise InputError("The body is no document.", hint='Send {"input": NAME, "file": NAME, "data": BASE64}.')
        if body["input"] not in self._admission.task.inputs:
            hint = f"There are {', '.join(self._admission.task.inputs)}."
            raise InputError(f"Unknown input {body['input']!r:.80}.", hint=hint)
        try:
            return body["input"], body["file"], base64.b64decode(body["data"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError("Field 'data' is not base64.", hint="Encode the file's bytes.") from error


def examples(task: Task) -> Sequence[Case]:
    """Cases of the task's own, at most :data:`EXAMPLES`: of a task of data alone held-out ones, where it has any."""
    if not task.replayed:
        return task.gold[:EXAMPLES]
    held_out = [case for level in task.levels for case in task.generate(level, "test", 0, EXAMPLES)]
    return (held_out or task.gold)[:EXAMPLES]


def _files() -> dict[str, Response]:
    """The files of the page, by name."""
    known = {}
    for file in resources.files(__name__).iterdir():
        kind = _KINDS.get(PurePath(file.name).suffix)
        if kind is not None:
            known[file.name] = Response(200, file.read_bytes(), f"{kind}; charset=utf-8", _HEADERS)
    return known
