"""Datasets and trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lorag_cli.commands.shared import (
    Base,
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
def datasets(as_json: Json = False) -> None:
    """List the datasets."""
    found = client().get("/datasets")
    if as_json:
        print_json(found)
    else:
        table(found["datasets"], Id="id", Name="name", Examples="example_count", Format="format")
