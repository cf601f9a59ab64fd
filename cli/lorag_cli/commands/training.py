"""Datasets and trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from lorag_cli.commands.shared import (
    Base,
    Documents,
    Json,
    Settings,
    Wait,
    area,
    client,
    dataset_id,
    parsed,
    show_estimate,
    started,
)
from lorag_cli.output import out, print_json, table

app = area()


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
    body = {"base_model": base, "dataset_id": dataset_id(dataset), "settings": parsed(settings)}
    if estimate:
        show_estimate(client().post("/trainings:estimate", body), as_json)
        return
    job = started(client().post("/trainings", body)["job"], wait, as_json)
    if wait and not as_json:
        out.print(f"Adapter: {Path(job['artifacts'][0]['uri']).parent}")


@app.command()
def preview(
    dataset: Annotated[str, typer.Argument(help="A file, or the id of an uploaded dataset.")],
    base: Base,
    settings: Settings = None,
    examples: Annotated[int, typer.Option(help="How many to show; 0 means 3.")] = 0,
    as_json: Json = False,
) -> None:
    """Show what the model would see, token by token; what is learned is green."""
    body = {"base_model": base, "dataset_id": dataset_id(dataset), "settings": parsed(settings)}
    found = client().post("/trainings:preview", body | {"example_count": examples})
    if as_json:
        print_json(found)
        return
    for example in found["examples"]:
        shown = Text(f"line {example['line']}: ")
        for token in example["tokens"]:
            shown.append(token["text"], style="green" if token["learned"] else "dim")
        out.print(shown)
    out.print(
        f"{found['sequence_count']} sequences, {found['token_count']} tokens, {found['learned_token_count']} learned, "
        f"longest {found['longest']}"
    )


@app.command()
def datasets(
    delete: Annotated[str, typer.Option(help="Remove the dataset with this id.")] = "",
    show: Annotated[str, typer.Option(help="Show the dataset with this id, refused lines included.")] = "",
    upload: Annotated[Path | None, typer.Option(help="Upload this file.")] = None,
    from_documents: Annotated[
        bool, typer.Option("--from-documents", help="Make one of the text of the indexed documents.")
    ] = False,
    document: Documents = None,
    name: Annotated[str, typer.Option(help="Its name, with --from-documents.")] = "documents.jsonl",
    as_json: Json = False,
) -> None:
    """List the datasets; or upload, make, show or remove one."""
    if delete:
        client().delete(f"/datasets/{delete}")
        print_json({"deleted": delete}) if as_json else out.print(f"Deleted {delete}.")
        return
    if upload or show or from_documents:
        if from_documents:
            found = client().post("/datasets:from-documents", {"document_ids": document or [], "name": name})
        else:
            found = client().upload("/datasets", upload) if upload else client().get(f"/datasets/{show}")
        print_json(found["dataset"]) if as_json else out.print_json(data=found["dataset"])
        return
    found = client().every("/datasets", "datasets")
    if as_json:
        print_json(found)
    else:
        columns = {"Id": "id", "Name": "name", "Examples": "example_count", "Refused": "refused_count"}
        table(found["datasets"], **columns, Format="format")


@app.command()
def adapters(
    delete: Annotated[str, typer.Option(help="Remove this adapter's folder.")] = "",
    show: Annotated[str, typer.Option(help="Show this adapter, every logged step included.")] = "",
    as_json: Json = False,
) -> None:
    """List the adapters; or show or remove one."""
    if delete:
        client().delete(f"/adapters/{delete}")
        print_json({"deleted": delete}) if as_json else out.print(f"Deleted {delete}.")
        return
    if show:
        found = client().get(f"/adapters/{show}")
        print_json(found) if as_json else out.print_json(data=found)
        return
    found = client().every("/adapters", "adapters")
    if as_json:
        print_json(found)
    else:
        table(found["adapters"], Folder="uri", Base="base_model", Steps="steps", Loss="final_loss", Made="create_time")
