"""What runs here and not in the gateway: all services, and the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lorag_cli.commands.shared import Json, area
from lorag_cli.output import out, print_json

app = area()


@app.command()
def up(
    as_json: Annotated[bool, typer.Option("--json", help="Say in one JSON line when all is healthy.")] = False,
) -> None:
    """Start all services on this machine and keep them running until Ctrl-C."""
    from lorag_cli.up import run

    raise typer.Exit(run(as_json=as_json))


@app.command()
def demo(
    data: Annotated[Path, typer.Option(help="Data folder; wiped when it is a demo's.")] = Path("data/demo"),
    as_json: Annotated[bool, typer.Option("--json", help="Only the last line, one JSON object.")] = False,
) -> None:
    """Everything once, from nothing: train, release, index, ask, and measure."""
    from lorag_cli.demo import run

    raise typer.Exit(run(data, quiet=as_json))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Look at GPU, RAM, disk, ports, Ollama, Weaviate and versions; each finding with its cure. Exits 1 when one is bad."""
    from lorag_cli.doctor import as_dicts, examine

    findings = examine()
    if as_json:
        print_json({"findings": as_dicts(findings)})
    else:
        marks = {"ok": "[green]✓[/]", "note": "[yellow]![/]", "bad": "[red]✗[/]"}
        for f in findings:
            out.print(f"{marks[f.level]} [bold]{escape(f.what)}[/]: {escape(f.found)}")
            if f.cure:
                out.print(f"    {escape(f.cure)}")
    raise typer.Exit(int(any(f.level == "bad" for f in findings)))
