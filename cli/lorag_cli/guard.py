"""`python -m lorag_cli.guard <module>`: run a module that must not outlive the process that started it.

Standard input is a pipe whose other end the starter holds: its end means that the starter is gone, however it went. Then
the whole process group is killed, since nobody is left to stop it in order; jobs are durable and go on at the next start.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _watch() -> None:
    while os.read(0, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_watch, name="starter-watch", daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
