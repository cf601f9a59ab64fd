"""What is shown: tables, progress bars and answers for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from lorag_cli.client import Client, CliError, failed

# A pipe has no width: what is cut there cannot be read by anybody.
out = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 400)
err = Console(stderr=True, soft_wrap=True)
_METRICS = ("loss", "learning_rate", "tokens_per_second", "eta_seconds")


def print_json(value: Any) -> None:
    """One JSON value on stdout, and nothing else."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def show_error(error: CliError) -> None:
    """Message and remedy on stderr."""
    err.print(f"[bold red]Error:[/] {escape(error.message)}")
    if error.remedy:
        err.print(f"[bold]What to do:[/] {escape(error.remedy)}")


def table(rows: Iterable[dict[str, Any]], **columns: str) -> None:
    """Rows as a table; `columns` maps headings to keys."""
    shown = Table(box=None, pad_edge=False)
    for heading in columns:
        shown.add_column(heading, overflow="fold")  # an id that is cut short could not be copied
    for row in rows:
        shown.add_row(*(escape(str(row.get(key, ""))) for key in columns.values()))
    out.print(shown)


def size(n: int) -> str:
    """Bytes for people."""
    value, units = float(n), ["B", "KB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"


def state(job: dict[str, Any]) -> str:
    """A job's or document's state in one word."""
    return str(job["state"]).rpartition("STATE_")[2].lower()


def follow(client: Client, job: dict[str, Any], *, as_json: bool = False, quiet: bool = False) -> dict[str, Any]:
    """Show a job until its end, a bar for each stage on stderr; with `as_json` a JSON line a change instead.

    Raises:
        CliError: what the job failed by.
    """
    if as_json or quiet:
        latest = job
        for latest in client.watch(job["id"]):
            if as_json:
                print_json(latest)
    else:
        latest = _bars(client, job)
    if error := failed(latest):
        raise error
    return latest


def _bars(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeElapsedColumn())
    with Progress(*columns, console=err) as bars:
        tasks: dict[str, TaskID] = {}
        latest = job
        for latest in client.watch(job["id"]):
            p = latest.get("progress") or {}
            stage = p.get("stage") or latest["kind"]
            if stage not in tasks:
                for done in tasks.values():
                    found = bars.tasks[done]
                    bars.update(done, total=found.total or 1, completed=found.total or 1)
                    bars.stop_task(done)
                tasks[stage] = bars.add_task(stage, total=None, note="")
            bars.update(tasks[stage], total=p.get("total") or None, completed=p.get("completed", 0), note=_note(p))
        for done in tasks.values():
            bars.stop_task(done)
    return latest


def _note(progress: dict[str, Any]) -> str:
    metrics = progress.get("metrics") or {}
    parts = [f"{name} {metrics[name]:.4g}" for name in _METRICS if name in metrics]
    if progress.get("total"):
        parts.insert(0, f"{progress['completed']:g}/{progress['total']:g}")
    return escape(" ".join([*parts, progress.get("message", "")]).strip())
