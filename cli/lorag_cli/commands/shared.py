"""What several commands share: their options, the gateway, and jobs that were started."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from lorag_cli import output
from lorag_cli.client import Client, CliError
from lorag_cli.output import follow, out, print_json

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the job to its end.")]
Base = Annotated[str, typer.Option("--base", help="Base model: a folder below LORAG_MODEL_ROOTS, or a hub name.")]
Quantization = Annotated[str, typer.Option("--quantization", "-q", help="Empty means Q4_K_M.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="A training setting, e.g. --set r=8 --set epochs=1.")]
Documents = Annotated[
    list[str] | None, typer.Option("--document", help="Only the document with this id; may be given again.")
]
BaseOnly = Annotated[bool, typer.Option("--base-only", help="No adapter: the base as it is.")]


def area() -> typer.Typer:
    """A group of commands."""
    return typer.Typer(no_args_is_help=True)


def client() -> Client:
    """The gateway that the environment names."""
    return Client()


def started(job: dict[str, Any], wait: bool, as_json: bool) -> dict[str, Any]:
    """Follow a started job, or name it."""
    if wait:
        return follow(client(), job, as_json=as_json)
    print_json(job) if as_json else out.print(f"Started {job['id']}; `lorag jobs {job['id']} --watch` follows it.")
    return job


def parsed(pairs: list[str] | None) -> dict[str, Any]:
    """`name=value` pairs as JSON values; the gateway checks names and types."""
    found: dict[str, Any] = {}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        if not equals:
            raise CliError(f"'{pair}' is not name=value.", "Write for example --set r=8.", code=2)
        value: Any = text
        if text.lower() in ("true", "false"):
            value = text.lower() == "true"
        else:
            for kind in (int, float):
                with contextlib.suppress(ValueError):
                    value = kind(text)
                    break
        found[name] = value
    return found


def read_json(file: Path) -> Any:
    """What a JSON file holds."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CliError(
            f"{file} cannot be read: {error.strerror}.", "Give the path of a readable file.", code=2
        ) from error
    except ValueError as error:
        raise CliError(f"{file} is not JSON: {error}.", "Correct it and try again.", code=2) from error


def dataset_id(name: str) -> str:
    """The id of a dataset: a file is uploaded first, anything else is an id."""
    if not Path(name).is_file():
        return name
    return str(client().upload("/datasets", Path(name))["dataset"]["id"])


def show_estimate(found: dict[str, Any], as_json: bool) -> None:
    """What a job would need, and what to change."""
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        if name not in ("advice", "options"):
            out.print(f"{name:20} {output.size(value) if name.endswith('_bytes') else value}")
    for fit in found.get("options", []):
        mark = "fits" if fit["fits"] else ""
        out.print(f"{fit['quantization']:8} {output.size(fit['total_bytes']):>12} {mark}")
    for line in found["advice"]:
        out.print(f"- {escape(line)}")
