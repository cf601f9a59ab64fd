"""The index: what it was made with, a new one, the one before, the weight of its legs, its terms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from lorag_cli.commands.shared import Json, Wait, client, read_json, started
from lorag_cli.output import out, print_json, table

app = typer.Typer(help="The search index: show, rebuild, roll back, measure, explain.", no_args_is_help=True)
Questions = Annotated[Path | None, typer.Option(help="A JSON file: a list of {question, document_id, page}.")]


@app.command()
def show(as_json: Json = False) -> None:
    """Show what the index was made with and what was measured of it."""
    found = client().get("/index")
    print_json(found) if as_json else out.print_json(data=found)


@app.command()
def rebuild(
    embedder: Annotated[str, typer.Option(help="Search model; the configured one when not given.")] = "",
    questions: Questions = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Make a new index; the old one serves until it is complete."""
    body = {"embedder": embedder, "questions": read_json(questions) if questions else []}
    started(client().post("/index:reindex", body)["job"], wait, as_json)


@app.command()
def rollback(wait: Wait = True, as_json: Json = False) -> None:
    """Return to the index before."""
    started(client().post("/index:rollback")["job"], wait, as_json)


@app.command()
def measure(
    questions: Questions = None,
    generate: Annotated[bool, typer.Option("--generate", help="Let the active model write the questions.")] = False,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Measure keywords, vectors and their mixes, and keep the best weight."""
    body: dict[str, Any] = {"questions": read_json(questions) if questions else [], "generate": generate}
    started(client().post("/index:measure", body)["job"], wait, as_json)


@app.command()
def explain(text: str, as_json: Json = False) -> None:
    """Show the terms that a text is searched by."""
    found = client().post("/index:explain", {"text": text})
    if as_json:
        print_json(found)
        return
    out.print(f"{escape(found['tokenizer'])}: {escape(found['folded'])}")
    rows = [{**t, "kind": t["kind"].removeprefix("TOKEN_KIND_").lower()} for t in found["tokens"]]
    table(rows, Term="term", Kind="kind", Chunks="chunk_count")
