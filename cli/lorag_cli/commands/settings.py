"""What answering works by."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lorag_cli.commands.shared import Json, area, client, parsed
from lorag_cli.output import out, print_json, size, table

app = area()
SERVING = "SERVING"


@app.command()
def config(
    settings: Annotated[list[str] | None, typer.Option("--set", help="e.g. --set temperature=0.2.")] = None,
    as_json: Json = False,
) -> None:
    """Show what answering works by, or change it."""
    found = client().patch("/config", parsed(settings)) if settings else client().get("/config")
    show_config(found["config"], as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Show which services answer, the active release and what the machine has left. Exits 1 when a part is down."""
    health, machine = client().get("/health"), client().get("/machine")
    answering = health["services"]["qa"]["status"] == SERVING
    active = client().get("/config")["config"]["release_id"] if answering else ""
    if as_json:
        print_json({"health": health, "machine": machine, "active": active})
    else:
        parts = health["services"] | {"model server": health["model_server"]}
        table([{"name": n} | part for n, part in parts.items()], Part="name", Status="status", Address="address")
        out.print(f"Active release: {active or 'none'}")
        out.print(
            f"Free: memory {size(machine['memory_free_bytes'])} of {size(machine['memory_bytes'])}, "
            f"disk {size(machine['disk_free_bytes'])} of {size(machine['disk_bytes'])}, "
            f"{len(machine['gpus'])} GPU(s)"
        )
    raise typer.Exit(int(health["status"] != "ok"))


def show_config(found: dict[str, Any], as_json: bool) -> None:
    """A configuration as a table, or as JSON."""
    if as_json:
        print_json(found)
    else:
        table([{"k": k, "v": v} for k, v in found.items()], Setting="k", Value="v")
