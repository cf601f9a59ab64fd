"""Releases: list, publish, activate, roll back."""

from __future__ import annotations

import typer

from lorag_cli import output
from lorag_cli.commands.settings import show_config
from lorag_cli.commands.shared import Json, Wait, client, started
from lorag_cli.output import print_json, table

app = typer.Typer(help="Releases: list, publish, activate, roll back.", no_args_is_help=True)


@app.command("list")
def release_list(as_json: Json = False) -> None:
    """List the releases, newest first; a star marks the active one."""
    found = client().get("/releases")
    if as_json:
        print_json(found)
        return
    active = client().get("/config")["config"]["release_id"]
    rows = [{**r, "active": "*" if r["id"] == active else "", "mb": output.size(r["size"])} for r in found["releases"]]
    table(
        rows,
        **{"": "active"},
        Id="id",
        Base="base_model",
        Quantization="quantization",
        Size="mb",
        Published="published",
    )


@app.command("publish")
def release_publish(release: str, wait: Wait = True, as_json: Json = False) -> None:
    """Import a release into the model server."""
    started(client().post(f"/releases/{release}:publish")["job"], wait, as_json)


@app.command("activate")
def release_activate(release: str, as_json: Json = False) -> None:
    """Let a published release answer."""
    show_config(client().post(f"/releases/{release}:activate")["config"], as_json)


@app.command("rollback")
def release_rollback(as_json: Json = False) -> None:
    """Make the release before the active one active again."""
    show_config(client().post("/releases:rollback")["config"], as_json)
