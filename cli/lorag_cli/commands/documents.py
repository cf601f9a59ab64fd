"""Documents and search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lorag_cli.commands.shared import Json, Wait, area, client, started
from lorag_cli.output import out, print_json, state, table

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
