"""Questions."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from lorag_cli.commands.shared import Documents, Json, area, client
from lorag_cli.output import out, print_json

app = area()
DOUBTFUL = {
    "SENTENCE_STATUS_UNSUPPORTED": "The documents do not say",
    "SENTENCE_STATUS_CONTRADICTED": "The documents say otherwise",
}


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
    """Ask a question; the answer streams, then what the documents do not support, and the passages it could cite."""
    body = {"question": question, "model": model, "top_k": top_k, "temperature": temperature}
    body |= {"document_ids": document or [], "mode": "strict" if strict else "open"}
    sources: list[dict[str, Any]] = []
    notices: list[str] = []
    end: dict[str, Any] = {}
    pieces: list[str] = []
    for event, data in client().answer(body):
        if event == "sources":
            sources, notices = data["sources"], data["notices"]
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
    for sentence in end.get("sentences", []):
        if sentence["status"] in DOUBTFUL and not sentence["withheld"]:
            said = f"{DOUBTFUL[sentence['status']]}: {sentence['text']} ({sentence['reason']})"
            out.print(f"[yellow]{escape(said)}[/]")
    for told in [*notices, *filter(None, [end.get("refusal")])]:
        out.print(f"[yellow]{escape(told)}[/]")
    for source in sources:
        mark = "[bold]" if source["number"] in end.get("cited", []) else "[dim]"
        out.print(f"{mark}\\[{source['number']}] {escape(source['document_name'])}, p. {source['page']}[/]")
