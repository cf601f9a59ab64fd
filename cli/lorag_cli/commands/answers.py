"""Questions."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from lorag_cli.commands.shared import Documents, Json, area, client
from lorag_cli.output import out, print_json

app = area()


@app.command()
def ask(
    question: str,
    model: Annotated[str, typer.Option(help="Ask this model or release instead of the active one.")] = "",
    top_k: Annotated[int, typer.Option(help="Passages; 0 means as configured.")] = 0,
    temperature: Annotated[float | None, typer.Option(help="Not given means as configured.")] = None,
    document: Documents = None,
    strict: Annotated[bool, typer.Option("--strict", help="Withhold what the documents do not support.")] = False,
    as_json: Json = False,
) -> None:
    """Ask a question; the answer streams, then the passages it could cite are named."""
    body = {"question": question, "model": model, "top_k": top_k, "temperature": temperature}
    body |= {"document_ids": document or [], "mode": "strict" if strict else "open"}
    sources: list[dict[str, Any]] = []
    end: dict[str, Any] = {}
    pieces: list[str] = []
    for event, data in client().answer(body):
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
