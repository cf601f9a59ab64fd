"""API keys and the audit log."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Annotated, Any

import typer

from lorag_cli.client import CliError
from lorag_cli.commands.shared import Json, client
from lorag_cli.output import err, out, print_json, table

app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)
Scope = Annotated[str, typer.Option(help="read, write or admin.")]


@app.command()
def create(name: str, scope: Scope = "write", as_json: Json = False) -> None:
    """Make a key in the data folder of this machine; needs no running gateway, so it makes the first one too."""
    found = _local("create", name, "--scope", scope)
    if as_json:
        print_json(found)
        return
    err.print(f"The key '{name}' ({scope}) is shown this once; keep it, e.g. as LORAG_API_KEY:")
    out.print(found["secret"], markup=False, highlight=False)


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the keys of this machine's data folder."""
    found = _local("list")
    if as_json:
        print_json(found)
    else:
        table(found["keys"], Id="id", Name="name", Scope="scope", Made="create_time")


@app.command()
def revoke(key_id: str, as_json: Json = False) -> None:
    """Revoke a key; it opens nothing from now on."""
    found = _local("revoke", key_id)
    print_json(found) if as_json else out.print(f"Revoked {key_id}.")


@app.command()
def audit(entries: Annotated[int, typer.Option(help="At most this many.")] = 50, as_json: Json = False) -> None:
    """Show who changed what, newest first; asks the gateway."""
    found = client().get("/audit", page_size=entries)
    if as_json:
        print_json(found)
    else:
        table(found["entries"], Time="time", Who="name", What="method", Path="path", Status="status")


def _local(*arguments: str) -> dict[str, Any]:
    """Whoever may write the data folder may make keys, so this needs no key."""
    command = [sys.executable, "-m", "lorag_gateway.access.keys", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CliError(done.stderr.strip().splitlines()[-1], "`lorag key --help` shows how.", code=1)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
