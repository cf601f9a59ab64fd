"""The data folder as a whole: backup, restore; and certificates for services on several machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from lorag_cli.client import CliError
from lorag_cli.commands.shared import Json, area
from lorag_cli.output import err, out, print_json
from lorag_common.errors import LoragError
from lorag_common.settings import ServiceSettings

app = area()
GIB = 1 << 30
File = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False)]


@app.command()
def backup(file: File, as_json: Json = False) -> None:
    """Back the data folder up into one file, with a sum for every file in it. The services must be stopped.

    With `-` for FILE it goes to standard output.
    """
    from lorag_common import backup as backups

    target = None if str(file) == "-" else file
    with _working("backing up") as progress:
        found = backups.create(ServiceSettings().data, target, progress)
    if target:
        _tell(found, f"Backed up into {file}.", as_json)


@app.command()
def restore(
    file: File,
    replace: Annotated[bool, typer.Option(help="Give up what is in the data folder now.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only read the backup and check every sum.")] = False,
    as_json: Json = False,
) -> None:
    """Put a backup back into the data folder, once every sum was found right. The services must be stopped."""
    from lorag_common import backup as backups

    data = ServiceSettings().data
    with _working("restoring") as progress:
        found = backups.verify(file) if check else backups.restore(file, data, progress, replace=replace)
    _tell(found, f"{file} is whole." if check else f"Restored into {data}.", as_json)


@app.command()
def tls(
    folder: Annotated[Path, typer.Argument(help="Gets a folder for each service, and one for clients.")],
    days: Annotated[int, typer.Option(min=1, help="How long the certificates are valid.")] = 365,
    name: Annotated[list[str] | None, typer.Option(help="A host name or address more; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Make certificates for TLS between the services (LORAG_TLS); run again, it renews them."""
    from lorag_common import certificates

    made = certificates.make(folder, days, tuple(name or ()))
    if as_json:
        print_json({"folders": [str(path) for path in made]})
    else:
        out.print(
            f"Made in {folder}: {', '.join(path.name for path in made)}. Each service gets LORAG_TLS={folder}/NAME."
        )


@contextmanager
def _working(what: str) -> Iterator[Any]:
    """A progress bar in bytes; errors of the table as errors of the command."""
    with Progress(console=err, transient=True) as bar:
        task = bar.add_task(what)
        try:
            yield lambda done, total: bar.update(task, completed=done, total=total)
        except LoragError as error:
            raise CliError(error.message, error.remedy) from error
        except OSError as error:
            raise CliError(f"{error.filename or what}: {error.strerror}", "Correct the path or the disk.") from error


def _tell(manifest: dict[str, Any], text: str, as_json: bool) -> None:
    size = sum(f["size"] for f in manifest["files"].values())
    if as_json:
        print_json({"files": len(manifest["files"]), "bytes": size, "version": manifest["version"]})
    else:
        out.print(f"{text} {len(manifest['files'])} files, {size / GIB:.2f} GiB.")
