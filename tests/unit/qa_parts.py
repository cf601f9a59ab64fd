"""Parts of the qa tests: a release folder, passages, and a model server over HTTP whose faults a test chooses."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError
from lorag_qa.search import Found, Retrieved

STOP = ["<|im_end|>"]


def write_release(data: Path, release_id: str, tokenizer: Path, template: str | None = None) -> Path:
    """A release folder as far as qa reads it, over a tokenizer's folder; `template` replaces its chat template."""
    model, _, version = release_id.partition(":")
    folder = data / "releases" / model / version
    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(tokenizer / name, folder / name)
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    certificate = {"id": release_id, "model": model, "prompt": {"stop": STOP, "parameters": {"stop": STOP}}}
    (folder / "release.json").write_text(json.dumps(certificate), encoding="utf-8")
    return folder


def passage(n: int, text: str) -> Found:
    return Found(f"{n:064d}", f"manual{n}.pdf", n, (10 * n, 10 * n + len(text)), text, 1 / n)


@dataclass
class Index:
    """A `Searcher` over given passages that keeps what it was asked."""

    passages: Sequence[Found] = ()
    error: LoragError | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    notices: tuple[str, ...] = ()

    async def search(self, query: str, *, top_k: int, vector_weight: float, document_ids: Sequence[str]) -> Retrieved:
        self.asked.append({"query": query, "top_k": top_k, "vector_weight": vector_weight, "ids": tuple(document_ids)})
        if self.error:
            raise self.error
        return Retrieved(tuple(self.passages[:top_k]), self.notices)


@dataclass
class Server:
    """What the model server knows and does. `lines` are the streamed replies; `calls` are (route, body)."""

    url: str = ""
    models: set[str] = field(default_factory=set)
    lines: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    before_copy: Callable[[], None] = lambda: None
    before_lines: Callable[[], None] = lambda: None

    def bodies(self, route: str) -> list[dict[str, Any]]:
        return [body for name, body in self.calls if name == route]


@contextmanager
def model_server(*models: str) -> Iterator[Server]:
    """A server on a free port of its own that speaks show, copy, generate and chat in Ollama's shapes."""
    state = Server(models=set(models))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.calls.append((self.path, body))
            asked = body.get("model") or body.get("name") or body.get("source")
            if asked not in state.models:
                return self._send(404, [{"error": f"model '{asked}' not found"}])
            if self.path == "/api/copy":
                state.before_copy()
                state.models.add(body["destination"])
                return self._send(200, [])
            if self.path == "/api/show":
                return self._send(200, [{"model_info": {}}])
            state.before_lines()
            return self._send(200, state.lines)

        def _send(self, status: int, lines: list[dict[str, Any]]) -> None:
            content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
