"""What answering works by."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lorag_cli.commands.shared import Json, area, client, parsed
from lorag_cli.output import print_json, table

app = area()


@app.command()
def config(
    settings: Annotated[list[str] | None, typer.Option("--set", help="e.g. --set temperature=0.2.")] = None,
    as_json: Json = False,
) -> None:
    """Show what answering works by, or change it."""
    found = client().patch("/config", parsed(settings)) if settings else client().get("/config")
    show_config(found["config"], as_json)


def show_config(found: dict[str, Any], as_json: bool) -> None:
    """A configuration as a table, or as JSON."""
    if as_json:
        print_json(found)
    else:
        table([{"k": k, "v": v} for k, v in found.items()], Setting="k", Value="v")
