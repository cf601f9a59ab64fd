"""Conversions."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any

import typer

from lorag_cli import output
from lorag_cli.commands.shared import Base, BaseOnly, Json, Quantization, Wait, area, client, show_estimate, started
from lorag_cli.output import out

app = area()


@app.command()
def convert(
    model: Annotated[str, typer.Argument(help="Name of the release.")],
    adapter: Annotated[str, typer.Option(help="An adapter folder; the newest when not given.")] = "",
    base_only: BaseOnly = False,
    base: Base = "",
    quantization: Quantization = "",
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would need.")] = False,
    context: Annotated[int, typer.Option(help="Tokens of context to estimate for.")] = 0,
    parallel: Annotated[int, typer.Option(help="Requests at once to estimate for.")] = 0,
    gpu_gib: Annotated[list[float] | None, typer.Option(help="GiB of a serving GPU; once for each.")] = None,
    local: Annotated[bool, typer.Option("--local", help="Here and now, with no service running.")] = False,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Convert base + adapter to a GGUF release."""
    if local:
        command = [sys.executable, "-m", "lorag_converter.local", model, "--adapter", adapter, "--base", base]
        command += ["--base-only"] * base_only + (["--type", quantization] if quantization else [])
        raise typer.Exit(subprocess.run(command, check=False).returncode)
    body: dict[str, Any] = {"base_model": base, "quantization": quantization, "base_only": base_only}
    if adapter:
        body["adapter"] = adapter
    if estimate:
        body |= {"context_tokens": context, "parallel_requests": parallel}
        body["gpu_memory_bytes"] = [int(g * 2**30) for g in gpu_gib or []]
        show_estimate(client().post("/conversions:estimate", body), as_json)
        return
    job = started(client().post("/conversions", body | {"model": model})["job"], wait, as_json)
    if wait and not as_json:
        for artifact in job["artifacts"]:
            out.print(f"{artifact['uri']}  {output.size(artifact['size'])}")
