"""Documents and search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from lorag_cli.commands.shared import Documents, Json, Wait, area, client, started
from lorag_cli.output import err, out, print_json, state, table

app = area()


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
            started(found["job"], wait, as_json)
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
    found = client().every("/documents", "documents")
    if as_json:
        print_json(found)
        return
    rows = [{**d, "state": state(d), "id": d["id"]} for d in found["documents"]]
    table(rows, Id="id", Name="name", State="state", Pages="page_count", Chunks="chunk_count")


@app.command()
def search(
    query: str,
    top_k: Annotated[int, typer.Option(help="Hits; 0 means 5.")] = 0,
    mode: Annotated[str, typer.Option(help="hybrid, keyword or vector.")] = "hybrid",
    tag: Annotated[list[str] | None, typer.Option(help="Only documents with this tag; may be given again.")] = None,
    document: Documents = None,
    rerank: Annotated[bool, typer.Option("--rerank", help="Let the configured reranker order the best.")] = False,
    as_json: Json = False,
) -> None:
    """Search the documents."""
    body: dict[str, Any] = {"query": query, "top_k": top_k, "mode": mode, "rerank": rerank}
    body["document_ids"] = document or []
    if tag:
        body["filter"] = {"tags": tag}
    found = client().post("/search", body)
    if as_json:
        print_json(found)
        return
    for notice in found["notices"]:
        err.print(f"{escape(notice['message'])} {escape(notice['remedy'])}")
    for n, hit in enumerate(found["hits"], 1):
        out.print(f"[bold]{n}. {escape(hit['document_name'])}, p. {hit['page']}[/]  {hit['score']:.3f}")
        out.print(escape(hit["text"]))


@app.command()
def tag(
    document: str,
    tags: Annotated[list[str] | None, typer.Argument(help="All of its tags.")] = None,
    date: Annotated[str, typer.Option(help="Of its content, e.g. 2026-04-01; not given leaves it.")] = "",
    as_json: Json = False,
) -> None:
    """Set the tags and the date of a document, by which searches may be narrowed."""
    body: dict[str, Any] = {"tags": tags or []}
    if date:
        body["date"] = date if "T" in date else f"{date}T00:00:00Z"
    found = client().patch(f"/documents/{document}", body)["document"]
    print_json(found) if as_json else out.print(f"{escape(found['name'])}: {', '.join(found['tags'])}")


@app.command()
def pages(document: str, as_json: Json = False) -> None:
    """Show what became of every page of a document."""
    found = client().every(f"/documents/{document}/pages", "pages")
    if as_json:
        print_json(found)
        return
    rows = [{**p, "state": state(p), "notes": "; ".join(p["notes"])} for p in found["pages"]]
    table(rows, Page="page", State="state", By="method", Quality="score", Characters="characters", Notes="notes")


@app.command()
def text(document: str, as_json: Json = False) -> None:
    """Print the text of a document as it was read, a form feed between two pages."""
    found = client().text(f"/documents/{document}/text")
    print_json({"pages": found.split("\f")}) if as_json else out.print(found, markup=False, highlight=False)
