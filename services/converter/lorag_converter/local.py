"""A conversion without the service: the same child process with the same spec.json, started by hand.

    python -m lorag_converter.local MODEL [--adapter FOLDER] [--base NAME] [--base-only] [--type Q4_K_M]

Its job folder is `jobs/converter-local-<model>-<type>/`, so the same command goes on where a killed one stopped.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from lorag_common.artifacts import write_json
from lorag_common.child import EVENTS
from lorag_common.errors import LoragError
from lorag_common.launcher import LocalLauncher
from lorag_converter import ggml, releases, sources
from lorag_converter.service import DEFAULT_TYPE
from lorag_converter.settings import ConverterSettings


def convert(settings: ConverterSettings, model: str, kind: str, path: str, base: str, *, base_only: bool) -> Any:
    """Run one conversion to its end; what its child returned. LoragError as `ConverterService.StartConversion`."""
    releases.require_model_name(model)
    ggml.file_type(kind)
    source = sources.resolve(settings, path=path, base_only=base_only, base_model=base)
    folder = settings.data / "jobs" / f"converter-local-{model}-{kind}"
    spec = {
        "model": model,
        "quantization": kind,
        "base_model": source.base,
        "adapter": str(source.adapter) if source.adapter else "",
    }
    if not (folder / "spec.json").exists() or json.loads((folder / "spec.json").read_text()) != spec:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_json(folder / "spec.json", spec)
    done = threading.Event()
    shown = threading.Thread(target=_show, args=(folder / EVENTS, done), daemon=True)
    shown.start()
    try:
        result = LocalLauncher(settings.data).run("lorag_converter.convert_job", folder, lambda: False)
    finally:
        done.set()
        shown.join(2)
    shutil.rmtree(folder)
    return result


def _show(events: Path, done: threading.Event) -> None:
    """Print the last progress line whenever it changes."""
    last = ""
    while not done.wait(0.5):
        lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
        if lines and lines[-1] != last:
            last = lines[-1]
            event = json.loads(last)
            share = f"{event['completed'] / event['total']:5.0%}" if event["total"] else ""
            print(f"{event['stage']:12} {share}", file=sys.stderr, flush=True)


def main(argv: list[str]) -> int:
    """The command; prints the result as one line of JSON, errors as message and remedy."""
    parser = argparse.ArgumentParser(prog="python -m lorag_converter.local", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--adapter", default="")
    parser.add_argument("--base", default="")
    parser.add_argument("--base-only", action="store_true")
    parser.add_argument("--type", default=DEFAULT_TYPE)
    a = parser.parse_args(argv)
    settings = ConverterSettings()
    settings.data = Path(settings.data).resolve()
    try:
        result = convert(settings, a.model, a.type, a.adapter, a.base, base_only=a.base_only)
    except LoragError as error:
        print(f"{error.message}\n{error.remedy}", file=sys.stderr)
        return 1
    print(json.dumps(result, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
