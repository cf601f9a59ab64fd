"""Releases: list, publish, activate, roll back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lorag_cli import output
from lorag_cli.commands.settings import show_config
from lorag_cli.commands.shared import Json, Wait, client, read_json, started
from lorag_cli.output import out, print_json, table

app = typer.Typer(help="Releases: list, publish, activate, roll back.", no_args_is_help=True)


@app.command("list")
def release_list(as_json: Json = False) -> None:
    """List the releases, newest first; a star marks the active one."""
    found = client().every("/releases", "releases")
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
def release_activate(
    release: str,
    force: Annotated[bool, typer.Option("--force", help="Also when it was measured to be worse.")] = False,
    as_json: Json = False,
) -> None:
    """Let a published release answer."""
    show_config(client().post(f"/releases/{release}:activate", {"force": force})["config"], as_json)


@app.command("show")
def release_show(release: str, as_json: Json = False) -> None:
    """Show a release with its birth certificate."""
    found = client().get(f"/releases/{release}")["release"]
    print_json(found) if as_json else out.print_json(found["certificate_json"])


@app.command("evaluate")
def release_evaluate(
    release: str,
    baseline: Annotated[str, typer.Option(help="Compare with this; the active release when not given.")] = "",
    questions: Annotated[
        Path | None, typer.Option(help="A JSON file: a list of {question, expected, document_id, page}.")
    ] = None,
    count: Annotated[int, typer.Option(help="Questions to make from the documents; 0 means 24.")] = 0,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Ask a release and the active one the same questions, and compare."""
    body = {"baseline": baseline, "question_count": count, "questions": read_json(questions) if questions else []}
    started(client().post(f"/releases/{release}:evaluate", body)["job"], wait, as_json)
    if wait and not as_json:
        found = client().get(f"/releases/{release}/evaluation")["evaluation"]
        out.print(f"{found['verdict'].removeprefix('VERDICT_').lower()}: {escape(found['summary'])}")


@app.command("rollback")
def release_rollback(as_json: Json = False) -> None:
    """Make the release before the active one active again."""
    show_config(client().post("/releases:rollback")["config"], as_json)
