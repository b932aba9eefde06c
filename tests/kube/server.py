"""A small API server for tests of its faults: objects by path, and answers that a test puts in their place."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from proseform.kube.api import Api

Answer = tuple[int, Any]


class Server:
    """The state of the API server.

    Attributes:
        objects: Path to object.
        logs: Path to lines.
        asked: Method and path of every request.
        before: Called with (method, path) before each request; its answer replaces the server's, unless it is None.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.logs: dict[str, list[str]] = {}
        self.asked: list[tuple[str, str]] = []
        self.before: Callable[[str, str], Answer | None] = lambda _method, _path: None

    def answer(self, method: str, target: str, body: Any) -> Answer:
        """One request."""
        url = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.asked.append((method, url.path))
        stood_in = self.before(method, url.path)
        if stood_in is not None:
            return stood_in
        if url.path.endswith("/log"):
            return 200, "\n".join(line for line in self.logs.get(url.path, []) if line >= query.get("sinceTime", ""))
        if method == "POST":
            where = f"{url.path}/{body['metadata']['name']}"
            if where in self.objects:
                return 409, {"message": f"{body['metadata']['name']} already exists"}
            self.objects[where] = body
            return 201, body
        if method == "DELETE":
            gone = self.objects.pop(url.path, None)
            return (200, gone) if gone else (404, {"message": "not found"})
        if method == "PATCH" and (url.path in self.objects or "apiVersion" in body):
            return 200, self._patched(url.path, body, dry_run=query.get("dryRun") == "All")
        if url.path in self.objects:
            return 200, self.objects[url.path]
        inside = [value for where, value in self.objects.items() if where.rpartition("/")[0] == url.path]
        if inside:
            return 200, {
                "items": [manifest for manifest in inside if _matches(manifest, query.get("labelSelector", ""))]
            }
        return 404, {"message": "not found"}

    def _patched(self, where: str, body: Any, *, dry_run: bool) -> Any:
        """Apply an object (which names its API version), or a merge patch."""
        stored = self.objects.get(where, {})
        changed = {**stored, **body} if "apiVersion" in body else _merged(stored, body)
        if not dry_run:
            self.objects[where] = changed
        return changed


def _merged(target: Any, change: Any) -> Any:
    """A JSON merge patch (RFC 7386), without deletions."""
    if not isinstance(change, dict):
        return change
    return {**target, **{key: _merged(target.get(key, {}), value) for key, value in change.items()}}


def _matches(manifest: Any, selector: str) -> bool:
    """Whether an object has the labels of a selector."""
    labels = manifest["metadata"].get("labels", {})
    return all(
        labels.get(key) == value for key, _, value in (part.partition("=") for part in selector.split(",") if part)
    )


@contextmanager
def reached(server: Server, namespace: str) -> Iterator[Api]:
    """Serve, and give an :class:`Api` that uses the server."""
    with serving(server) as url:
        yield Api(namespace, patience_s=60, client=client_of(url))


def client_of(url: str) -> Any:
    """The official client of an API server, without its own retries."""
    from kubernetes import client

    settings = client.Configuration()
    settings.retries, settings.host = 0, url
    return client.ApiClient(settings)


@contextmanager
def serving(server: Server) -> Iterator[str]:
    """Serve on a port of this machine; its URL."""

    class Handler(BaseHTTPRequestHandler):
        """Passes requests to the server."""

        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            code, answer = server.answer(self.command, self.path, body)
            if code == 0:  # cut the connection
                self.close_connection = True
                return
            data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = _do  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
