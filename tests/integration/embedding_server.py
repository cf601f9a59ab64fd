"""The two calls of a model server that embedding needs, over HTTP: vectors are hashed character pairs.

For tests of the indexer alone; that the real runtime embeds is shown by the contract suite of the model server and by
the whole chain. `delay` makes a batch slow enough to be cut off in the middle.
"""

from __future__ import annotations

import json
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class EmbeddingServer:
    """Listens on a port of its own. `models`: name -> (digest, dimension)."""

    def __init__(self) -> None:
        self.models = {"first:v1": ("1" * 64, 64), "second:latest": ("2" * 64, 32)}
        self.delay = 0.0
        self.embedded: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                models = [{"name": n, "model": n, "digest": d} for n, (d, _) in server.models.items()]
                self._answer({"models": models})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/api/show":
                    self._answer({"model_info": {"general.architecture": "x", "x.context_length": 512}})
                    return
                time.sleep(server.delay)
                server.embedded += body["input"]
                dimension = server.models[body["model"]][1]
                vectors = [vector(text, dimension) for text in body["input"]]
                self._answer({"embeddings": vectors, "prompt_eval_count": len(body["input"][0])})

            def _answer(self, content: dict[str, Any]) -> None:
                payload = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def vector(text: str, dimension: int) -> list[float]:
    numbers = [0.01] * dimension
    for i in range(len(text)):
        numbers[zlib.crc32(text[i : i + 2].encode()) % dimension] += 1.0
    return numbers
