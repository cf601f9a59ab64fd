"""The whole way as one job."""

from __future__ import annotations

from typing import Annotated

import typer

from lorag_cli.commands.shared import (
    Base,
    BaseOnly,
    Json,
    Quantization,
    Settings,
    Wait,
    area,
    client,
    dataset_id,
    parsed,
    started,
)
from lorag_cli.output import out

app = area()


@app.command()
def pipeline(
    model: Annotated[str, typer.Argument(help="Name of the release; not needed with --release.")] = "",
    base: Base = "",
    dataset: Annotated[str, typer.Option(help="Train on this: a JSONL file or a dataset id.")] = "",
    adapter: Annotated[str, typer.Option(help="Skip training: use this adapter folder.")] = "",
    newest: Annotated[bool, typer.Option("--newest", help="Skip training: the newest adapter.")] = False,
    release: Annotated[str, typer.Option(help="Skip training and conversion: this release.")] = "",
    base_only: BaseOnly = False,
    settings: Settings = None,
    quantization: Quantization = "",
    evaluate: Annotated[bool, typer.Option(help="Measure it against the active release first.")] = True,
    activate: Annotated[bool, typer.Option(help="Let the release answer.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Activate it even when it was measured to be worse.")] = False,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Train, convert, publish, evaluate and activate, as one job, from the step that is asked for."""
    body = {
        "model": model,
        "base_model": base,
        "dataset_id": dataset_id(dataset) if dataset else "",
        "adapter": adapter,
        "newest": newest,
        "release_id": release,
        "base_only": base_only,
        "evaluate": evaluate,
        "force": force,
        "settings": parsed(settings),
        "quantization": quantization,
        "activate": activate,
    }
    job = started(client().post("/pipelines", body)["job"], wait, as_json)
    if wait and not as_json:
        out.print(f"Release: {job['progress']['message']}")
