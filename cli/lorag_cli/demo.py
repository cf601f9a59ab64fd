"""`lorag demo`: the whole chain once, from nothing, held to numbers.

It is a client like any other: it starts `lorag up` on free ports over a data folder of its own, and everything else
goes through the gateway. Nothing is canned: the values that are asked for are in no training example, and after the first
round every value in the PDFs is replaced and everything is asked again.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from lorag_cli.client import Client, CliError
from lorag_cli.output import err, follow, out, print_json
from lorag_common.prompts import Passage

BASE_MODEL, BASE_RELEASE, TUNED = "tiny_base", "tiny-base", "lorag-demo"
MARK = ".lorag-demo"
PASSAGES = 3
NEEDED = 0.8
SHOWN = 6
START_SECONDS = 120.0
SERVICES = ("GATEWAY", "TRAINER", "CONVERTER", "INDEXER", "QA")


@dataclass(frozen=True)
class Asked:
    """One answer: its text, the passages that the model was given, and whether it is exact with the right citation."""

    question: Any
    text: str
    sources: list[dict[str, Any]]
    exact: bool


def run(data: Path, *, quiet: bool = False) -> int:
    """Do everything; 0 when the numbers hold. The last line on stdout is one JSON object.

    Raises:
        CliError: a step failed, or `data` is a folder that is not a demo's.
    """
    try:
        import lorag_demo.tiny_base as maker
    except ImportError as error:
        raise CliError("The demo's data are not installed.", "Run it from a checkout: `make demo`.") from error
    folder = _fresh_folder(data)
    models = Path(maker.__file__).resolve().parent.parent
    seconds: dict[str, float] = {}
    with _services(folder, models, quiet) as client:
        demo = _Demo(client, folder, seconds, quiet)
        with demo.stage("publish the base"):
            demo.pipeline({"model": BASE_RELEASE, "base_model": BASE_MODEL, "base_only": True})
        with demo.stage("fine-tune, convert, publish, activate"):
            demo.fine_tune()
        with demo.stage("index the documents"):
            demo.index(edition=0)
        with demo.stage("ask the base"):
            base = demo.ask_all(0, model=f"{BASE_RELEASE}:v1")
        with demo.stage("ask the fine-tuned release"):
            tuned = demo.ask_all(0)
        with demo.stage("replace every value and index again"):
            demo.index(edition=1)
        with demo.stage("ask again"):
            replaced = demo.ask_all(1)
    if not quiet:
        _side_by_side(base, tuned)
    return _verdict(base, tuned, replaced, seconds)


class _Demo:
    """The steps, over the gateway."""

    def __init__(self, client: Client, folder: Path, seconds: dict[str, float], quiet: bool) -> None:
        self.client, self.folder, self.seconds, self.quiet = client, folder, seconds, quiet

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Print and time a stage."""
        if not self.quiet:
            out.print(f"[bold]{name}[/]")
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 1)

    def pipeline(self, body: dict[str, Any]) -> None:
        """Run one pipeline to its end."""
        follow(self.client, self.client.post("/pipelines", body)["job"], quiet=self.quiet)

    def fine_tune(self) -> None:
        """Upload the examples and run the whole pipeline on them."""
        from lorag_demo.examples import DEMO_TRAINING, write_examples

        examples = self.folder / "examples.jsonl"
        write_examples(examples)
        dataset = self.client.upload("/datasets", examples)["dataset"]
        self.pipeline(
            {"model": TUNED, "base_model": BASE_MODEL, "dataset_id": dataset["id"], "settings": DEMO_TRAINING}
        )

    def index(self, edition: int) -> None:
        """Write an edition's PDFs and index them; a second edition replaces the first."""
        from lorag_demo.documents import write_documents

        pdfs = write_documents(self.folder / f"edition-{edition}", edition=edition)
        for job in [self.client.upload("/documents", pdf)["job"] for pdf in pdfs]:
            follow(self.client, job, quiet=True)
        if not self.quiet:
            out.print(f"  {len(pdfs)} PDF files: {', '.join(p.name for p in pdfs)}")

    def ask_all(self, edition: int, model: str = "") -> list[Asked]:
        """Ask every question of an edition at temperature 0."""
        from lorag_demo.documents import demo_questions
        from lorag_demo.score import exact_share

        asked = [self._ask(q, model) for q in demo_questions(edition=edition)]
        if not self.quiet:
            share = exact_share([a.exact for a in asked])
            out.print(f"  {len(asked)} questions, exact answer with the right citation: {share:.2f}")
        return asked

    def _ask(self, question: Any, model: str) -> Asked:
        from lorag_demo.score import is_exact

        sources: list[dict[str, Any]] = []
        text = ""
        body = {"question": question.text, "model": model, "top_k": PASSAGES, "temperature": 0, "max_tokens": 96}
        for event, data in self.client.events("POST", "/answers", body):
            if event == "sources":
                sources = data["sources"]
            elif event == "text":
                text += data["text"]
        passages = [Passage(s["text"], s["document_name"], s["page"]) for s in sources]
        return Asked(question, text.strip(), sources, is_exact(text, question, passages))


def _side_by_side(base: Sequence[Asked], tuned: Sequence[Asked]) -> None:
    """The first answers of each language: base, release, and where the release's citation leads."""
    table = Table(title="The same questions, before and after", show_lines=True)
    for heading in ("question", "base model", "fine-tuned release", "cites"):
        table.add_column(heading, overflow="fold")
    by_language: dict[str, list[tuple[Asked, Asked]]] = {}
    for before, after in zip(base, tuned, strict=True):
        by_language.setdefault(before.question.language, []).append((before, after))
    for pairs in by_language.values():
        for before, after in pairs[: SHOWN // 2]:
            cited = [f"{s['document_name']}, p. {s['page']}" for s in after.sources if f"[{s['number']}]" in after.text]
            # Brackets are Rich's own marks.
            cells = (before.question.text, before.text, after.text, ", ".join(cited))
            table.add_row(*(cell.replace("[", "\\[") for cell in cells))
    out.print(table)


def _verdict(
    base: Sequence[Asked], tuned: Sequence[Asked], replaced: Sequence[Asked], seconds: dict[str, float]
) -> int:
    from lorag_demo.score import exact_share

    shares = {k: round(exact_share([a.exact for a in v]), 3) for k, v in _named(base, tuned, replaced)}
    misses = []
    if shares["base"] != 0:
        misses.append("the base model already answers exactly, so the fine-tune would prove nothing")
    misses += [f"{k} reached {shares[k]}, needed {NEEDED}" for k in ("tuned", "replaced") if shares[k] < NEEDED]
    for miss in misses:
        err.print(f"[bold red]The demo failed:[/] {miss}")
    report = {"demo": "failed" if misses else "ok", "exact": shares, "questions": len(tuned), "seconds": seconds}
    print_json(report | {"total_seconds": round(sum(seconds.values()), 1)})
    return int(bool(misses))


def _named(*results: Sequence[Asked]) -> list[tuple[str, Sequence[Asked]]]:
    return list(zip(("base", "tuned", "replaced"), results, strict=True))


def _fresh_folder(data: Path) -> Path:
    """An empty folder; an earlier demo's is wiped, anybody else's refused."""
    folder = data.expanduser().resolve()
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise CliError(f"'{data}' is not empty and not a demo's.", "Name another folder with --data.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    return folder


@contextmanager
def _services(folder: Path, models: Path, quiet: bool) -> Iterator[Client]:
    """`lorag up` on free ports; its log goes to a file in the data folder."""
    ports = _free_ports(len(SERVICES) + 1)
    environment = {f"LORAG_{name}_PORT": str(port) for name, port in zip(SERVICES, ports, strict=False)}
    environment |= {
        "LORAG_DATA": str(folder / "data"),
        "LORAG_MODEL_ROOTS": str(models),
        "LORAG_OLLAMA_URL": f"http://127.0.0.1:{ports[-1]}",
        "LORAG_CHUNK_SENTENCES": "2",
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    log = folder / "services.log"
    if not quiet:
        out.print(f"[bold]start every service[/] (log: {log.relative_to(Path.cwd()) if _inside(log) else log})")
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "lorag_cli", "up"],
            env=os.environ | environment,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    client = Client(f"http://127.0.0.1:{ports[0]}")
    try:
        _wait_until_healthy(client, process, log)
        yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _inside(path: Path) -> bool:
    return path.is_relative_to(Path.cwd())


def _wait_until_healthy(client: Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if client.get("/health")["status"] == "ok":
                return
        except CliError:
            pass
        time.sleep(0.3)
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
    raise CliError(f"The services did not start. The log ends with:\n{tail}", f"Read {log}.")


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; held open together, so that no two are the same."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [int(s.getsockname()[1]) for s in sockets]
    finally:
        for s in sockets:
            s.close()
