"""The commands. Each is a client of the gateway, except `up` and `demo`."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from rich.markup import escape

from lorag_cli import output
from lorag_cli.client import Client, CliError
from lorag_cli.output import follow, out, print_json, state, table

app = typer.Typer(
    help="Fine-tune a model on your examples, release it, and let it answer from your documents.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
release_app = typer.Typer(help="Releases: list, publish, activate, roll back.", no_args_is_help=True)
app.add_typer(release_app, name="release")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the job to its end.")]
Base = Annotated[str, typer.Option("--base", help="Base model: a folder below LORAG_MODEL_ROOTS, or a hub name.")]
Quantization = Annotated[str, typer.Option("--quantization", "-q", help="Empty means Q4_K_M.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="A training setting, e.g. --set r=8 --set epochs=1.")]
BaseOnly = Annotated[bool, typer.Option("--base-only", help="No adapter: the base as it is.")]


def client() -> Client:
    """The gateway that the environment names."""
    return Client()


def main() -> None:
    """Run a command; every failure is a message and a remedy, never a stack trace."""
    try:
        app(standalone_mode=False)
    except CliError as error:
        output.show_error(error)
        sys.exit(error.code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(130)


def _job(job: dict[str, Any], wait: bool, as_json: bool) -> dict[str, Any]:
    """Follow a started job, or name it."""
    if wait:
        return follow(client(), job, as_json=as_json)
    print_json(job) if as_json else out.print(f"Started {job['id']}; `lorag jobs {job['id']} --watch` follows it.")
    return job


def _settings(pairs: list[str] | None) -> dict[str, Any]:
    """`name=value` pairs as JSON values; the gateway checks names and types."""
    found: dict[str, Any] = {}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        if not equals:
            raise CliError(f"'{pair}' is not name=value.", "Write for example --set r=8.", code=2)
        value: Any = text
        if text.lower() in ("true", "false"):
            value = text.lower() == "true"
        else:
            for kind in (int, float):
                with contextlib.suppress(ValueError):
                    value = kind(text)
                    break
        found[name] = value
    return found


def _dataset(name: str) -> str:
    """The id of a dataset: a file is uploaded first, anything else is an id."""
    if not Path(name).is_file():
        return name
    return str(client().upload("/datasets", Path(name))["dataset"]["id"])


@app.command()
def train(
    dataset: Annotated[str, typer.Argument(help="A JSONL file, or the id of an uploaded dataset.")],
    base: Base,
    settings: Settings = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would need.")] = False,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Fine-tune an adapter on a dataset."""
    body = {"base_model": base, "dataset_id": _dataset(dataset), "settings": _settings(settings)}
    if estimate:
        _show_estimate(client().post("/trainings:estimate", body), as_json)
        return
    job = _job(client().post("/trainings", body)["job"], wait, as_json)
    if wait and not as_json:
        out.print(f"Adapter: {Path(job['artifacts'][0]['uri']).parent}")


@app.command()
def datasets(as_json: Json = False) -> None:
    """List the datasets."""
    found = client().get("/datasets")
    if as_json:
        print_json(found)
    else:
        table(found["datasets"], Id="id", Name="name", Examples="example_count", Format="format")


@app.command()
def convert(
    model: Annotated[str, typer.Argument(help="Name of the release.")],
    adapter: Annotated[str, typer.Option(help="An adapter folder; the newest when not given.")] = "",
    base_only: BaseOnly = False,
    base: Base = "",
    quantization: Quantization = "",
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would need.")] = False,
    context: Annotated[int, typer.Option(help="Tokens of context to estimate for.")] = 0,
    parallel: Annotated[int, typer.Option(help="Requests at once to estimate for.")] = 0,
    gpu_gib: Annotated[list[float] | None, typer.Option(help="GiB of a serving GPU; once for each.")] = None,
    local: Annotated[bool, typer.Option("--local", help="Here and now, with no service running.")] = False,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Convert base + adapter to a GGUF release."""
    if local:
        command = [sys.executable, "-m", "lorag_converter.local", model, "--adapter", adapter, "--base", base]
        command += ["--base-only"] * base_only + (["--type", quantization] if quantization else [])
        raise typer.Exit(subprocess.run(command, check=False).returncode)
    body: dict[str, Any] = {"base_model": base, "quantization": quantization, "base_only": base_only}
    if adapter:
        body["adapter"] = adapter
    if estimate:
        body |= {"context_tokens": context, "parallel_requests": parallel}
        body["gpu_memory_bytes"] = [int(g * 2**30) for g in gpu_gib or []]
        _show_estimate(client().post("/conversions:estimate", body), as_json)
        return
    job = _job(client().post("/conversions", body | {"model": model})["job"], wait, as_json)
    if wait and not as_json:
        for artifact in job["artifacts"]:
            out.print(f"{artifact['uri']}  {output.size(artifact['size'])}")


def _show_estimate(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        if name not in ("advice", "options"):
            out.print(f"{name:20} {output.size(value) if name.endswith('_bytes') else value}")
    for fit in found.get("options", []):
        mark = "fits" if fit["fits"] else ""
        out.print(f"{fit['quantization']:8} {output.size(fit['total_bytes']):>12} {mark}")
    for line in found["advice"]:
        out.print(f"- {escape(line)}")


@release_app.command("list")
def release_list(as_json: Json = False) -> None:
    """List the releases, newest first; a star marks the active one."""
    found = client().get("/releases")
    if as_json:
        print_json(found)
        return
    active = client().get("/config")["config"]["release_id"]
    rows = [{**r, "active": "*" if r["id"] == active else "", "mb": output.size(r["size"])} for r in found["releases"]]
    table(
        rows,
        **{"": "active"},
        Id="id",
        Base="base_model",
        Quantization="quantization",
        Size="mb",
        Published="published",
    )


@release_app.command("publish")
def release_publish(release: str, wait: Wait = True, as_json: Json = False) -> None:
    """Import a release into the model server."""
    _job(client().post(f"/releases/{release}:publish")["job"], wait, as_json)


@release_app.command("activate")
def release_activate(release: str, as_json: Json = False) -> None:
    """Let a published release answer."""
    _show_config(client().post(f"/releases/{release}:activate")["config"], as_json)


@release_app.command("rollback")
def release_rollback(as_json: Json = False) -> None:
    """Make the release before the active one active again."""
    _show_config(client().post("/releases:rollback")["config"], as_json)


@app.command()
def pipeline(
    model: Annotated[str, typer.Argument(help="Name of the release.")],
    base: Base = "",
    dataset: Annotated[str, typer.Option(help="Train on this: a JSONL file or a dataset id.")] = "",
    adapter: Annotated[str, typer.Option(help="Skip training: use this adapter folder.")] = "",
    base_only: BaseOnly = False,
    settings: Settings = None,
    quantization: Quantization = "",
    activate: Annotated[bool, typer.Option(help="Let the release answer.")] = True,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Train, convert, publish and activate, as one job."""
    body = {
        "model": model,
        "base_model": base,
        "dataset_id": _dataset(dataset) if dataset else "",
        "adapter": adapter,
        "base_only": base_only,
        "settings": _settings(settings),
        "quantization": quantization,
        "activate": activate,
    }
    job = _job(client().post("/pipelines", body)["job"], wait, as_json)
    if wait and not as_json:
        out.print(f"Release: {job['progress']['message']}")


@app.command()
def index(
    files: Annotated[list[Path], typer.Argument(help="PDF files.")], wait: Wait = True, as_json: Json = False
) -> None:
    """Upload PDF files and index them."""
    for file in files:
        found = client().upload("/documents", file)
        if as_json and not wait:
            print_json(found)
        else:
            _job(found["job"], wait, as_json)
        if wait and not as_json:
            document = client().get(f"/documents/{found['document']['id']}")["document"]
            out.print(f"{escape(file.name)}: {document['page_count']} pages, {document['chunk_count']} chunks")
            if document["pages_without_text"]:
                out.print(f"  pages without text (need OCR): {document['pages_without_text']}")


@app.command()
def documents(
    delete: Annotated[str, typer.Option(help="Remove the document with this id.")] = "", as_json: Json = False
) -> None:
    """List the documents, or remove one."""
    if delete:
        client().delete(f"/documents/{delete}")
        print_json({"deleted": delete}) if as_json else out.print(f"Deleted {delete}.")
        return
    found = client().get("/documents")
    if as_json:
        print_json(found)
        return
    rows = [{**d, "state": state(d), "id": d["id"]} for d in found["documents"]]
    table(rows, Id="id", Name="name", State="state", Pages="page_count", Chunks="chunk_count")


@app.command()
def search(query: str, top_k: Annotated[int, typer.Option(help="Hits; 0 means 5.")] = 0, as_json: Json = False) -> None:
    """Search the documents."""
    found = client().post("/search", {"query": query, "top_k": top_k})
    if as_json:
        print_json(found)
        return
    for n, hit in enumerate(found["hits"], 1):
        out.print(f"[bold]{n}. {escape(hit['document_name'])}, p. {hit['page']}[/]  {hit['score']:.3f}")
        out.print(escape(hit["text"]))


@app.command()
def ask(
    question: str,
    model: Annotated[str, typer.Option(help="Ask this model or release instead of the active one.")] = "",
    top_k: Annotated[int, typer.Option(help="Passages; 0 means as configured.")] = 0,
    temperature: Annotated[float | None, typer.Option(help="Not given means as configured.")] = None,
    as_json: Json = False,
) -> None:
    """Ask a question; the answer streams, then the passages it could cite are named."""
    body = {"question": question, "model": model, "top_k": top_k, "temperature": temperature}
    sources: list[dict[str, Any]] = []
    end: dict[str, Any] = {}
    pieces: list[str] = []
    for event, data in client().events("POST", "/answers", body):
        if event == "sources":
            sources = data["sources"]
        elif event == "text":
            pieces.append(data["text"])
            if not as_json:
                out.file.write(data["text"])
                out.file.flush()
        else:
            end = data
    if as_json:
        print_json({"answer": "".join(pieces), "sources": sources, "end": end})
        return
    out.print()
    for source in sources:
        mark = "[bold]" if source["number"] in end.get("cited", []) else "[dim]"
        out.print(f"{mark}\\[{source['number']}] {escape(source['document_name'])}, p. {source['page']}[/]")


@app.command()
def jobs(
    job_id: Annotated[str, typer.Argument(help="One job; all when not given.")] = "",
    cancel: Annotated[bool, typer.Option("--cancel", help="Ask it to stop.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    as_json: Json = False,
) -> None:
    """List jobs, or show, follow or cancel one."""
    if not job_id:
        if cancel or watch:
            raise CliError("Which job?", "Name it: lorag jobs ID --cancel.", code=2)
        found = client().get("/jobs")
        if as_json:
            print_json(found)
            return
        rows = [{**j, "state": state(j), "stage": (j.get("progress") or {}).get("stage", "")} for j in found["jobs"]]
        table(rows, Id="id", Kind="kind", State="state", Stage="stage", Created="create_time")
        for name in found["unavailable"]:
            output.err.print(f"The {name} does not answer; its jobs are missing here.")
        return
    if cancel:
        job = client().post(f"/jobs/{job_id}:cancel")["job"]
    else:
        job = client().get(f"/jobs/{job_id}")["job"]
    if watch:
        follow(client(), job, as_json=as_json)
    elif as_json:
        print_json(job)
    else:
        out.print_json(data=job)


@app.command()
def config(
    settings: Annotated[list[str] | None, typer.Option("--set", help="e.g. --set temperature=0.2.")] = None,
    as_json: Json = False,
) -> None:
    """Show what answering works by, or change it."""
    found = client().patch("/config", _settings(settings)) if settings else client().get("/config")
    _show_config(found["config"], as_json)


def _show_config(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        table([{"k": k, "v": v} for k, v in found.items()], Setting="k", Value="v")


@app.command()
def up(
    as_json: Annotated[bool, typer.Option("--json", help="Say in one JSON line when all is healthy.")] = False,
) -> None:
    """Start all services on this machine and keep them running until Ctrl-C."""
    from lorag_cli.up import run

    raise typer.Exit(run(as_json=as_json))


@app.command()
def demo(
    data: Annotated[Path, typer.Option(help="Data folder; wiped when it is a demo's.")] = Path("data/demo"),
    as_json: Annotated[bool, typer.Option("--json", help="Only the last line, one JSON object.")] = False,
) -> None:
    """Everything once, from nothing: train, release, index, ask, and measure."""
    from lorag_cli.demo import run

    raise typer.Exit(run(data, quiet=as_json))
