"""Stands in for vLLM's interpreter: gets its command line, and answers /health and /v1/models, or ends at once.

What it is called with stands in `calls.jsonl` beside the bundle. It has a child, as vLLM has its engine core.
"""

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"data": []}')


def main(words: list[str]) -> None:
    """Play vLLM with a command line's words, until it is ended."""
    bundle = Path(words[words.index("--model") + 1]).parent
    with (bundle / "calls.jsonl").open("a") as file:
        file.write(json.dumps(words) + "\n")
    if (bundle / "broken").exists():
        sys.exit("RuntimeError: no such weights")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)", str(bundle)]):
        HTTPServer((words[words.index("--host") + 1], int(words[words.index("--port") + 1])), Server).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
