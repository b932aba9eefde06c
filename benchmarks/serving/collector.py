"""A collector that takes traces and forgets them: ``python -m benchmarks.serving.collector`` prints its URL."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Taker(BaseHTTPRequestHandler):
    """Answers every export at once."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Read it, and say that it was taken."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def main() -> None:
    """Listen until ended."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Taker) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
