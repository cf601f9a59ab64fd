"""The `lorag` command: an area a file in `commands/`; all are clients of the gateway, except `commands/local.py`."""

from __future__ import annotations

import sys

import typer

from lorag_cli import output
from lorag_cli.client import CliError
from lorag_cli.commands import (
    answers,
    conversions,
    data,
    documents,
    index,
    jobs,
    keys,
    local,
    pipelines,
    releases,
    settings,
    training,
)

USAGE = 2

app = typer.Typer(
    help="Fine-tune a model on your examples, release it, and let it answer from your documents.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the gateway does not answer, 4 not allowed, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for area in (training, conversions, pipelines, documents, answers, jobs, settings, data, local):
    app.add_typer(area.app)
app.add_typer(releases.app, name="release")
app.add_typer(keys.app, name="key")
app.add_typer(index.app, name="search-index")


def main() -> None:
    """Run a command; every failure is a message and a remedy, never a stack trace."""
    try:
        sys.exit(app(standalone_mode=False))
    except CliError as error:
        output.show_error(error)
        sys.exit(error.code)
    except typer.TyperException as error:  # how the command was written
        sys.stderr.write(f"Error: {error}\nWhat to do: `lorag --help` shows how.\n")
        sys.exit(USAGE)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
