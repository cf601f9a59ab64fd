"""Jobs of every service."""

from __future__ import annotations

from typing import Annotated

import typer

from lorag_cli import output
from lorag_cli.client import CliError
from lorag_cli.commands.shared import Json, area, client
from lorag_cli.output import follow, out, print_json, state, table

app = area()


@app.command()
def jobs(
    job_id: Annotated[str, typer.Argument(help="One job; all when not given.")] = "",
    cancel: Annotated[bool, typer.Option("--cancel", help="Ask it to stop.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    log: Annotated[bool, typer.Option("--log", help="Show the end of its log.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="List at most this many; 0 means all.")] = 50,
    as_json: Json = False,
) -> None:
    """List jobs, or show, follow or cancel one."""
    if not job_id:
        if cancel or watch or log:
            raise CliError("Which job?", "Name it: lorag jobs ID --cancel.", code=2)
        found = client().every("/jobs", "jobs", limit)
        if as_json:
            print_json(found)
            return
        rows = [{**j, "state": state(j), "stage": (j.get("progress") or {}).get("stage", "")} for j in found["jobs"]]
        table(rows, Id="id", Kind="kind", State="state", Stage="stage", Created="create_time")
        if found["next_page_token"]:
            output.err.print("There are more: --limit 0 lists all.")
        for name in found["unavailable"]:
            output.err.print(f"The {name} does not answer; its jobs are missing here.")
        return
    if log:
        shown = client().get(f"/jobs/{job_id}/log")
        print_json(shown) if as_json else out.print(shown["text"], markup=False, highlight=False)
        return
    if cancel:
        job = client().post(f"/jobs/{job_id}:cancel")["job"]
    else:
        job = client().get(f"/jobs/{job_id}")["job"]
    if watch:
        follow(client(), job, as_json=as_json)
    elif as_json:
        print_json(job)
    else:
        out.print_json(data=job)
